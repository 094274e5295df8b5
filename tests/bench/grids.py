"""The Databricks study's 50 points on 1, 2 and 13 slots, against the best that list scheduling can do, and rivals.

Trials sleep for as long as they would train, in proportion: two cores cannot train on 13 slots, and what is measured
is what comes between the trials.
"""

from __future__ import annotations

import heapq
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.bench.functions import cost
from tests.bench.rows import Row
from tests.bench.studies import HERE
from tests.bench.trials import seconds_of
from tinderbox.api.plan import Plan, make_plan
from tinderbox.api.sweep import run
from tinderbox.config import check_sweep
from tinderbox.spark.session import open_session

if TYPE_CHECKING:
    import optuna
    from pyspark.sql import SparkSession

WIDTHS = (64, 128, 256, 512, 1024)
RATES = 10
SCALE = 4.0
"""Seconds of a trial of the default width."""

SLOTS = (1, 2, 13)
GOAL = 0.97


def measure() -> list[Row]:
    """Measure ours on every number of slots, and the rivals on the largest."""
    rows = []
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        alone = best_makespan(1)
        for slots in SLOTS:
            seconds = run_grid(slots, Path(scratch, str(slots)))
            share, speed = best_makespan(slots) / seconds, alone / seconds
            rows.append(
                Row(
                    f"{len(costs())} points of the Databricks grid on {slots} slots",
                    f"{seconds:.1f} s, {speed:.2f}x one slot",
                    f"longest first, without any overhead: {best_makespan(slots):.1f} s",
                    f"{share:.3f} of it",
                    f">= {GOAL}",
                    share >= GOAL,
                )
            )
        ours = seconds
        for rival, theirs in (
            ("Optuna, a process per slot on a journal", run_optuna(SLOTS[-1], Path(scratch, "journal.log"))),
            ("one Spark job per trial from a pool of threads", run_jobs(SLOTS[-1])),
        ):
            speed = f"{theirs:.1f} s, {alone / theirs:.2f}x one slot"
            rows.append(
                Row(f"the same on {SLOTS[-1]} slots: {rival}", speed, f"ours: {ours:.1f} s", f"{theirs / ours:.2f}x")
            )
    return rows


def costs() -> list[float]:
    """Return the seconds of every trial, in the grid's order."""
    return [SCALE * cost(width) for _ in range(RATES) for width in WIDTHS]


def best_makespan(slots: int) -> float:
    """Return the seconds of all trials, longest first, each on the first slot that is free (Graham 1969)."""
    return makespan(sorted(costs(), reverse=True), slots)


def makespan(lengths: Sequence[float], slots: int) -> float:
    """Return when the last trial ends if each begins, in order, on the first slot that is free."""
    free = [0.0] * slots
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def plan_grid(slots: int, folder: Path) -> Plan:
    """Return the plan of the study."""
    tree = {
        "kind": "sweep",
        "name": f"grid-{slots}",
        "objective": "functions:sleep",
        "code": ".",
        "preload": [],
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {
            "learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True, "grid": RATES},
            "width": {"type": "int", "low": 64, "high": 1024, "log": True, "grid": list(WIDTHS)},
            "scale": {"type": "choice", "choices": [SCALE]},
        },
        "search": {"method": "grid", "cost": ["width"]},
        "epochs": 1,
        "slots": slots,
        "storage": str(folder),
    }
    return make_plan(check_sweep(tree, "the bench"), HERE)


def run_grid(slots: int, folder: Path) -> float:
    """Run the study as a user does and return the seconds from its first lease to its last end."""
    plan = plan_grid(slots, folder)
    spark = open_session(plan.job, f"local[{slots}]", pod=None)
    try:
        return seconds_of(run(plan, spark).record)
    finally:
        spark.stop()


def run_jobs(slots: int) -> float:
    """Run each trial as a Spark job of its own from as many threads, as joblib-spark does; return the seconds."""
    spark: SparkSession = open_session(plan_grid(slots, Path()).job, f"local[{slots}]", pod=None)
    context = spark.sparkContext

    def run_one(seconds: float) -> None:
        context.parallelize([seconds], 1).foreach(time.sleep)

    try:
        with ThreadPoolExecutor(slots) as pool:
            list(pool.map(run_one, [0.0] * 2 * slots))  # the workers are there, as ours are
            begin = time.monotonic()
            list(pool.map(run_one, costs()))
            return time.monotonic() - begin
    finally:
        spark.stop()


def run_optuna(slots: int, journal: Path) -> float:
    """Run the trials by Optuna's own means for many processes; return the seconds."""
    study = open_optuna(journal)
    for seconds in costs():
        study.enqueue_trial({"seconds": seconds})
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(slots + 1)
    workers = [context.Process(target=_work, args=(journal, ready)) for _ in range(slots)]
    for worker in workers:
        worker.start()
    ready.wait()
    begin = time.monotonic()
    for worker in workers:
        worker.join()
    return time.monotonic() - begin


def open_optuna(journal: Path) -> optuna.Study:
    """Open a study that processes share by a journal."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(storage=storage, study_name="grid", load_if_exists=True)


def _work(journal: Path, ready: Barrier) -> None:
    """Take trials until the points are used up."""
    import optuna

    study = open_optuna(journal)

    def train(trial: optuna.Trial) -> float:
        seconds = trial.suggest_float("seconds", 0.0, 10 * SCALE)
        time.sleep(seconds)
        return seconds

    ready.wait()
    taken = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING)
    study.optimize(train, callbacks=[optuna.study.MaxTrialsCallback(len(costs()), states=taken)])
