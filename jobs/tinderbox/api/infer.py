"""Runs a batch inference: rows labelled on Spark, and written by this process alone, each exactly once."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tinderbox.api.guard import guarded
from tinderbox.api.inference import InferPlan
from tinderbox.api.plan import describe_job
from tinderbox.api.sweep import session_for
from tinderbox.config import InferJob
from tinderbox.config.inputs import Images
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.inference.probe import Choice, probe
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import THUMBNAIL, unread_table
from tinderbox.inference.sources import Files
from tinderbox.inference.summary import Summary, from_json, merge, summarise, to_json
from tinderbox.report import render_labels
from tinderbox.storage.fetching import fetched, has_held, opened
from tinderbox.storage.rows import RowsFolder

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

REPORT = "report.html"
FEW = 1_000
"""So many rows and fewer are not worth the seconds of a measurement."""

MANY = 1_000_000
"""Of so many files Spark's list alone takes hundreds of megabytes of the driver's memory."""

MINUTE, FEWEST, MOST = 60.0, 200, 50_000
"""A micro-batch has about a minute's rows, within these bounds."""


class InferWatcher(Protocol):
    """Is shown a batch inference while it runs."""

    def tell(self, step: str) -> None:
        """Say what happens before the first row and after the last one."""

    def show(self, done: Summary) -> None:
        """Show what this run has done so far; called for each micro-batch."""


class Quiet:
    """Shows nothing."""

    def tell(self, step: str) -> None:
        """Do nothing."""

    def show(self, done: Summary) -> None:
        """Do nothing."""


class InferResult:
    """The outcome of a batch inference: `summary` of all rows of this version, `done` of those of this run."""

    def __init__(self, folder: RowsFolder, summary: Summary, done: Summary) -> None:
        self.folder, self.summary, self.done = folder, summary, done

    @property
    def rows(self) -> str:
        """The folder of the rows."""
        return self.folder.rows

    @property
    def report(self) -> str:
        """The path of the HTML report."""
        return self.folder.path(REPORT)


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
    if folder.has("job.yaml"):
        raise BadInput(f"name {job.name!r} is a study's in {job.storage}; give the batch inference one of its own")
    same, mode = folder.is_of(submission), job.output.mode
    if mode == "refuse" and folder.is_whole() and not (same or force):
        raise BadInput(f"{folder.rows} has rows, and output.mode is refuse; remove them, or append or overwrite")
    # Who overwrites without a submission goes on with what a kill has left; force always means all of it.
    anew = not same and (force or (mode == "overwrite" and (bool(submission) or folder.is_whole())))
    if plan.held is None and folder.has_rows() and not folder.has_progress():
        anew = True  # the stream would begin with all files, and number its micro-batches from 0
    watcher.tell("starting Spark")
    with session_for(job, spark, master) as session, shipped(plan, session):
        if anew and folder.has_rows():
            check_input(plan, session, folder)
        folder.write_job(describe_job(job), plan.run)
        folder.begin(anew)
        folder.note(submission)
        summary, done = label(plan, session, folder, watcher)
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


def label(plan: InferPlan, spark: SparkSession, folder: RowsFolder, watcher: InferWatcher) -> tuple[Summary, Summary]:
    """Label all that is new; return the summary of all rows, and that of the new ones."""
    from tinderbox.spark.streams import Stage, label_stream, label_tables, settle

    settle(spark, plan.job.slots)
    keeper = Keeper(folder, watcher)
    with watching(plan, spark, keeper) as watch:
        choice = choose(plan, spark, folder, watcher, watch)
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
            summary = report(plan, folder, choice)
    return summary, keeper.summary


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


