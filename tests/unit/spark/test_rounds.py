"""Rounds of mode averaging: shares and the tree above them, lost and frozen ones, and what is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from pyspark import SparkContext

from tinderbox.config import check_train
from tinderbox.failure import Failure
from tinderbox.spark import rounds
from tinderbox.spark.rounds import SparkRounds, Telling, count_tasks
from tinderbox.training.averaging.hearing import Hearing
from tinderbox.training.averaging.held import Bench
from tinderbox.training.averaging.pulses import Pulse, Pulses
from tinderbox.training.averaging.rounds import Answer, Begin, RoundLost, Train, Work
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Counts, Position, Sums
from tinderbox.training.state import State

JOB = check_train({"kind": "train", "name": "small", "model": "lenet5", "epochs": 1, "mode": "averaging"}, "test")
RECIPE = Recipe(JOB, None, None, (8, 8, 1), 10, 100, 10, "0123456789abcdef")
WORK = Train(Position(), 5)
STATE = State(np.ones(3, np.float32), np.zeros(1, np.int64))


class Rows:
    """A data set of Spark: partitions, each a list."""

    def __init__(self, partitions: list[list[Any]], spark: Spark) -> None:
        self.partitions, self.spark = partitions, spark

    def map(self, function: Callable[[Any], Any]) -> Rows:
        """Return what a function makes of each row."""
        return Rows([[function(row) for row in rows] for rows in self.partitions], self.spark)

    def mapPartitions(self, function: Callable[[Iterable[Any]], Iterator[Any]]) -> Rows:  # noqa: N802
        """Return what a function makes of each partition."""
        return Rows([list(function(rows)) for rows in self.partitions], self.spark)

    def mapPartitionsWithIndex(self, function: Callable[[int, Iterable[Any]], Iterator[Any]]) -> Rows:  # noqa: N802
        """Return what a function makes of each partition and its number."""
        return Rows([list(function(number, rows)) for number, rows in enumerate(self.partitions)], self.spark)

    def partitionBy(self, count: int, place: Callable[[Any], int]) -> Rows:  # noqa: N802
        """Return pairs in partitions by their keys; a shuffle brings them in any order."""
        self.spark.shuffles.append(count)
        pairs = [pair for rows in reversed(self.partitions) for pair in rows]
        return Rows([[pair for pair in pairs if place(pair[0]) == number] for number in range(count)], self.spark)

    def values(self) -> Rows:
        """Return the values of pairs."""
        return self.map(lambda pair: pair[1])

    def collect(self) -> list[Any]:
        """Return all rows, or raise what the job fails by."""
        self.spark.before()
        return [row for rows in self.partitions for row in rows]


class Spark:
    """As much of a Spark context as a round needs; `before` is called when a job would run."""

    def __init__(self) -> None:
        self.before: Callable[[], None] = lambda: None
        self.groups, self.cancelled = list[tuple[str, bool]](), list[str]()
        self.shuffles, self.held = list[int](), list[Any]()
        self.stage = SimpleNamespace(numActiveTasks=0, numFailedTasks=0)

    def broadcast(self, value: Any) -> Any:
        """Hold a value until it is destroyed."""
        held = SimpleNamespace(value=value)
        held.destroy = lambda: self.held.remove(held)
        self.held.append(held)
        return held

    def setJobGroup(self, group: str, description: str, interruptOnCancel: bool) -> None:  # noqa: N802, N803
        """Note the group."""
        self.groups.append((group, interruptOnCancel))

    def parallelize(self, rows: Iterable[int], partitions: int) -> Rows:
        """Return a row in each partition."""
        return Rows([[row] for row in rows], self)

    def cancelJobGroup(self, group: str) -> None:  # noqa: N802
        """Note what was cancelled."""
        self.cancelled.append(group)

    def statusTracker(self) -> Any:  # noqa: N802
        """Return what knows of one stage of one job, and of another that is gone."""
        return SimpleNamespace(
            getJobIdsForGroup=lambda group: [4, 5],
            getJobInfo=lambda job: SimpleNamespace(stageIds=[7, 8]) if job == 4 else None,
            getStageInfo=lambda stage: self.stage if stage == 7 else None,
        )


class Ear:
    """Pulses on simulated time, a second for each look."""

    def __init__(self) -> None:
        self.pulses, self.now = Pulses(), 0.0

    def call(self, action: Callable[[Pulses, float], Any]) -> Any:
        """Do as the server does."""
        self.now += 1
        return action(self.pulses, self.now)


@pytest.fixture(autouse=True)
def beaten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Pulse]:
    """Which tasks have said that they are alive; threads need no session, and nothing is waited for."""
    said: list[Pulse] = []

    @contextmanager
    def beating(url: str, token: str, pulse: Pulse) -> Iterator[None]:
        assert (url, token) == ("http://driver", "secret")
        said.append(pulse)
        yield

    monkeypatch.setattr(rounds, "beating", beating)
    monkeypatch.setattr(rounds, "InheritableThread", threading.Thread)
    monkeypatch.setattr(rounds, "SparkFiles", SimpleNamespace(getRootDirectory=lambda: str(tmp_path)))
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(rounds, "_LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(rounds, "_GRACE_SECONDS", 5.0)
    monkeypatch.setattr(rounds, "find_place", lambda: ("node-a", "pod-b"))
    return said


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> list[Bench]:
    """Where shares were done, of which rank r answers with r + 1 examples and a state of 1.5 to the r."""
    benches: list[Bench] = []

    def do_share(work: Work, state: State, bench: Bench) -> Answer:
        assert work == WORK
        benches.append(bench)
        floats = (state.floats * 1.5**bench.rank).astype(np.float32)
        counts = Counts(5, bench.rank + 1)
        return Answer(
            bench.rank + 1, State(floats, state.integers), places=(bench.place,), sums=Sums(1, {}), counts=counts
        )

    monkeypatch.setattr(rounds, "do_share", do_share)
    return benches


def make(spark: Spark, depth: int = 2, archive: bytes | None = None, **more: Any) -> SparkRounds:
    """Return rounds on a Spark."""
    ear = more.pop("ear", Ear())
    recipe = more.pop("recipe", RECIPE)
    telling = Telling("http://driver", "secret")
    return SparkRounds(
        cast("SparkContext", spark), recipe, archive or _zip(), depth, cast("Hearing", ear), telling, **more
    )


def _zip() -> bytes:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x_train.npy", b"data")
    return buffer.getvalue()


def test_a_round_has_a_task_for_each_share(shared: list[Bench], beaten: list[Pulse], tmp_path: Path) -> None:
    """Each finds data and code in the executor's scratch folder, and says that it is alive."""
    spark = Spark()
    answer = make(spark).run(WORK, STATE, 3)
    assert [bench.rank for bench in shared] == [0, 1, 2]
    assert {bench.place[1:] for bench in shared} == {("node-a", "pod-b")}
    data = tmp_path / "tinderbox-small" / "data-0123456789abcdef"
    assert {bench.data for bench in shared} == {data}
    assert (data / "x_train.npy").read_bytes() == b"data"
    assert [(pulse.share, pulse.new) for pulse in beaten] == [(f"share {rank}", True) for rank in range(3)]
    assert answer.weight == 6
    np.testing.assert_allclose(answer.state.floats, (1 + 2 * 1.5 + 3 * 2.25) / 6)
    assert answer.again == ()
    ((group, interrupts),) = spark.groups
    assert group.startswith("tinderbox-small-round-")
    assert interrupts, "or a frozen Python worker would stay"


