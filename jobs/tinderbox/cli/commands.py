"""The commands; their exit codes are those of `errors`, 0 for done, and 130 and 143 for stopped by a signal."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from tinderbox.api.edits import JobFile
from tinderbox.api.inference import make_infer_plan
from tinderbox.api.plan import Plan, make_plan
from tinderbox.api.single import choose_parameters, explain_failure, measure_cost, run_here
from tinderbox.api.sweep import run
from tinderbox.api.training import make_train_plan
from tinderbox.checkpoint import Save
from tinderbox.cli.cluster import delete, fetch, scale, status, submit
from tinderbox.cli.diff import diff
from tinderbox.cli.infer import describe_plan, infer
from tinderbox.cli.kept import logs, report, studies
from tinderbox.cli.options import changes, door, job_file, with_storage
from tinderbox.cli.screen import Bar, Lines, clock, number, open_console, say, sentence
from tinderbox.cli.tables import print_result
from tinderbox.cli.train import print_plan, train
from tinderbox.config import read_any, read_sweep
from tinderbox.config.reading import KINDS, split_setting
from tinderbox.errors import TinderboxError
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.messages import Decision

MEASURE_SECONDS = 120.0


class Commands(click.Group):
    """Turns our errors into one sentence and an exit code, and signals into theirs."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        signal.signal(signal.SIGTERM, _interrupt)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        try:
            return super().invoke(context)
        except TinderboxError as error:
            said = Text.assemble(("tinderbox:", "bold red"), " ", sentence(error))
            open_console(stderr=True).print(said, *getattr(error, "__notes__", []), sep="\n", soft_wrap=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt as stop:
            say(open_console(stderr=True), "; ".join(["stopped", *getattr(stop, "__notes__", [])]))
            sys.exit(143 if stop.args == (signal.SIGTERM,) else 130)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Let SIGTERM end a study as Ctrl-C does: record closed, slots gone, report written."""
    raise KeyboardInterrupt(signal.SIGTERM)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="tinderbox")
def main() -> None:
    """Deep-learning work on Spark: one function, one YAML file, on a laptop or a cluster."""


@main.command()
@job_file
@changes
@click.option("--master", help="Spark master URL; without it, slots run on this machine.")
@click.option("--fresh", is_flag=True, help="Set an earlier study of this name aside and begin anew.")
def sweep(file: Path, changes: tuple[str, ...], master: str | None, fresh: bool) -> None:
    """Run the sweep in FILE, or continue it.

    While it runs, `slots` may be changed in FILE, and `budget` raised. TINDERBOX_STORAGE, which the chart sets, takes
    the place of the job's storage; --set storage= goes before both.
    """
    console = open_console()
    settings = with_storage(changes)
    plan = make_plan(read_sweep(file, settings), file.parent)
    edits = JobFile(file, lambda: read_sweep(file, settings))
    try:
        with Bar(console) if console.is_terminal else Lines(console) as screen:
            result = run(plan, master=master, watcher=screen, fresh=fresh, door=door(), file=edits)
    except KeyboardInterrupt as stop:
        stop.add_note(f"run the same command again{' without --fresh' if fresh else ''} to continue")
        raise
    print_result(console, result)


@main.command()
@job_file
@changes
@click.option("--measure/--no-measure", default=True, help="Run two epochs of one trial to learn what a trial costs.")
def check(file: Path, changes: tuple[str, ...], measure: bool) -> None:
    """Check FILE: import its function, read its data, count its trials and epochs, estimate its cost.

    Of a batch inference, load its model and see whether labels and preprocessing fit it. Of a training, build its
    model, and tell its steps and what workers send.
    """
    console, read = open_console(), read_any(file, with_storage(changes))
    if read.kind == "infer":
        say(console, f"{file}: {describe_plan(make_infer_plan(read, file.parent))}")
        return
    if read.kind == "train":
        print_plan(console, file, make_train_plan(read, file.parent))
        return
    plan = make_plan(read, file.parent)
    job, data, trials = plan.job, plan.data, plan.proposer.limit
    StudyFolder(job.storage, job.name)  # refuses a storage that cannot be opened, as `sweep` would
    say(console, f"{file}: a {job.search.method} search of {', '.join(job.parameters)} by {job.objective}")
    say(
        console,
        f"data: {len(data.train):,} examples to train on, {len(data.validation):,} to validate, "
        f"{len(data.test) if data.test else 0:,} to test",
    )
    if trials is None:
        say(console, f"trials: as many as fit in {clock(job.budget.time or 0)}, {job.epochs} epochs each")
    else:
        say(
            console,
            f"trials: {trials}, {trials * job.epochs:,} epochs in all, on {job.slots} slots of {job.cores} cores",
        )
    if measure:
        say(console, describe_cost(plan))


def describe_cost(plan: Plan) -> str:
    """Return what a study will cost, from two epochs of one trial."""
    job, trials = plan.job, plan.proposer.limit
    cost = measure_cost(plan, MEASURE_SECONDS)
    if cost is None:
        return f"cost: two epochs take longer than {MEASURE_SECONDS:.0f} s, so no more was measured"
    told = ", ".join(f"{name}={number(value)}" for name, value in cost.parameters.items())
    each = (
        f"a trial takes {cost.of_trial(job.epochs):.1f} s "
        f"({cost.start:.1f} s to start, {cost.epoch:.2f} s an epoch, measured at {told})"
    )
    if trials is None:
        return f"cost: {each}"
    return (
        f"cost: {each}; the study about {clock(cost.of_study(trials, job.epochs, job.slots))} on {job.slots} such slots"
    )


@main.command(name="try")
@job_file
@changes
@click.option(
    "--params", multiple=True, metavar="NAME=VALUE", help="A parameter; others take their default. Repeatable."
)
def try_(file: Path, changes: tuple[str, ...], params: tuple[str, ...]) -> None:
    """Run one trial of FILE in this process, debugger and all; nothing is recorded."""
    console = open_console()
    plan = make_plan(read_sweep(file, changes), file.parent)
    parameters = choose_parameters(plan.job, dict(split_setting(text) for text in params))
    say(console, f"trial with {', '.join(f'{name}={number(value)}' for name, value in parameters.items())}")
    over = run_here(plan, parameters, Terminal(console))
    if over.outcome == "failed":
        raise explain_failure(parameters, over.failure)


class Terminal:
    """Prints a trial's reports, and keeps nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def report(self, epoch: int, metrics: dict[str, float], last: bool, can_save: bool) -> Decision:
        """Print a report."""
        say(self._console, f"epoch {epoch}: {', '.join(f'{name} {number(value)}' for name, value in metrics.items())}")
        return Decision()

    def save(self, epoch: int, save: Save) -> None:
        """Do nothing: no state is wanted."""

    def count(self, examples: float, steps: list[float]) -> None:
        """Do nothing: nobody watches."""


@main.command()
@click.argument("kind", type=click.Choice(list(KINDS)))
def schema(kind: str) -> None:
    """Print the JSON schema of a job file."""
    click.echo(json.dumps(KINDS[kind].model_json_schema(), indent=2))


for command in (submit, status, fetch, scale, delete, train, infer, report, studies, logs, diff):
    main.add_command(command)
