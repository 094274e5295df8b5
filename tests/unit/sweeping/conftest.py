"""Jobs, a coordinator with a clock that stands still, and a server whose storage is memory."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.config import SweepJob, check_sweep
from tinderbox.data import Dataset, Examples, pack, unpack
from tinderbox.errors import BadInput
from tinderbox.sweeping.child import Work
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.events import CheckpointSaved, Event, encode
from tinderbox.sweeping.journal import Journal, rebuild
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Lease, Report
from tinderbox.sweeping.objective import by_value
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.server import Server
from tinderbox.sweeping.study import Study

START = 1_000.0
TOKEN = "secret"  # noqa: S105 - of servers that live as long as a test


@pytest.fixture
def make_job() -> Callable[..., SweepJob]:
    """Return a function that gives a small, valid sweep with some keys replaced."""

    def make(parameters: dict[str, Any] | None = None, **changes: Any) -> SweepJob:
        tree = {
            "kind": "sweep",
            "name": "small",
            "objective": "module:train",
            "metric": {"name": "loss", "direction": "minimize"},
            "parameters": parameters or {"x": {"type": "float", "low": 0, "high": 1}},
            "search": "random",
            "budget": {"trials": 3},
            "epochs": 2,
            "seed": 7,
        }
        return check_sweep(tree | changes, "test")

    return make


@dataclass
class Desk:
    """A coordinator of trials with one parameter, its record, and a clock that only `pass_time` moves."""

    trials: int = 3
    rules: dict[str, Any] = field(default_factory=dict)
    record: list[Event] = field(default_factory=list)
    now: float = START
    proposed: bool = True
    direction: str = "minimize"
    beside: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        """Begin, or go on where a record ends."""
        study = self.replay()
        rules = Rules(**{"seed": 7, "epochs": 2, "limit": self.trials, **self.rules})
        self.coordinator = Coordinator(study, rules, self.record.append, self.now)
        self._requests = itertools.count(1)
        while self.proposed and len(study.trials) < self.trials:
            self.propose()

    @property
    def study(self) -> Study:
        """The study as the coordinator sees it."""
        return self.coordinator.study

    def propose(self, baseline: bool = False) -> None:
        """Add the next trial."""
        self.coordinator.propose({"x": len(self.study.trials) / 10}, len(self.study.ended), baseline, self.now)

    def pass_time(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds
        self.coordinator.tick(self.now)

    def ask(self, slot: str = "a", request: int | None = None) -> Ask:
        """Return a slot's next request, or a certain one; the name of a slot may tell its node, as in "a@n1"."""
        node = slot.partition("@")[2] or "node"
        return Ask(slot=slot, node=node, host=f"pod-{node}", request=request or next(self._requests))

    def lease(self, slot: str = "a", request: int | None = None) -> Answer:
        """Ask for work."""
        return self.coordinator.lease(self.ask(slot, request), self.now)

    def take(self, slot: str = "a") -> Lease:
        """Return a lease, which there must be."""
        answer = self.lease(slot)
        assert answer.lease is not None
        return answer.lease

    def report(
        self, lease: Lease, epoch: int = 1, value: float = 0.5, slot: str = "a", others: Any = (), **more: Any
    ) -> Decision:
        """Report the metric of one epoch, and others."""
        metrics = {"loss": value, **dict(others)}
        report = Report(slot=slot, attempt=lease.attempt, epoch=epoch, metrics=metrics, **more)
        return self.coordinator.report(lease.trial, report, self.now)

    def save(self, lease: Lease, epoch: int, slot: str = "a", sha256: str = "00") -> str:
        """Bring the state of a trial's newest report to safety and return where it is."""
        path = f"{lease.trial}-{lease.attempt}-{epoch}"
        saved = CheckpointSaved(
            time=self.now, trial=lease.trial, attempt=lease.attempt, epoch=epoch, path=path, sha256=sha256, size=1
        )
        self.coordinator.saved(saved, slot)
        return path

    def finish(
        self, lease: Lease, slot: str = "a", outcome: Any = "complete", request: int | None = None, cause: str = ""
    ) -> Answer:
        """End an attempt."""
        finish = Finish(ask=self.ask(slot, request), attempt=lease.attempt, outcome=outcome, cause=cause)
        return self.coordinator.finish(lease.trial, finish, self.now)

    def restart(self, kept: int | None = None) -> Desk:
        """Return the desk of a new driver that finds the first `kept` events of the record, by default all."""
        record = self.record[:kept]
        return Desk(self.trials, self.rules, record, self.now, self.proposed, self.direction, self.beside)

    def replay(self) -> Study:
        """Return the study that the record adds up to."""
        return rebuild([b"".join(map(encode, self.record))], "loss", self.direction, *self.beside)


