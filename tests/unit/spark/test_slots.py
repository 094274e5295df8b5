"""Slots are kept until the study is over: submitted again when they fail, given up when they never come."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyspark import SparkContext
from pyspark.resource import ResourceInformation

from tinderbox.allowance import Share
from tinderbox.spark import jobs as module
from tinderbox.spark import slots
from tinderbox.spark.jobs import first_line, task_name, task_number
from tinderbox.spark.slots import SlotJobs, SlotPlan, hold_slot
from tinderbox.sweeping.objective import Objective

PLAN = SlotPlan(
    study="small",
    url="http://127.0.0.1:1",
    token="secret",  # noqa: S106
    objective=Objective("module:function"),
    metrics=("loss",),
    data="0123456789abcdef",
    preload=(),
    repeat=False,
    cores=1,
)


class Spark:
    """Runs `job` with the slot's name where Spark would run a job; False says that the slot's executor goes."""

    def __init__(self, job: Callable[[str], bool | None]) -> None:
        self.job, self.cancelled, self.destroyed = job, list[str](), False
        self._name = ""

    def broadcast(self, archive: bytes) -> Spark:
        """Return what can be destroyed."""
        return self

    def destroy(self) -> None:
        """Note that the data was let go."""
        self.destroyed = True

    def setJobGroup(self, group: str, description: str, interruptOnCancel: bool) -> None:  # noqa: N802, N803
        """Do nothing."""

    def parallelize(self, names: list[str], partitions: int) -> Any:
        """Return a data set of one slot's name."""
        spark = self

        class Rows:
            def map(self, function: Callable[[str], bool]) -> Any:
                return self

            def collect(self) -> list[bool]:
                return [spark.job(names[0]) is not False]

        return Rows()

    def cancelJobGroup(self, group: str) -> None:  # noqa: N802
        """Note what was cancelled."""
        self.cancelled.append(group)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses, and threads that need no session."""
    monkeypatch.setattr(module, "_LONGEST_BACKOFF", 0.0)
    monkeypatch.setattr(module, "InheritableThread", threading.Thread)


def keep(spark: Spark, left: Callable[[str, str], bool], count: int = 1) -> SlotJobs:
    """Return started slots."""
    jobs = SlotJobs(cast("SparkContext", spark), PLAN, b"", count, left)
    jobs.start()
    return jobs


def test_a_slot_that_ends_well_is_not_submitted_again() -> None:
    """Each slot is one job, and the data is let go when all have ended."""
    names: list[str] = []
    spark = Spark(names.append)
    jobs = keep(spark, lambda name, cause: True, count=3)
    jobs.stop(5)
    assert sorted(names) == ["slot-0", "slot-1", "slot-2"]
    assert jobs.failure is None
    assert spark.destroyed
    assert spark.cancelled == []


def test_a_slot_that_worked_is_submitted_again_without_end() -> None:
    """A slot that had work before it was lost comes back under a new name, however often that happens."""
    names, told, over = list[str](), list[tuple[str, str]](), threading.Event()

    def job(name: str) -> None:
        names.append(name)
        if len(names) <= 12:
            raise OSError("worker exited")
        over.set()

    def left(name: str, cause: str) -> bool:
        told.append((name, cause))
        return True

    jobs = keep(Spark(job), left)
    assert over.wait(5)
    jobs.stop(5)
    assert names == ["slot-0", *(f"slot-0.{number}" for number in range(1, 13))]
    assert told == [(name, "worker exited") for name in names[:-1]]
    assert jobs.failure is None


def test_a_slot_whose_executor_goes_is_submitted_for_another() -> None:
    """As often as that happens, and though it never came to ask for work: executors that go are no failure of slots."""
    names, told, over = list[str](), list[tuple[str, str]](), threading.Event()

    def job(name: str) -> bool:
        names.append(name)
        if len(names) > 12:
            over.set()
        return len(names) > 12

    def left(name: str, cause: str) -> bool:
        told.append((name, cause))
        return False

    jobs = keep(Spark(job), left)
    assert over.wait(5)
    jobs.stop(5)
    assert names == ["slot-0", *(f"slot-0.{number}" for number in range(1, 13))]
    assert told == [(name, "its executor is being taken away") for name in names[:-1]]
    assert jobs.failure is None


def test_a_slot_that_leaves_at_the_end_is_not_submitted_again() -> None:
    """The study is over, so nobody is told."""
    began, told = threading.Event(), list[str]()

    def job(name: str) -> bool:
        began.set()
        return not jobs._stopping.wait(5)

    jobs = SlotJobs(cast("SparkContext", Spark(job)), PLAN, b"", 1, lambda name, cause: bool(told.append(name)))
    jobs.start()
    assert began.wait(5)
    jobs.stop(5)
    assert told == []


def test_slots_come_and_go(eventually: Callable[[Callable[[], bool], float], bool]) -> None:
    """More are submitted at once; those that are too many end when they are dismissed, and may come back."""
    names, gates = list[str](), {f"slot-{number}": threading.Event() for number in range(3)}
    told: list[tuple[str, str]] = []

    def job(name: str) -> None:
        names.append(name)
        gates.setdefault(name, threading.Event()).wait(5)

    def left(name: str, cause: str) -> bool:
        told.append((name, cause))
        return True

    jobs = keep(Spark(job), left, count=1)
    jobs.scale(3)
    assert eventually(lambda: sorted(names) == ["slot-0", "slot-1", "slot-2"], 5)
    jobs.scale(1)
    for name in ("slot-1", "slot-2"):
        gates[name].set()  # the coordinator has dismissed it
    assert eventually(
        lambda: sorted(told) == [(name, "there are to be fewer slots") for name in ("slot-1", "slot-2")], 5
    )
    jobs.scale(2)
    assert eventually(lambda: names[3:] == ["slot-1.1"], 5)
    for gate in gates.values():
        gate.set()
    jobs.stop(5)
    assert names[3:] == ["slot-1.1"]
    assert jobs.failure is None


@pytest.mark.parametrize(("name", "number"), [("slot-0", 0), ("slot-12.3", 12), ("slot-7+1", 7), ("slot-7.2+1", 7)])
def test_the_number_of_a_slot(name: str, number: int) -> None:
    """However often it was submitted again, or Spark has tried it."""
    assert task_number(name) == number


def test_a_slot_that_never_comes_is_given_up() -> None:
    """Five jobs in a row that never asked for work end the study with the cause."""
    ended = threading.Event()

    def job(name: str) -> None:
        if name == "slot-0.4":
            ended.set()
        raise RuntimeError("No module named 'tinderbox'")

    jobs = keep(Spark(job), lambda name, cause: False)
    assert ended.wait(5)
    jobs.stop(5)
    assert str(jobs.failure) == "slot 0 failed 5 times, the last time: No module named 'tinderbox'"


def test_a_late_slot_is_cancelled_without_a_word() -> None:
    """A job that outlives its grace is cancelled; that it fails then is no news, and its data stays."""
    told, cancelled = list[str](), threading.Event()

    def job(name: str) -> None:
        cancelled.wait(5)
        raise RuntimeError("Job 0 cancelled")

    spark = Spark(job)
    spark.cancelJobGroup = lambda group: cancelled.set()  # type: ignore[method-assign]
    jobs = keep(spark, lambda name, cause: bool(told.append(name)))
    jobs.stop(0.1)
    assert cancelled.is_set()
    assert told == []
    assert not spark.destroyed


def test_slots_whose_java_has_ended_are_stopped() -> None:
    """Nothing can be cancelled or let go any more, and nothing is said about it."""

    class Dead(Spark):
        def destroy(self) -> None:
            raise ConnectionRefusedError(111, "Connection refused")

    jobs = keep(Dead(lambda name: None), lambda name, cause: True)
    jobs.stop(5)
    assert jobs.failure is None


def test_names_of_slots() -> None:
    """A slot's name tells how often it was submitted again."""
    assert [task_name("slot", 3, 0), task_name("slot", 3, 2)] == ["slot-3", "slot-3.2"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("An error occurred\n: org.apache.spark.SparkException: Job aborted\n\tat a.b.C", None),
        ("Traceback\n  File x\nModuleNotFoundError: No module named 'y'\n\n\tat a.b.C", None),
        ("only this", "only this"),
        ("", "ValueError"),
    ],
)
def test_the_line_of_a_spark_exception_that_matters(message: str, line: str | None) -> None:
    """Of pages of Java frames, the line with the error is kept; an empty message leaves the type."""
    wanted = line or next(part for part in message.split("\n") if "Error: " in part or "Exception: " in part)
    assert first_line(ValueError(message)) == wanted


