"""Rounds of mode averaging as ordinary Spark stages: a task for each share, and a tree that averages what they say.

Nothing waits for all tasks to run at the same time: with fewer executors than shares, shares queue, and a lost executor
costs the shares that it had, which Spark computes again elsewhere.
"""

from __future__ import annotations

import hashlib
import logging
import math
import pickle
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import RDD, Broadcast, InheritableThread, SparkContext, SparkFiles, TaskContext

from tinderbox.metrics.meter import find_meter
from tinderbox.process import set_gpus, set_threads
from tinderbox.spark.executor import find_gpus, find_place
from tinderbox.spark.jobs import first_line
from tinderbox.training.averaging.held import Bench, is_new
from tinderbox.training.averaging.pulses import Pulse
from tinderbox.training.averaging.pulsing import beating
from tinderbox.training.averaging.rounds import Answer, Begin, RoundLost, Work, join
from tinderbox.training.averaging.shares import do_share
from tinderbox.training.code import lay_out
from tinderbox.training.recipe import Recipe
from tinderbox.training.record import Outcome
from tinderbox.training.state import State

if TYPE_CHECKING:
    from tinderbox.training.averaging.hearing import Hearing  # executors do without its server

LOG = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_GRACE_SECONDS = 10.0
"""For so long a cancelled job may take to end; Spark kills a Python worker that does not end by itself after two."""

_LONGEST_PAUSE = 30.0
_LONGEST_REASON = 400

Numbered = tuple[int, Answer]


@dataclass(frozen=True)
class Telling:
    """Where tasks say that they are alive: the driver's address and its token, and the round that they belong to."""

    url: str
    token: str = field(repr=False)
    round: int = 0


