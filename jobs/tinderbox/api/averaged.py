"""Runs a training in mode averaging: all of its state is in this process, and what workers do are Spark stages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tinderbox.api.books import Ledger
from tinderbox.api.driver import address_of
from tinderbox.api.guard import guarded
from tinderbox.api.infer import Standing
from tinderbox.api.training import TrainPlan
from tinderbox.api.watcher import TrainWatcher
from tinderbox.config.train import Averaging
from tinderbox.data import pack
from tinderbox.training.averaging.averager import Averager
from tinderbox.training.averaging.hearing import Hearing
from tinderbox.training.history import Training
from tinderbox.training.record import RunBegan
from tinderbox.training.records import Counts, Position
from tinderbox.training.status import TrainStatus, take_status

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Course:
    """Where a training stands between two rounds, for those who follow it."""

    def __init__(self, plan: TrainPlan, training: Training) -> None:
        self._examples, self._workers = plan.recipe.examples, plan.job.workers
        self._training = training
        self._at, self._counts = Position(), Counts()

    def take(self, at: Position, counts: Counts) -> None:
        """Note where training stands, and what its epoch has cost so far."""
        self._at, self._counts = at, counts

    def status(self) -> TrainStatus:
        """Return where it stands."""
        training, at, counts = self._training, self._at, self._counts
        running = training.running is not None
        return take_status(
            training,
            time.time(),
            workers=self._workers if running else 0,
            step=at.step if running else None,
            share=at.examples / self._examples if running else 0.0,
            rate=counts.examples / counts.seconds if running and counts.seconds else None,
        )


def run_averaged(
    plan: TrainPlan, ledger: Ledger, course: Course, token: str, spark: SparkSession, watcher: TrainWatcher
) -> None:
    """Train to the end, or go on to it.

    Raises:
        TinderboxError: A share has failed, training has diverged, or executors are lost again and again.
    """
    from tinderbox.spark.rounds import SparkRounds, Telling
    from tinderbox.spark.session import check_java
    from tinderbox.spark.streams import count_slots

    job, training, context = plan.job, ledger.training, spark.sparkContext
    assert isinstance(job.mode, Averaging)  # noqa: S101 - as the caller has seen
    began = RunBegan(time=time.time(), generation=training.generation + 1, workers=job.workers, epochs=job.epochs)
    ledger.note(began)
    watcher.tell("averaging")
    with guarded(context, job.workers) as guard, heard(course, token, spark) as (hearing, url):

        def watch() -> None:
            check_java()
            status = course.status()
            watcher.show(status)
            guard(Standing(count_slots(spark, job), status.epoch))

        archive = None if plan.data is None else pack(plan.data)
        rounds = SparkRounds(context, plan.recipe, archive, job.mode.depth, hearing, Telling(url, token), watch)
        try:
            Averager(job, job.mode, rounds, ledger, time.time, course.take).run()
        finally:
            rounds.close()
    watcher.show(course.status())


@contextmanager
def heard(course: Course, token: str, spark: SparkSession) -> Iterator[tuple[Hearing, str]]:
    """Hear what tasks say of themselves until the block ends, at a URL."""
    context = spark.sparkContext
    host, port = address_of(context), int(context.getConf().get("spark.tinderbox.coordinator.port") or 0)
    hearing = Hearing(token, course.status)
    try:
        # Where the port is fixed, in a pod, those who follow come through a port-forward, from the loopback.
        yield hearing, f"http://{host}:{hearing.start(None if port else host, port)}"
    finally:
        hearing.stop()
