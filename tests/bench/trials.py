"""Trials per second on four slots, beside the same function through one Spark job per trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.studies import plan_study
from tinderbox.api.sweep import run
from tinderbox.spark.session import open_session
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GOAL = 20.0
SLOTS = 4
TRIALS = 1000
JOBS = 60
MASTER = f"local-cluster[{SLOTS},1,1024]"
REPETITIONS = 2


def measure() -> list[Row]:
    """Measure process isolation, reuse and one job per trial, in turns."""
    found: dict[str, list[float]] = {"process": [], "reuse": [], "jobs": []}
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch, opened_spark() as spark:
        run_jobs(spark, 2 * SLOTS)
        for repetition in range(REPETITIONS):
            for isolation in ("process", "reuse"):
                found[isolation].append(run_trials(spark, Path(scratch) / f"{isolation}-{repetition}", isolation))
            found["jobs"].append(run_jobs(spark, JOBS))
    return [
        Row(
            f"{TRIALS:,} no-op trials on {SLOTS} slots, {MASTER}, {what}",
            spread(found[isolation], "a second"),
            f"one Spark job per trial from {SLOTS} threads ({JOBS} jobs): {spread(found['jobs'], 'a second', 1)}",
            spread(ratios(found[isolation], found["jobs"]), "x"),
            f">= {GOAL:.0f}x",
            quantile(ratios(found[isolation], found["jobs"]), 0.5) >= GOAL,
        )
        for isolation, what in (("process", "process isolation"), ("reuse", "reuse"))
    ]


@contextmanager
def opened_spark() -> Iterator[SparkSession]:
    """Keep executors of their own processes until the block ends."""
    spark = open_session(plan_study("nothing", {}, budget={"trials": 1}).job, MASTER, pod=None)
    try:
        yield spark
    finally:
        spark.stop()


def run_trials(spark: SparkSession, folder: Path, isolation: str) -> float:
    """Run a study as a user does and return its trials per second, from the first lease to the last end."""
    plan = plan_study(
        "nothing", {}, isolation=isolation, slots=SLOTS, budget={"trials": TRIALS}, preload=[], storage=str(folder)
    )
    return TRIALS / seconds_of(run(plan, spark).record)


def seconds_of(study: Study) -> float:
    """Return the time from the first lease to the last end."""
    attempts = [attempt for trial in study.ended for attempt in trial.attempts]
    return max(attempt.ended or 0.0 for attempt in attempts) - min(attempt.started for attempt in attempts)


def run_jobs(spark: SparkSession, count: int) -> float:
    """Run the function in a Spark job for each trial, as SparkTrials and joblib-spark do; return trials per second."""
    context = spark.sparkContext

    def run_one(x: float) -> float:
        return context.parallelize([x], 1).map(lambda value: value).collect()[0]

    begin = time.monotonic()
    with ThreadPoolExecutor(SLOTS) as pool:
        list(pool.map(run_one, [number / count for number in range(count)]))
    return count / (time.monotonic() - begin)