class SparkRounds:
    """Runs rounds on Spark; `watch` is called several times a second, and what it raises ends the round.

    `archive` is the packed data set, None where workers read shards, and `depth` how many levels the tree has.
    """

    def __init__(
        self,
        spark: SparkContext,
        recipe: Recipe,
        archive: bytes | None,
        depth: int,
        hearing: Hearing,
        telling: Telling,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._spark, self._name, self._depth = spark, recipe.job.name, depth
        self._hearing, self._telling, self._watch = hearing, telling, watch
        self._key = hashlib.sha256(pickle.dumps(recipe)).hexdigest()
        self._recipe, self._data = spark.broadcast(recipe), spark.broadcast(archive)
        self._failures = 0

    def run(self, work: Work, state: State, shares: int) -> Answer:
        """Have `shares` tasks do their shares from a state, and return their answers joined.

        Raises:
            RoundLost: Spark has given a share up, one is frozen, or one could not be done for now.
        """
        number = self._hearing.call(lambda pulses, now: pulses.begin(cold=isinstance(work, Begin)))
        group, told = f"tinderbox-{self._name}-round-{number}", self._spark.broadcast(state)
        shared = _Shared(
            self._name, self._key, work, self._recipe, self._data, told, replace(self._telling, round=number)
        )
        job = _Job(self._spark, group, shared, shares, self._depth)
        job.start()
        try:
            self._wait(job, group)
        except BaseException:
            self._cancel(job, group)
            raise
        told.destroy()  # where a task may still run, that is left to Spark's own cleaner
        if job.failure is not None:
            self._pause()
            raise RoundLost(*explain(job.failure))
        answer = join(job.answers)
        if answer.passing is not None and answer.failed is None:
            self._pause()
            place, failure = answer.passing
            raise RoundLost("lost", failure.cause, failure.details, place)
        self._failures = 0
        return answer

    def close(self) -> None:
        """Let go of what executors hold."""
        with suppress(Py4JError, OSError):  # Java may have ended
            self._data.destroy()
            self._recipe.destroy()

    def _wait(self, job: _Job, group: str) -> None:
        """Return once a job has ended.

        Raises:
            RoundLost: A task is frozen.
        """
        while job.is_alive():
            job.join(_LOOK_SECONDS)
            self._watch()
            if job.is_alive() and (frozen := self._find_frozen(group)) is not None:
                raise RoundLost("frozen", frozen)

    def _find_frozen(self, group: str) -> str | None:
        running, failed = count_tasks(self._spark, group)
        return self._hearing.call(lambda pulses, now: pulses.find_frozen(running, failed, now))

    def _cancel(self, job: _Job, group: str) -> None:
        with suppress(Py4JError, OSError):  # Java may have ended
            self._spark.cancelJobGroup(group)
        job.join(_GRACE_SECONDS)

    def _pause(self) -> None:
        """Wait before a round is run again, longer each time: what Spark refuses at once, it may take in a while."""
        self._failures += 1
        deadline = time.monotonic() + min(2.0**self._failures, _LONGEST_PAUSE)
        while time.monotonic() < deadline:
            self._watch()
            time.sleep(_LOOK_SECONDS)


class _Job:
    """The Spark job of a round, in a thread of its own: its `answers` by rank, or its `failure`."""

    def __init__(self, spark: SparkContext, group: str, shared: _Shared, shares: int, depth: int) -> None:
        self._spark, self._group, self._shared, self._shares, self._depth = spark, group, shared, shares, depth
        self.answers: list[Answer] = []
        self.failure: Exception | None = None
        self._thread = InheritableThread(target=self._run, daemon=True)
        self.start, self.join, self.is_alive = self._thread.start, self._thread.join, self._thread.is_alive

    def _run(self) -> None:
        shared, told = self._shared, f"{self._shared.work} of training {self._shared.name}"
        try:
            self._spark.setJobGroup(self._group, told, interruptOnCancel=True)
            shares = self._spark.parallelize(range(self._shares), self._shares).mapPartitions(shared.do)
            self.answers = [answer for _, answer in sorted(plant(shares, self._shares, self._depth, shared).collect())]
        except Exception as error:
            self.failure = error


@dataclass(frozen=True)
class _Shared:
    """What all tasks of a round are told; it travels in Spark's closure."""

    name: str
    key: str
    work: Work
    recipe: Broadcast[Recipe]
    data: Broadcast[bytes | None]
    state: Broadcast[State]
    telling: Telling

    def do(self, ranks: Iterable[int]) -> Iterator[Numbered]:
        """Do a share, in a Python worker of an executor."""
        for rank in ranks:
            with self._beating(f"share {rank}") as (node, host):
                yield rank, self._do(rank, node, host)

    def add(self, part: int, answers: Iterable[Numbered]) -> Iterator[Numbered]:
        """Join the answers of some shares to one, in the order of their ranks."""
        with self._beating(f"sum {part}"):
            ordered = sorted(answers, key=lambda numbered: numbered[0])
            if ordered:
                yield part, join([answer for _, answer in ordered])

    @contextmanager
    def _beating(self, share: str) -> Iterator[tuple[str, str]]:
        place, telling = find_place(), self.telling
        with beating(telling.url, telling.token, Pulse(telling.round, share, place[0], is_new(self.key))):
            yield place

    def _do(self, rank: int, node: str, host: str) -> Answer:
        context, recipe = TaskContext.get(), self.recipe.value
        set_threads(recipe.job.cores)
        set_gpus(find_gpus(context))
        code, data = lay_out(Path(SparkFiles.getRootDirectory()), recipe, lambda: self.data.value or b"")
        bench = Bench(self.key, recipe, code, data, (rank, node, host), find_meter(self.name))
        answer = do_share(self.work, self.state.value, bench)
        return replace(answer, again=answer.places) if context and context.attemptNumber() else answer


def plant(answers: RDD[Numbered], count: int, depth: int, shared: _Shared) -> RDD[Numbered]:
    """Return answers joined in a tree of so many levels, the last of which is the driver's, as Spark's own has them.

    Spark's tree aggregation adds in the order in which answers come, and sums of real numbers depend on that; here
    neighbours are joined, in order, so that the same round has the same result.
    """
    scale = max(math.ceil(count ** (1 / depth)), 2)
    while count > scale + count / scale:
        count = math.ceil(count / scale)
        answers = _level(answers, count, scale, shared)
    return answers


def _level(answers: RDD[Numbered], count: int, scale: int, shared: _Shared) -> RDD[Numbered]:
    keyed = answers.map(lambda numbered: (numbered[0] // scale, numbered))
    parts = keyed.partitionBy(count, int).values()
    return parts.mapPartitionsWithIndex(shared.add)


def count_tasks(spark: SparkContext, group: str) -> tuple[int, int]:
    """Return how many tasks of a job group run now, as far as Spark knows, and how many have failed so far."""
    tracker = spark.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    found = [tracker.getStageInfo(stage) for job in jobs if job is not None for stage in job.stageIds]
    stages = [stage for stage in found if stage is not None]
    return sum(stage.numActiveTasks for stage in stages), sum(stage.numFailedTasks for stage in stages)


def explain(error: Exception) -> tuple[Outcome, str]:
    """Return how a round was lost that Spark has given up, and why."""
    text = str(error)
    if found := re.search(r"ExecutorLostFailure \((executor \S+).*?Reason: (.*)", text):
        return "lost", f"Spark has given a share up: {found[1]}: {found[2].strip()[:_LONGEST_REASON]}"
    if "Python worker exited unexpectedly" in text:
        return "killed", "the Python worker of a share was killed each time that Spark tried it"
    return "lost", f"Spark has given a round up: {first_line(error)}"
