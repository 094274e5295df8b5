"""The command that labels images and rows."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click
from rich.console import Console

from tinderbox.api.infer import run_inference
from tinderbox.api.inference import InferPlan, make_infer_plan
from tinderbox.api.labelled import InferResult
from tinderbox.cli.options import changes, job_file, with_storage
from tinderbox.cli.screen import open_console, say
from tinderbox.config import read_infer
from tinderbox.inference.summary import Summary
from tinderbox.kube.manifest import TOKEN_VARIABLE
from tinderbox.run import digest_tree

EVERY_SECONDS = 10.0


@click.command()
@job_file
@changes
@click.option("--master", help="Spark master URL; without it, workers run on this machine.")
@click.option("--force", is_flag=True, help="Label all anew, not only what has come since the last run.")
def infer(file: Path, changes: tuple[str, ...], master: str | None, force: bool) -> None:
    """Label what the input of FILE holds, or what has come since the last time.

    TINDERBOX_STORAGE, which the chart sets, takes the place of the job's storage; --set storage= goes before both.
    """
    console = open_console()
    plan = make_infer_plan(read_infer(file, with_storage(changes)), file.parent)
    try:
        token = os.environ.get(TOKEN_VARIABLE, "")
        submission = digest_tree({"token": token}) if token else ""
        result = run_inference(plan, master=master, watcher=Told(console), force=force, submission=submission)
    except KeyboardInterrupt as stop:
        stop.add_note(f"run the same command again{' without --force' if force else ''} to continue")
        raise
    say(console, f"done: {describe(result.done)}" if result.done.rows else "done: nothing new")
    print_rows(console, result)


class Told:
    """Prints where a batch inference stands, now and then."""

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, time.monotonic()

    def tell(self, step: str) -> None:
        """Print a step."""
        say(self._console, step)

    def show(self, done: Summary) -> None:
        """Print what is done, not more often than every ten seconds."""
        if time.monotonic() - self._last >= EVERY_SECONDS:
            self._last = time.monotonic()
            say(self._console, describe(done))


def print_rows(console: Console, result: InferResult) -> None:
    """Print what a batch inference has labelled, and where its rows and its report are."""
    whole = result.summary
    if whole.rows > result.done.rows:
        say(console, f"in all: {describe(whole)}")
    for reason, count in sorted(whole.errors.reasons.kept.items()):
        say(console, f"errors: {count:,} {reason}")
    if whole.truth.accuracy is not None:
        say(console, f"accuracy: {whole.truth.accuracy:.2%} of {whole.truth.known:,} rows whose label is known")
    say(console, f"rows: {result.rows}")
    say(console, f"report: {result.report}")


def describe_plan(plan: InferPlan) -> str:
    """Return what a batch inference is to do, in one line."""
    job, recipe = plan.job, plan.recipe
    by = f"by {recipe.predict}" if recipe.predict else f"by model {recipe.model[:12]}"
    frame = recipe.frame
    rows = f"rows of {len(recipe.features)} numbers" if recipe.features else "files as they are"
    if frame is not None:
        rows = f"images of {frame.height} x {frame.width} x {frame.channels}"
    labels = f", {len(recipe.labels):,} labels" if recipe.labels else ""
    where = f"on {job.slots} slots of {job.cores} cores, version {plan.version[:12]}"
    return f"{rows} of {job.input.path} {by}{labels}, {where}"


def describe(done: Summary) -> str:
    """Return the counts of a summary in words."""
    broken = done.rows - done.labelled
    rate = "" if done.rate is None else f", {done.rate:,.1f} rows/s"
    return f"{done.rows:,} rows{f', {broken:,} with an error' if broken else ''}{rate}"
