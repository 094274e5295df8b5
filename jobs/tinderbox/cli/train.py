"""The command that trains a model on several workers."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from tinderbox.api.train import run_train
from tinderbox.api.training import TrainPlan, make_train_plan
from tinderbox.cli.options import changes, door, job_file, with_storage
from tinderbox.cli.screen import open_console, say
from tinderbox.cli.trained import Epochs, print_training
from tinderbox.config import read_train
from tinderbox.config.train import Averaging, Threshold
from tinderbox.report.wording import count

NUMBER = 4
"""In bytes: what a number of a model or a gradient takes on its way."""


@click.command()
@job_file
@changes
@click.option("--master", help="Spark master URL; without it, workers run on this machine.")
@click.option("--fresh", is_flag=True, help="Set an earlier training of this name aside and begin anew.")
def train(file: Path, changes: tuple[str, ...], master: str | None, fresh: bool) -> None:
    """Run the training in FILE, or continue it from its last checkpoint.

    TINDERBOX_STORAGE, which the chart sets, takes the place of the job's storage; --set storage= goes before both.
    """
    console = open_console()
    plan = make_train_plan(read_train(file, with_storage(changes)), file.parent)
    try:
        result = run_train(plan, master=master, watcher=Epochs(console), fresh=fresh, door=door())
    except KeyboardInterrupt as stop:
        stop.add_note(f"run the same command again{' without --fresh' if fresh else ''} to continue")
        raise
    print_training(console, result)


def print_plan(console: Console, file: Path, plan: TrainPlan) -> None:
    """Print what a training is to do: on what, with how large a model, in how many steps, and what workers send."""
    job, recipe = plan.job, plan.recipe
    cores = f"{count(job.workers, 'worker')} of {count(job.cores, 'core')}"
    say(console, f"{file}: {count(job.epochs, 'epoch')} in mode {job.mode.name} on {cores}")
    test = "" if plan.data is None else f", {len(plan.data.test) if plan.data.test else 0:,} to test"
    what = "quantities" if plan.classes is None else f"{len(plan.classes):,} classes"
    say(console, f"data: {recipe.examples:,} examples to train on, {recipe.validation:,} to validate{test}; {what}")
    named = job.model.name or job.model.build or job.model.path
    say(console, f"model: {named}, {plan.size.learnt:,} parameters to learn")
    steps = f"{plan.steps:,} an epoch, {plan.steps * job.epochs:,} in all"
    say(console, f"steps: {steps}, of {plan.batch:,} examples, {plan.batch // job.workers:,} on each worker")
    say(console, f"bytes: {describe_bytes(plan)}")


def describe_bytes(plan: TrainPlan) -> str:
    """Return what a worker sends in a step, by the mode."""
    job, mode = plan.job, plan.job.mode
    whole, others = NUMBER * plan.size.learnt, job.workers - 1
    if isinstance(mode, Averaging):
        kept = amount(NUMBER * plan.size.kept)
        return f"every {count(mode.frequency, 'step')} a worker sends {kept}, its model and its optimizer's state"
    if not others:
        return "a single worker sends none"
    if isinstance(mode, Threshold):
        low, high = (amount(round(whole * share)) for share in (mode.low, mode.high))
        told = f"from {low} to {high} to each neighbour, once its threshold has settled"
    else:
        told = f"about {amount(2 * whole * others // job.workers)}"
    return f"in a step a worker sends {told}; a whole gradient is {amount(whole)}"


def amount(size: int) -> str:
    """Return a number of bytes with its unit."""
    for unit, one in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= one:
            return f"{size / one:.3g} {unit}"
    return f"{size} bytes"