class Idle:
    """Stands for a slot: keeps how it was made, and ends at once."""

    made: list[Any]

    def __init__(self, settings: Any, work: Any, door: Any, is_leaving: Callable[[], bool], meter: Any) -> None:
        self.made.append((settings, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["OMP_NUM_THREADS"]))
        self.leaving = is_leaving()

    def run(self) -> int:
        """Run nothing."""
        return 0


@pytest.mark.parametrize("going", [False, True])
def test_a_slot_is_told_what_its_executor_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, going: bool) -> None:
    """Its own GPU and threads before anything is started, its share of the memory, and whether the executor goes."""
    for name in ("CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH", "OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "")
    for name in ("TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "")
    task = SimpleNamespace(attemptNumber=lambda: 2, resources=lambda: {"gpu": ResourceInformation("gpu", ["3"])})
    monkeypatch.setattr(slots.TaskContext, "get", lambda: task)
    monkeypatch.setattr(slots.SparkFiles, "getRootDirectory", lambda: str(tmp_path))
    monkeypatch.setattr(slots, "unpack", lambda read, folder: None)
    monkeypatch.setattr(slots, "find_share", lambda heap, together: Share(4 << 30, heap, together))
    monkeypatch.setattr(slots, "Slot", Idle)
    monkeypatch.setattr(Idle, "made", made := [], raising=False)
    notice = tmp_path / "notice"
    monkeypatch.setenv("TINDERBOX_DECOMMISSION", str(notice))
    if going:
        notice.touch()
    plan = replace(PLAN, cores=2, heap=1 << 30, neighbours=3)
    assert hold_slot("slot-4", plan, cast("Any", SimpleNamespace(value=b""))) is not going
    ((settings, gpus, threads),) = made
    assert (settings.name, settings.share) == ("slot-4+2", Share(4 << 30, 1 << 30, 3))
    assert (gpus, threads) == ("3", "2")