def test_a_round_leaves_nothing_behind(shared: list[Bench]) -> None:
    """The state of each round is let go of, and all else in the end."""
    spark = Spark()
    made = make(spark)
    for _ in range(3):
        made.run(WORK, STATE, 2)
        assert len(spark.held) == 2, "recipe and data"
    assert len({group for group, _ in spark.groups}) == 3, "a job that is cancelled takes no later one with it"
    made.close()
    assert spark.held == []


@pytest.mark.parametrize(
    ("shares", "depth", "shuffles"),
    [(1, 2, []), (2, 2, []), (4, 2, []), (6, 2, [2]), (9, 2, [3]), (9, 1, []), (40, 2, [6]), (40, 3, [10, 3])],
)
def test_the_tree_averages_in_the_order_of_ranks(
    shares: int, depth: int, shuffles: list[int], shared: list[Bench], beaten: list[Pulse]
) -> None:
    """As deep as is told where that helps; whatever order a shuffle has, the result is the same, bit by bit."""
    spark = Spark()
    answer = make(spark, depth).run(WORK, STATE, shares)
    assert spark.shuffles == shuffles
    assert [place[0] for place in answer.places] == list(range(shares))
    assert answer.weight == shares * (shares + 1) // 2
    weights = np.arange(1, shares + 1)
    expected = np.average((1.5 ** np.arange(shares)).astype(np.float32), weights=weights)
    np.testing.assert_allclose(answer.state.floats, expected, rtol=1e-6)
    assert len([pulse for pulse in beaten if pulse.share.startswith("sum")]) == sum(shuffles)
    again = make(Spark(), depth).run(WORK, STATE, shares)
    assert again.state.floats.tobytes() == answer.state.floats.tobytes()