@pytest.fixture
def desk() -> Callable[..., Desk]:
    """Return a function that opens a coordinator for so many trials; `beside` the metric are objectives and bounds."""
    return lambda trials=3, proposed=True, direction="minimize", beside=(), **rules: Desk(
        trials, rules, proposed=proposed, direction=direction, beside=beside
    )


@dataclass
class MemoryLog:
    """The log of a record in memory; `trouble` is raised instead of the next writes."""

    segments: list[bytes] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    trouble: Exception | None = None
    is_quick: bool = False

    def read(self) -> list[bytes]:
        """Return the earlier segments."""
        return self.segments

    def append(self, lines: bytes) -> None:
        """Keep lines."""
        if self.trouble is not None:
            raise self.trouble
        self.written.append(lines)


@dataclass
class MemoryFiles:
    """Checkpoints and logs in memory."""

    checkpoints: dict[str, bytes] = field(default_factory=dict)
    logs: dict[tuple[int, int], str] = field(default_factory=dict)

    async def keep_checkpoint(
        self, trial: int, attempt: int, epoch: int, blocks: AsyncIterator[bytes], sha256: str
    ) -> tuple[str, int]:
        """Keep a checkpoint whose digest is right."""
        content = b"".join([block async for block in blocks])
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BadInput("another digest")
        self.checkpoints[name := f"{trial}-{attempt}-{epoch}"] = content
        return name, len(content)

    async def send_checkpoint(self, path: str) -> AsyncIterator[bytes]:
        """Send a checkpoint in blocks of two bytes."""
        if path not in self.checkpoints:
            raise FileNotFoundError(path)
        content = self.checkpoints[path]
        for place in range(0, len(content), 2):
            yield content[place : place + 2]

    async def discard(self, path: str) -> None:
        """Throw a checkpoint away."""
        self.checkpoints.pop(path, None)

    async def keep_log(self, trial: int, attempt: int, text: str) -> None:
        """Keep a log."""
        self.logs[trial, attempt] = text

    def keepsakes(self) -> list[str]:
        """Return the one name that there is."""
        return ["best/parameters.yaml"]

    def read(self, name: str) -> bytes:
        """Return the name."""
        return name.encode()


@dataclass
class Running:
    """A server that answers on this machine."""

    server: Server
    log: MemoryLog
    files: MemoryFiles
    url: str
    token: str = TOKEN


Serve = Callable[..., Any]


@contextmanager
def serving(job: SweepJob, log: MemoryLog | None = None, port: int = 0, **rules: Any) -> Iterator[Running]:
    """Run a server in its thread until the block ends."""
    log, files, proposer = log or MemoryLog(), MemoryFiles(), Proposer(job)
    journal = Journal(log)
    rules = {"seed": job.seed, "epochs": job.epochs, "limit": proposer.limit, **rules}
    study = rebuild(log.read(), *job.aims)
    server = Server(Coordinator(study, Rules(**rules), journal.add, time.time()), journal, proposer, files, TOKEN)
    try:
        yield Running(server, log, files, f"http://127.0.0.1:{server.start('127.0.0.1', port)}")
    finally:
        server.stop()


@pytest.fixture
def serve() -> Serve:
    """Return a context manager that runs a server for a job."""
    return serving


@pytest.fixture
def memory_log() -> type[MemoryLog]:
    """Return the class of logs in memory."""
    return MemoryLog


@pytest.fixture
def memory_files() -> type[MemoryFiles]:
    """Return the class of files in memory."""
    return MemoryFiles


@pytest.fixture
def dataset() -> Dataset:
    """Return ten examples of two features, half of them for validation."""
    x, y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10) % 2
    return Dataset(Examples(x[:5], y[:5]), Examples(x[5:], y[5:]), None, None)


@pytest.fixture
def make_work(tmp_path: Path, dataset: Dataset) -> Callable[..., Work]:
    """Return a function that gives what a child needs for a function, which travels by value."""

    def make(function: Callable[..., Any], repeat: bool = False) -> Work:
        unpack(lambda: pack(dataset), tmp_path / "data")
        return Work(by_value(function), ("loss",), tmp_path / "code", tmp_path / "data", repeat)

    return make
