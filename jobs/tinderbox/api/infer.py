"""Runs a batch inference: rows labelled on Spark, and written by this process alone, each exactly once."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tinderbox.api.guard import guarded
from tinderbox.api.inference import InferPlan
from tinderbox.api.keeping import Keeper
from tinderbox.api.labelled import InferResult, keep_choice, write_report
from tinderbox.api.plan import check_kind, describe_job
from tinderbox.api.sizing import choose, portion
from tinderbox.api.sweep import session_for
from tinderbox.api.telling import RowsSource
from tinderbox.api.watcher import InferWatcher, Quiet
from tinderbox.config import InferJob
from tinderbox.config.inputs import Images
from tinderbox.errors import BadInput
from tinderbox.inference.sources import Files
from tinderbox.inference.summary import Summary
from tinderbox.metrics.exporter import Exporter
from tinderbox.metrics.own import opened_exporter
from tinderbox.storage.fetching import fetched, opened
from tinderbox.storage.rows import RowsFolder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def run_inference(
    plan: InferPlan,
    spark: SparkSession | None = None,
    master: str | None = None,
    watcher: InferWatcher | None = None,
    force: bool = False,
    submission: str = "",
) -> InferResult:
    """Label what has come since the last run, all of it where `force` asks for that, and write the report.

    A run that is stopped or killed goes on where it was when it is started again: a micro-batch that was under way is
    done again, and its rows take the place of those it may have left. So does one that refuses to add to rows or that
    overwrites them: only rows that are whole count. A driver that its cluster starts again is of the same `submission`,
    so it does not do again what it was forced to.

    Raises:
        BadInput: There is no input, or there are rows and the job refuses to add to them.
        TinderboxError: A task has failed again and again.
    """
    job, watcher = plan.job, watcher or Quiet()
    folder = RowsFolder(job.storage, job.name, plan.version[:12], job.output.format, plan.width)
    check_kind(folder, job.storage)
    same, mode = folder.is_of(submission), job.output.mode
    if mode == "refuse" and folder.is_whole() and not (same or force):
        raise BadInput(f"{folder.rows} has rows, and output.mode is refuse; remove them, or append or overwrite")
    # Who overwrites without a submission goes on with what a kill has left; force always means all of it.
    anew = not same and (force or (mode == "overwrite" and (bool(submission) or folder.is_whole())))
    if plan.held is None and folder.has_rows() and not folder.has_progress():
        anew = True  # the stream would begin with all files, and number its micro-batches from 0
    watcher.tell("starting Spark")
    with (
        opened_exporter("driver") as exporter,
        session_for(job, spark, master) as session,
        shipped(plan, session),
    ):
        if anew and folder.has_rows():
            check_input(plan, session, folder)
        folder.write_job(describe_job(job), plan.run)
        folder.begin(anew)
        folder.note(submission)
        summary, done = label(plan, session, folder, watcher, exporter)
    if not summary.rows:
        raise nothing(job)
    folder.finish(summary.rows)
    return InferResult(folder, summary, done)


def check_input(plan: InferPlan, spark: SparkSession, folder: RowsFolder) -> None:
    """See that there is something to label, before the rows that it is to replace are forgotten.

    Raises:
        BadInput: The input cannot be read, or is empty.
    """
    from tinderbox.spark.reading import count_input
    from tinderbox.spark.streams import watched

    if plan.held is not None:
        return
    with watching(plan, spark, Keeper(folder, Quiet())) as watch:
        if not watched(partial(count_input, spark, plan.job, 1), spark, watch):
            raise nothing(plan.job)


def nothing(job: InferJob) -> BadInput:
    """Return what is said of an input without rows."""
    return BadInput(f"input: {job.input.path} holds nothing to label; name a folder, a glob or files that are there")


def label(
    plan: InferPlan, spark: SparkSession, folder: RowsFolder, watcher: InferWatcher, exporter: Exporter
) -> tuple[Summary, Summary]:
    """Label all that is new; return the summary of all rows, and that of the new ones."""
    from tinderbox.spark.streams import Stage, label_stream, label_tables, settle

    settle(spark, plan.job.slots)
    keeper = Keeper(folder, watcher)
    with watching(plan, spark, keeper) as watch, telling(plan, spark, keeper, folder, watch, exporter) as source:
        choice = choose(plan, spark, folder, watcher, watch)
        keep_choice(folder, choice)
        recipe = replace(plan.recipe, batch=choice.batch, xla=choice.xla)
        together = plan.job.limits.rows or portion(choice.rate * plan.job.slots)
        watcher.tell(f"labelling, {choice.batch} rows at a time{', compiled by XLA' if choice.xla else ''}")
        try:
            with Stage(spark, plan.job, recipe, plan.model, Files(opened, fetched)) as stage:
                if plan.held is not None:
                    done = folder.batches()
                    tables = ((number, table) for number, table in enumerate(plan.held(together)) if number not in done)
                    label_tables(stage, tables, keeper.keep, watch)
                else:
                    label_stream(stage, together, folder.progress, keeper.keep, watch)
                if isinstance(plan.job.input, Images):
                    keeper.keep_unread(recipe, stage.columns)
        finally:
            summary = write_report(folder, plan.job, plan.run)
        if source is not None:
            source.finish(summary)
            exporter.linger()
    return summary, keeper.summary


@contextmanager
def telling(
    plan: InferPlan,
    spark: SparkSession,
    keeper: Keeper,
    folder: RowsFolder,
    watch: Callable[[], None],
    exporter: Exporter,
) -> Iterator[RowsSource | None]:
    """Tell Prometheus of a batch inference until the block ends, where anybody wants to know."""
    from tinderbox.spark.reading import count_files
    from tinderbox.spark.streams import watched

    if not exporter.is_open:
        yield None
        return
    files = None if plan.held is not None else watched(partial(count_files, spark, plan.job), spark, watch)
    source = RowsSource(folder, keeper, plan.job.storage, files)
    with exporter.asking(source):
        yield source


@contextmanager
def watching(plan: InferPlan, spark: SparkSession, keeper: Keeper) -> Iterator[Callable[[], None]]:
    """Lend a check that ends work without hope: Java that has gone, executors that do not come or do not live."""
    from tinderbox.spark.session import check_java
    from tinderbox.spark.streams import count_slots

    with guarded(spark.sparkContext, plan.job.slots) as guard:

        def watch() -> None:
            check_java()
            guard(Standing(count_slots(spark, plan.job), keeper.batches))

        yield watch


@dataclass(frozen=True)
class Standing:
    """Where the work stands: workers there is room for, and micro-batches that have ended."""

    slots: int
    ended: int
    over: bool = False


@contextmanager
def shipped(plan: InferPlan, spark: SparkSession) -> Iterator[None]:
    """Let executors import the user's modules."""
    if plan.code is None:
        yield
        return
    with tempfile.TemporaryDirectory() as scratch:
        # Named by its digest: Spark keeps a file of a name that it has had before.
        path = Path(scratch, f"code-{plan.version[:12]}.zip")
        path.write_bytes(plan.code)
        spark.sparkContext.addPyFile(str(path))
        yield