def test_a_share_that_spark_computes_again_says_so(shared: list[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """With its place, for the log."""
    context = SimpleNamespace(attemptNumber=lambda: 1, resources=dict)
    monkeypatch.setattr(rounds, "TaskContext", SimpleNamespace(get=lambda: context))
    assert make(Spark()).run(WORK, STATE, 2).again == ((0, "node-a", "pod-b"), (1, "node-a", "pod-b"))


def test_a_share_that_cannot_be_done_for_now_loses_the_round(
    shared: list[Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its place, after a pause; but where another share has failed, the round would fail again."""
    pauses: list[int] = []
    monkeypatch.setattr(SparkRounds, "_pause", lambda self: pauses.append(1))
    told = Failure("t.parquet cannot be read", "Traceback ...")

    def do_share(work: Work, state: State, bench: Bench) -> Answer:
        if bench.rank == 1:
            return Answer(passing=(bench.place, told))
        return Answer(failed=(bench.place, told)) if bench.rank == 2 else Answer()

    monkeypatch.setattr(rounds, "do_share", do_share)
    made = make(Spark())
    with pytest.raises(RoundLost, match=r"^t\.parquet cannot be read$") as raised:
        made.run(WORK, STATE, 2)
    lost = raised.value
    assert (lost.outcome, lost.details, lost.place) == ("lost", "Traceback ...", (1, "node-a", "pod-b"))
    assert pauses == [1], "or all attempts would be over in a moment"
    assert made.run(WORK, STATE, 3).failed == ((2, "node-a", "pod-b"), told)


GIVEN_UP = ": org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 in stage 3.0 failed 4 times"
LOST = (
    f"{GIVEN_UP}, most recent failure: Lost task 1.3 in stage 3.0 (TID 9) (10.0.0.7 executor 2): ExecutorLostFailure "
    "(executor 2 exited caused by one of the running tasks) Reason: The executor with id 2 exited with exit code "
    "137(SIGKILL, possible container OOM).\nDriver stacktrace:\n"
)
KILLED = f"{GIVEN_UP}: org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)\n\tat org.apache\n"


@pytest.mark.parametrize(
    ("text", "outcome", "cause"),
    [
        (LOST, "lost", r"Spark has given a share up: executor 2: The executor .* exit code 137\(SIGKILL, possible"),
        (KILLED, "killed", "was killed each time that Spark tried it"),
        ("py4j.Py4JException: Error: no more disk", "lost", "Spark has given a round up: py4j.Py4JException: Error"),
    ],
)
def test_a_round_that_spark_gives_up_is_lost(text: str, outcome: str, cause: str, shared: list[Bench]) -> None:
    """With a cause in one line; the next one is a new job."""
    spark = Spark()
    made = make(spark)

    def fail() -> None:
        raise RuntimeError(text)

    spark.before = fail
    with pytest.raises(RoundLost, match=cause) as raised:
        made.run(WORK, STATE, 2)
    assert raised.value.outcome == outcome
    assert "\n" not in raised.value.cause
    spark.before = lambda: None
    assert made.run(WORK, STATE, 2).weight == 3


def test_a_frozen_task_is_cancelled(shared: list[Bench]) -> None:
    """Spark counts two tasks and one is heard of: the job group is cancelled, and the round lost as frozen."""
    spark, ear = Spark(), Ear()
    spark.stage.numActiveTasks = 2
    cancelled = threading.Event()

    def hang() -> None:
        while not spark.cancelled:
            ear.pulses.hear(Pulse(1, "share 0", "node-a"), ear.now)
            cancelled.wait(0.005)

    spark.before = hang
    with pytest.raises(RoundLost, match="1 of 2 tasks said nothing for 22 s") as raised:
        make(spark, ear=ear).run(WORK, STATE, 2)
    assert raised.value.outcome == "frozen"
    assert spark.cancelled == [spark.groups[0][0]]


def test_new_processes_have_longer(shared: list[Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first round, and where a task has failed and another one takes its place."""
    looks: list[tuple[bool, int]] = []
    monkeypatch.setattr(Pulses, "find_frozen", lambda self, running, failed, now: looks.append((self._cold, failed)))
    monkeypatch.setattr(rounds, "do_share", lambda work, state, bench: Answer(places=(bench.place,)))
    spark = Spark()
    spark.stage.numFailedTasks = 3
    spark.before = lambda: threading.Event().wait(0.1)  # type: ignore[assignment]  # what it returns is not looked at
    made = make(spark)
    made.run(Begin(), STATE, 1)
    assert set(looks) == {(True, 3)}
    looks.clear()
    made.run(WORK, STATE, 1)
    assert set(looks) == {(False, 3)}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_the_watch_raises_ends_the_round(error: type[BaseException], shared: list[Bench]) -> None:
    """Ctrl-C, or executors that do not come: the job does not run on."""
    spark = Spark()

    def hang() -> None:
        while not spark.cancelled:
            threading.Event().wait(0.005)
        raise RuntimeError("cancelled")

    def watch() -> None:
        raise error

    spark.before = hang
    with pytest.raises(error):
        make(spark, watch=watch).run(WORK, STATE, 2)
    assert spark.cancelled == [spark.groups[0][0]]


def test_tasks_are_counted_over_the_stages_that_are_known() -> None:
    """Spark forgets old ones."""
    spark = Spark()
    spark.stage.numActiveTasks, spark.stage.numFailedTasks = 3, 1
    assert count_tasks(cast("SparkContext", spark), "group") == (3, 1)
