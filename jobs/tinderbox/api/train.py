"""Runs a training, or goes on with one, in whatever mode, and writes what it leaves behind."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from tinderbox.api.averaged import Course, run_averaged
from tinderbox.api.books import Ledger, opened_record
from tinderbox.api.driver import Door
from tinderbox.api.scoring import score_test
from tinderbox.api.sweep import session_for
from tinderbox.api.telling import training_source
from tinderbox.api.together import follow, make_server, run_together
from tinderbox.api.trained import TrainResult, open_training
from tinderbox.api.training import TrainPlan, check_train_continues
from tinderbox.api.watcher import QuietTraining, TrainWatcher
from tinderbox.config import TrainJob
from tinderbox.metrics.exporter import Exporter
from tinderbox.metrics.own import opened_exporter
from tinderbox.report.training import write_training_report
from tinderbox.run import digest_tree
from tinderbox.storage.training import MODEL, TrainFolder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def run_train(
    plan: TrainPlan,
    spark: SparkSession | None = None,
    master: str | None = None,
    watcher: TrainWatcher | None = None,
    fresh: bool = False,
    door: Door | None = None,
) -> TrainResult:
    """Train, or go on from the last checkpoint, then score the model and write the report; a stop leaves one, too.

    Spark is let go when training has ended, and Prometheus knows of it, if it comes. A driver that its cluster starts
    again has the same `door`, so it does not begin anew what is `fresh`.

    Raises:
        BadInput: A training of this name was begun with another job, other code, data or model.
        TinderboxError: A worker has failed, or workers are lost again and again.
    """
    job, watcher = plan.job, watcher or QuietTraining()
    folder = TrainFolder(job.storage, job.name)
    submission = digest_tree({"token": door.token}) if door else ""
    if fresh and folder.exists() and not folder.is_of(submission):
        folder.set_aside()
    check_train_continues(folder, job, plan.run)
    if not has_ended(folder, job):
        watcher.tell("starting Spark")
        try:
            with opened_exporter("driver") as exporter, session_for(job, spark, master) as session:
                folder.note(submission)
                train(plan, folder, session, watcher, (door or Door()).token, exporter)
        except BaseException:
            salvage(folder, watcher)
            raise
    watcher.tell("scoring the model on test data" if plan.data is not None and plan.data.test else "writing the report")
    trouble = score_test(folder, None if plan.data is None else plan.data.test)
    write_training_report(folder)
    watcher.tell(f"not scored: {trouble}" if trouble else "done")
    return open_training(job.name, job.storage)


def train(
    plan: TrainPlan, folder: TrainFolder, spark: SparkSession, watcher: TrainWatcher, token: str, exporter: Exporter
) -> None:
    """Train to the end, in the job's mode, and tell Prometheus meanwhile."""
    job = plan.job
    with opened_record(plan, folder) as (log, training), ExitStack() as following:
        if job.mode.name == "averaging":
            course = Course(plan, training)
            following.enter_context(exporter.asking(training_source(lambda: (training, course.status()), job)))
            ledger = Ledger(folder, log, training, job.checkpoints.keep)
            run_averaged(plan, ledger, course, token, spark, watcher)
        else:
            server = make_server(plan, folder, log, training, token)
            try:
                following.enter_context(exporter.asking(training_source(partial(follow, server), job)))
                run_together(plan, server, token, spark.sparkContext, watcher)
            finally:
                server.stop()
        exporter.linger()


def has_ended(folder: TrainFolder, job: TrainJob) -> bool:
    """Whether there is a training of this name in which nothing is left to do, not even by epochs that were raised."""
    if not (folder.exists() and folder.has(MODEL)):
        return False
    before = folder.read_job().get("epochs")
    return open_training(job.name, job.storage).record.ended is not None and before == job.epochs


def salvage(folder: TrainFolder, watcher: TrainWatcher) -> None:
    """Write the report of a training that was stopped; what goes wrong with that is told, and stops nothing else."""
    try:
        if folder.exists():
            write_training_report(folder)
            watcher.tell("stopped")
    except Exception as trouble:
        watcher.tell(f"stopped: {trouble}")
