"""What tests of all kinds share: processes that can be counted, and no silent skips where all is to run."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tinderbox.api.plan import describe_job
from tinderbox.config import check_infer, check_sweep, check_train
from tinderbox.inference.summary import Summary, summarise, to_json
from tinderbox.run import identify
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    Event,
    Reported,
    SlotJoined,
    StudyEnded,
    StudyStarted,
    TrialProposed,
    encode,
)
from tinderbox.training import record

_TAG = "TINDERBOX_TEST_RUN"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what would be skipped where TINDERBOX_NO_SKIP is set."""
    report = yield
    if report.skipped and os.environ.get("TINDERBOX_NO_SKIP"):
        report.outcome = "failed"
    return report


@pytest.fixture(scope="session")
def processes() -> Iterator[Callable[[], dict[int, str]]]:
    """A function that returns pids and commands of all that was started since, orphans too: they inherit a tag."""
    tag = os.environ[_TAG] = uuid.uuid4().hex
    yield lambda: _tagged(f"{_TAG}={tag}".encode())
    del os.environ[_TAG]


def _tagged(tag: bytes) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if tag in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:  # it has ended meanwhile
            continue
    return {pid: command for pid, command in found.items() if command}  # a zombie has no command


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool], float], bool]:
    """A function that returns whether a condition comes true within so many seconds."""

    def wait(condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not (met := condition()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return met

    return wait


@pytest.fixture(scope="session")
def scrape() -> Callable[[int], dict[str, float]]:
    """A function that returns what a port tells Prometheus, by name and labels, such as `up{node="a",run="b"}`."""
    from prometheus_client.parser import text_string_to_metric_families

    def read(port: int) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        told = {f"{sample.name}{_spell(sample.labels)}": sample.value for sample in samples}
        assert len(told) == len(samples), "each series once"
        return told

    return read


def _spell(labels: dict[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{{inside}}}" if inside else ""


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
    return port


@pytest.fixture(scope="session", autouse=True)
def heeding() -> Iterator[None]:
    """Let Ctrl-C count: a job that a shell has put into the background ignores it, and all that it starts does too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def recorded(tmp_path: Path) -> StudyFolder:
    """A study of five trials as a run leaves it, but for its report.

    Trial 0 is the baseline, 1 the best, with a state; 2 was lost and then failed, 3 diverged, 4 waits.
    """
    job = check_sweep(
        {
            "kind": "sweep",
            "name": "small",
            "objective": "module:function",
            "metric": {"name": "loss", "direction": "minimize"},
            "parameters": {"x": {"type": "float", "low": 0, "high": 4, "grid": 5, "default": 0}},
            "search": "grid",
            "epochs": 1,
            "storage": str(tmp_path / "studies"),
        },
        "test",
    )
    folder = StudyFolder(job.storage, job.name)
    folder.write_job(describe_job(job), identify(job.name, describe_job(job), "d" * 64, "c" * 64))
    folder.write("checkpoints/trial-00001/attempt-1-epoch-1", b"state of trial 1")
    folder.write("logs/trial-00002/attempt-1.log", b"first attempt\n")
    folder.write("logs/trial-00002/attempt-2.log", b"second attempt\n")
    log = folder.log()
    log.append(b"".join(encode(event) for event in _history()))
    log.close()
    return folder


@pytest.fixture
def labelled(tmp_path: Path) -> RowsFolder:
    """A batch inference as a run leaves it, but for its report: of three images one is broken, and one label is wrong.

    Rows of an earlier version are there too.
    """
    storage = str(tmp_path / "studies")
    tree = {"kind": "infer", "name": "photos", "model": "m.keras", "input": "in", "truth": "folder", "storage": storage}
    job = describe_job(check_infer(tree, "test"))
    RowsFolder(storage, "photos", "f" * 12).keep(0, pa.table({"path": ["x"]}), to_json(Summary(rows=1, labelled=1)))
    folder = RowsFolder(storage, "photos", "0123456789ab")
    folder.write_job(job, identify("photos", job, "0123456789abcdef", "c" * 64))
    for number, (truth, label, error) in enumerate([("cat", "cat", None), ("dog", "cat", None), ("dog", None, "no")]):
        row = {"path": f"{truth}/{number}.png", "label": label, "truth": truth, "error": error, "reason": error}
        rows = pa.Table.from_pylist([{**row, "probability": 0.5, "node": "a", "milliseconds": 1.0}])
        folder.keep(number, rows, to_json(summarise(rows, 1_780_000_000.0 + number, 2.0)))
    folder.finish(3)
    return folder


@pytest.fixture
def trained(tmp_path: Path) -> TrainFolder:
    """A training of two epochs as a run leaves it, but for model and report; worker 1 was killed in attempt 1."""
    storage = str(tmp_path / "studies")
    tree = {"kind": "train", "name": "lenet", "model": "lenet5", "epochs": 2, "storage": storage}
    job = describe_job(check_train(tree, "test"))
    folder = TrainFolder(storage, "lenet")
    folder.write_job(job, identify("lenet", job, "d" * 64, "", "m" * 64))
    folder.write("classes.json", b'["cat", "dog"]')
    folder.write("confusion.json", b"[[5, 1], [2, 2]]")
    for attempt, worker in ((1, 0), (1, 1), (2, 0)):
        folder.write_log(attempt, worker, f"worker {worker} in attempt {attempt}\n")
    log = folder.log()
    log.append(b"".join(record.encode(event) for event in _course()))
    log.close()
    return folder


def _course() -> Iterator[record.Event]:
    members = [record.Member(rank=rank, name=f"worker-{rank}", node=f"node-{rank}") for rank in range(2)]
    metrics = {"loss": 2.0, "top1": 0.5, "top5": 0.75, "val_loss": 1.5, "val_top1": 0.6, "val_top5": 0.8}
    told = {"examples": 1078, "seconds": 2.0, "sent": 4096, "dense": 65536}
    yield record.RunBegan(time=100, generation=1, workers=2, epochs=2)
    yield record.AttemptBegan(time=101, attempt=1, members=members)
    yield record.EpochEnded(time=110, attempt=1, epoch=1, step=9, workers=2, metrics=metrics, **told)
    yield record.CheckpointKept(
        time=111, attempt=1, epoch=1, examples=0, step=9, parts={0: "a" * 64, 1: "b" * 64}, size=80
    )
    killed = {"outcome": "killed", "cause": "worker 1 on node-1 was killed by SIGKILL", "details": "Killed\n"}
    yield record.AttemptEnded(time=112, attempt=1, member=members[1], **killed)
    yield record.AttemptBegan(time=113, attempt=2, members=members[:1], epoch=1, step=9, scale=0.5)
    better = {name: value / 2 if "loss" in name else value + 0.1 for name, value in metrics.items()}
    yield record.EpochEnded(time=120, attempt=2, epoch=2, step=26, workers=1, metrics=better, **told)
    yield record.AttemptEnded(time=121, attempt=2, outcome="complete")
    yield record.RunEnded(time=122, epoch=2)


def _history() -> Iterator[Event]:
    yield StudyStarted(time=100, generation=1)
    yield SlotJoined(time=101, slot="slot-0", node="node-a")
    for number in range(5):
        yield TrialProposed(
            time=101, trial=number, parameters={"x": float(number)}, seed=7, known=0, baseline=number == 0
        )
    yield from _attempt(0, 1, 0.5, outcome="complete")
    yield from _attempt(1, 1, 0.25, outcome="complete", path="checkpoints/trial-00001/attempt-1-epoch-1")
    yield from _attempt(2, 1, None, outcome="lost", cause="slot slot-0 on node-a left: it broke")
    yield from _attempt(2, 2, None, outcome="failed", cause="ValueError: no", details="Traceback\nValueError: no\n")
    yield from _attempt(3, 1, float("nan"), outcome="diverged", cause="loss was nan in epoch 1")
    yield StudyEnded(time=110, cause="its time is used up")


def _attempt(trial: int, attempt: int, value: float | None, path: str = "", **ending: Any) -> Iterator[Event]:
    named = {"trial": trial, "attempt": attempt}
    yield AttemptStarted(time=102, slot="slot-0", node="node-a", **named)
    if value is not None:
        yield Reported(time=103, epoch=1, metrics={"loss": value}, **named)
    if path:
        yield CheckpointSaved(time=103, epoch=1, path=path, sha256="", size=16, **named)
    yield AttemptEnded(time=104, **named, **ending)