class Keeper:
    """Hands Spark's rows to the folder, and adds up what they are."""

    def __init__(self, folder: RowsFolder, watcher: InferWatcher) -> None:
        self._folder, self._watcher = folder, watcher
        self.summary, self.batches, self._begun = Summary(), 0, time.time()

    def keep(self, batch: int, table: pa.Table, seconds: float) -> None:
        """Write a micro-batch's rows and their summary; one that is empty leaves nothing."""
        self.batches += 1
        if not len(table):
            return
        found = summarise(table, time.time() - seconds, seconds)
        self._folder.keep(batch, table.drop_columns([THUMBNAIL]), to_json(found))
        self.summary += found
        self._watcher.show(self.summary)

    def keep_unread(self, recipe: Recipe, columns: pa.Schema) -> None:
        """Write rows for the files that Spark has passed over, those of earlier runs among them.

        Raises:
            TinderboxError: One of them is not empty, so executors have no access to what the driver has listed.
        """
        unread, new = self._folder.unread()
        lost = next((path for path in new if has_held(path, self._begun)), None)
        if lost is not None:
            self._folder.give_up()  # Spark has noted these files as done
            raise TinderboxError(
                f"executors cannot read {lost}, which the driver can; give their pods the input's volume, "
                "and start again: all is labelled then"
            )
        if new:
            place = {"model": recipe.model, "node": "driver"}
            table = unread_table(columns, unread, place, recipe.truth)
            self._folder.keep(None, table.drop_columns([THUMBNAIL]), to_json(summarise(table, time.time(), 0.0)))
            self.summary += summarise(unread_table(columns, new, place, recipe.truth), time.time(), 0.0)
        if self.summary.rows >= MANY:
            self._watcher.tell("more than a million files: put them into tars or Parquet, where memory stays as it is")


def portion(rate: float) -> int:
    """Return how many rows a micro-batch has, for rows in a second of all slots, 0 where that is not known."""
    return min(max(round(rate * MINUTE), FEWEST), MOST) if rate else 10 * FEWEST


def choose(
    plan: InferPlan, spark: SparkSession, folder: RowsFolder, watcher: InferWatcher, watch: Callable[[], None]
) -> Choice:
    """Return batch size and compiler: as the job says, as measured before, or measured now on one executor."""
    from tinderbox.spark.reading import count_input
    from tinderbox.spark.streams import on_one_executor, watched

    job, model = plan.job, plan.model
    batch = None if job.batch == "auto" else job.batch
    xla = None if job.xla == "auto" else job.xla
    kept = f"probe-{plan.version[:12]}.json"
    few = plan.held is not None
    if not few:
        found = watched(partial(count_input, spark, job, FEW + 1), spark, watch)
        few = found <= FEW and job.input.source not in ("tar", "tfrecord")  # one of these may hold any number
    if model is None or (batch is not None and xla is not None) or few:
        return Choice(batch or 32, bool(xla))
    if folder.has(kept):
        before = json.loads(folder.read(kept))
        if before.pop("asked") == [batch, xla, job.cores]:
            return Choice(**{**before, "tried": ()})
    watcher.tell("measuring batch sizes")
    measure = partial(probe, model, plan.recipe, batch, xla)
    choice = watched(partial(on_one_executor, spark, measure, job.cores), spark, watch)
    if choice.tried:  # one that measured nothing may do so the next time
        folder.write(kept, json.dumps({**asdict(choice), "asked": [batch, xla, job.cores]}).encode())
    return choice


def report(plan: InferPlan, folder: RowsFolder, choice: Choice) -> Summary:
    """Write the report of all rows of this version, and return their summary."""
    summary = merge(map(from_json, folder.summaries()))
    compiled = ", XLA" if choice.xla else ""
    facts = {
        "model": f"{plan.recipe.model[:12]}{f', {plan.recipe.predict}' if plan.recipe.predict else ''}",
        "input": plan.job.input.path,
        "rows": folder.rows,
        "batch": f"{choice.batch} rows{compiled}, {plan.job.slots} slots of {plan.job.cores} cores",
    }
    unit = "rows" if plan.recipe.features else "images"
    folder.write(REPORT, render_labels(summary, plan.job.name, facts, unit).encode())
    return summary


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
