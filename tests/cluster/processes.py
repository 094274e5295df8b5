"""The cluster's processes on this machine: each is recorded when it starts and ended by that record alone.

A pid is used again sooner or later, so a record holds the start time and the boot too, and a signal goes through a
pidfd taken before both are compared: it reaches the recorded process or nothing.
"""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from images.say import tail
from tests.cluster.errors import ClusterError
from tests.cluster.layout import LOGS, ROOT

RECORDS = ROOT / "processes"
BOOT = Path("/proc/sys/kernel/random/boot_id")
PATIENCE = 5.0


@dataclass(frozen=True)
class Record:
    """One process that was started: enough to find it again, and nothing else."""

    name: str
    pid: int
    started: int  # clock ticks after boot, from /proc
    boot: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return self.boot == boot() and started(self.pid) == self.started

    @property
    def log(self) -> Path:
        """Where it writes."""
        return LOGS / f"{self.name}.log"


def boot() -> str:
    """The identity of this boot of the machine."""
    return BOOT.read_text().strip()


def started(pid: int) -> int | None:
    """When a process started, or None where it is gone or only waits to be collected."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return parse_start(stat)


def parse_start(stat: str) -> int | None:
    """The start time in a line of /proc/PID/stat; the name in it may hold blanks and brackets."""
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18])


def records() -> list[Record]:
    """Everything that was started and not ended, alive or not."""
    return [Record(**json.loads(file.read_text())) for file in sorted(RECORDS.glob("*.json"))]


def find(name: str) -> Record | None:
    """The live process of that name."""
    return next((record for record in records() if record.name == name and record.alive), None)


def ensure(name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> bool:
    """Start a process unless it runs; whether it had to be started."""
    if find(name):
        return False
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True, cwd="/", env=os.environ | dict(environment or {}),
        )  # fmt: skip
    process.returncode = 0  # it outlives this program on purpose, and Python would warn of that
    _write(Record(name, process.pid, started(process.pid) or 0, boot()))
    return True


def _write(record: Record) -> None:
    RECORDS.mkdir(parents=True, exist_ok=True)
    aside = RECORDS / f"{record.name}.new"
    aside.write_text(json.dumps(asdict(record)))
    aside.rename(RECORDS / f"{record.name}.json")


def stop(names: Iterable[str], first: signal.Signals = signal.SIGTERM, patience: float = PATIENCE) -> None:
    """End the named processes together: politely, then by force, and forget them."""
    wanted = set(names)
    chosen = [record for record in records() if record.name in wanted]
    left = _signal(chosen, first, patience)
    _signal(left, signal.SIGKILL, PATIENCE)
    for record in chosen:
        (RECORDS / f"{record.name}.json").unlink(missing_ok=True)


def _signal(chosen: list[Record], number: signal.Signals, patience: float) -> list[Record]:
    handles = {record: handle for record in chosen if (handle := _handle(record)) is not None}
    for handle in handles.values():
        signal.pidfd_send_signal(handle, number)
    return [record for record, handle in handles.items() if not _ended(handle, patience)]


def _handle(record: Record) -> int | None:
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return None
    if record.alive:
        return handle
    os.close(handle)
    return None


def _ended(handle: int, patience: float) -> bool:
    ready, _, _ = select.select([handle], [], [], patience)
    os.close(handle)
    return bool(ready)


def children(pid: int) -> list[int]:
    """The processes that a process started itself."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def ended(*names: str) -> str:
    """Which of the named processes ended by themselves, with the last lines that they wrote."""
    dead = [record for record in records() if record.name in names and not record.alive]
    return "\n".join(f"{record.name} ended; {record.log} says:\n{tail(record.log)}" for record in dead)


def wait(what: str, ready: Callable[[], bool], seconds: float, *needed: str) -> None:
    """Wait until something holds; give up past the time, and as soon as a process that it needs has ended."""
    end = time.monotonic() + seconds
    while not ready():
        if said := ended(*needed):
            raise ClusterError(f"{what}: {said}")
        if time.monotonic() > end:
            raise ClusterError(f"{what} within {seconds:g} s; what every process says is in {LOGS}")
        time.sleep(0.1)
