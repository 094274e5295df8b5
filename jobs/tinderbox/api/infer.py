"""Runs a batch inference: rows labelled on Spark, and written by this process alone, each exactly once."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tinderbox.api.guard import guarded
from tinderbox.api.inference import InferPlan
from tinderbox.api.plan import describe_job
from tinderbox.api.sweep import session_for
from tinderbox.config.infer import Images
from tinderbox.errors import BadInput
from tinderbox.inference.probe import Choice, probe
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import THUMBNAIL, unread_table
from tinderbox.inference.sources import Files
from tinderbox.inference.summary import Summary, from_json, merge, summarise, to_json
from tinderbox.report import render_labels
from tinderbox.storage.fetching import fetched, opened
from tinderbox.storage.rows import RowsFolder

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

REPORT = "report.html"
FEW = 1_000
"""So many rows and fewer are not worth the seconds of a measurement."""

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
) -> InferResult:
    """Label what has come since the last run, all of it where `force` asks for that, and write the report.

    A run that is stopped or killed goes on where it was when it is started again: a micro-batch that was under way is
    done again, and its rows take the place of those it may have left.

    Raises:
        BadInput: There is no input, or there are rows and the job refuses to add to them.
        TinderboxError: A task has failed again and again.
    """
    job, watcher = plan.job, watcher or Quiet()
    folder = RowsFolder(job.storage, job.name, plan.version[:12], job.output.format, plan.width)
    if folder.has("job.yaml"):
        raise BadInput(f"name {job.name!r} is a study's in {job.storage}; give the batch inference one of its own")
    if folder.has_rows() and job.output.mode == "refuse" and not force:
        raise BadInput(f"{folder.rows} has rows, and output.mode is refuse; remove them, or append or overwrite")
    watcher.tell("starting Spark")
    with session_for(job, spark, master) as session, shipped(plan, session):
        folder.write_job(describe_job(plan.job), plan.run)
        folder.begin(anew=force or job.output.mode == "overwrite")
        choice = choose(plan, session, folder, watcher)
        recipe = replace(plan.recipe, batch=choice.batch, xla=choice.xla)
        watcher.tell(f"labelling, {choice.batch} rows at a time{', compiled by XLA' if choice.xla else ''}")
        done = Label(folder, watcher)
        try:
            done.run(session, plan, recipe, choice)
        finally:
            summary = report(plan, folder, choice)
    if not summary.rows:
        raise BadInput(f"input: {job.input.path} holds nothing to label; name a folder, a glob or files that are there")
    folder.finish(summary.rows)
    return InferResult(folder, summary, done.summary)


@dataclass(frozen=True)
class Standing:
    """Where the work stands: workers there is room for, and micro-batches that have ended."""

    slots: int
    ended: int
    over: bool = False


class Label:
    """One run over an input: hands Spark's rows to the folder, and adds up what they are."""

    def __init__(self, folder: RowsFolder, watcher: InferWatcher) -> None:
        self._folder, self._watcher = folder, watcher
        self.summary, self.batches = Summary(), 0

    def run(self, spark: SparkSession, plan: InferPlan, recipe: Recipe, choice: Choice) -> None:
        """Label all that is new."""
        from tinderbox.spark.session import check_java
        from tinderbox.spark.streams import Stage, label_stream, label_tables, settle

        settle(spark, plan.job.slots)
        together = plan.job.limits.rows or portion(choice.rate * plan.job.slots)
        with (
            Stage(spark, plan.job, recipe, plan.model, Files(opened, fetched)) as stage,
            guarded(spark.sparkContext, plan.job.slots) as guard,
        ):

            def watch() -> None:
                check_java()
                guard(Standing(stage.slots, self.batches))

            if plan.held is None:
                label_stream(stage, together, self._folder.progress, self._keep, watch)
                if isinstance(plan.job.input, Images):
                    self._keep_unread(plan, stage.columns)
                return
            done = self._folder.batches()
            missing = ((number, table) for number, table in enumerate(plan.held(together)) if number not in done)
            label_tables(stage, missing, self._keep, watch)

    def _keep_unread(self, plan: InferPlan, columns: pa.Schema) -> None:
        """Write rows for the files that Spark has passed over, those of earlier runs among them."""
        unread, new = self._folder.unread()
        if new:
            place, truth = {"model": plan.recipe.model, "node": "driver"}, plan.recipe.truth
            table = unread_table(columns, unread, place, truth)
            self._folder.keep(None, table.drop_columns([THUMBNAIL]), to_json(summarise(table, time.time(), 0.0)))
            self.summary += summarise(unread_table(columns, new, place, truth), time.time(), 0.0)

    def _keep(self, batch: int, table: pa.Table, seconds: float) -> None:
        """Write a micro-batch's rows and their summary; one that is empty leaves nothing."""
        if not len(table):
            return
        found = summarise(table, time.time() - seconds, seconds)
        self._folder.keep(batch, table.drop_columns([THUMBNAIL]), to_json(found))
        self.summary, self.batches = self.summary + found, self.batches + 1
        self._watcher.show(self.summary)


def portion(rate: float) -> int:
    """Return how many rows a micro-batch has, for rows in a second of all slots, 0 where that is not known."""
    return min(max(round(rate * MINUTE), FEWEST), MOST) if rate else 10 * FEWEST


def choose(plan: InferPlan, spark: SparkSession, folder: RowsFolder, watcher: InferWatcher) -> Choice:
    """Return batch size and compiler: as the job says, as measured before, or measured now on one executor."""
    job, model = plan.job, plan.model
    batch = None if job.batch == "auto" else job.batch
    xla = None if job.xla == "auto" else job.xla
    kept = f"probe-{plan.version[:12]}.json"
    from tinderbox.spark.reading import count_input
    from tinderbox.spark.streams import on_one_executor

    few = plan.held is not None or (count_input(spark, job, FEW + 1) <= FEW and not is_packed(plan))
    if model is None or (batch is not None and xla is not None) or few:
        return Choice(batch or 32, bool(xla))
    if folder.has(kept):
        found = json.loads(folder.read(kept))
        if found.pop("asked") == [batch, xla, job.cores]:
            return Choice(**{**found, "tried": ()})
    watcher.tell("measuring batch sizes")
    choice: Choice = on_one_executor(spark, partial(probe, model, plan.recipe, batch, xla), job.cores)
    folder.write(kept, json.dumps({**asdict(choice), "asked": [batch, xla, job.cores]}).encode())
    return choice


def is_packed(plan: InferPlan) -> bool:
    """Whether a file of the input may hold any number of rows."""
    return plan.job.input.source in ("tar", "tfrecord")


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
