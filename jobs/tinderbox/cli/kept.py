"""The commands that show what runs have left: report, studies, logs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click
from rich.console import Console
from rich.table import Table

from tinderbox.api.ending import draw_pictures, write_report
from tinderbox.api.labelled import open_rows, report_anew
from tinderbox.api.result import open_study
from tinderbox.api.trained import open_training
from tinderbox.cli.infer import print_rows
from tinderbox.cli.options import STORAGE_VARIABLE
from tinderbox.cli.place import Place, on_a_cluster
from tinderbox.cli.printed import Which, print_log, run_log
from tinderbox.cli.screen import number, open_console, say, sentence
from tinderbox.cli.tables import print_result
from tinderbox.cli.trained import print_training
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.report.epochs import aim, best
from tinderbox.report.training import write_training_report
from tinderbox.storage import StudyFolder, find_studies
from tinderbox.storage.finding import find_inferences, find_run, find_trainings
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder
from tinderbox.sweeping.history import State

storage = click.option(
    "--storage",
    default="studies",
    show_default=True,
    envvar=STORAGE_VARIABLE,
    help=f"Folder or URL that holds studies and other runs; {STORAGE_VARIABLE} is another default.",
)


@click.command()
@click.argument("name")
@storage
@click.option("--png", is_flag=True, help="Write a study's plots as PNG files too.")
def report(name: str, storage: str, png: bool) -> None:
    """Write the report of the study, batch inference or training NAME anew; export a study for optuna-dashboard."""
    console, found = open_console(), find_run(storage, name)
    if png and not isinstance(found, StudyFolder):
        raise BadInput(f"--png is for a study's plots, and {name} is a {found.kind}; leave it out")
    if isinstance(found, RowsFolder):
        print_rows(console, report_anew(name, storage))
        return
    if isinstance(found, TrainFolder):
        write_training_report(found)
        print_training(console, open_training(name, storage))
        return
    result = open_study(name, storage)
    write_report(result.record, result.job, result.folder)
    for picture in draw_pictures(result.record, result.job, result.folder) if png else []:
        say(console, picture)
    print_result(console, result)


@click.command()
@storage
def studies(storage: str) -> None:
    """List the studies, the batch inferences and the trainings."""
    console, found = open_console(), find_studies(storage)
    inferences, trainings = find_inferences(storage), find_trainings(storage)
    if found or not (inferences or trainings):
        list_all(console, found, storage, ("study", "trials", "complete", "best", "began"), study_row)
    if inferences:
        list_all(
            console, inferences, storage, ("batch inference", "rows", "errors", "accuracy", "began"), inference_row
        )

    if trainings:
        list_all(console, trainings, storage, ("training", "epochs", "attempts", "best", "began"), training_row)


def list_all(
    console: Console, names: list[str], storage: str, columns: tuple[str, ...], row: Callable[[str, str], list[str]]
) -> None:
    """Print a table of runs; one that cannot be read has a line above it, and does not hide the others."""
    table = Table(*columns)
    for name in names:
        try:
            table.add_row(name, *row(name, storage))
        except (TinderboxError, OSError) as error:
            say(console, f"{name}: {sentence(error)}")
    console.print(table)


def study_row(name: str, storage: str) -> list[str]:
    """Return what is listed of a study."""
    record = open_study(name, storage).record
    best = "" if record.best_value is None else number(record.best_value)
    return [str(len(record.trials)), str(record.counts[State.COMPLETE]), best, _day(record.started)]


def inference_row(name: str, storage: str) -> list[str]:
    """Return what is listed of a batch inference: of the version that it was started with last."""
    found = open_rows(name, storage).summary
    accuracy = "" if found.truth.accuracy is None else f"{found.truth.accuracy:.2%}"
    return [f"{found.rows:,}", f"{found.rows - found.labelled:,}", accuracy, _day(found.began if found.rows else None)]


def training_row(name: str, storage: str) -> list[str]:
    """Return what is listed of a training, its best epoch by what it stops early by, or by Top 1 or the loss."""
    found = open_training(name, storage)
    record, by = found.record, aim(found.job, found.record.history)
    top = best(record.history, by)
    told = "" if top is None else f"{by.metric} {number(top.metrics[by.metric])}"
    return [
        f"{len(record.history)}/{record.epochs or found.job.epochs}",
        str(len(record.attempts)),
        told,
        _day(record.started),
    ]


def _day(moment: float | None) -> str:
    return datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M") if moment else ""


@click.command()
@click.argument("name")
@click.option("--trial", type=int, help="The number of a study's trial; on a cluster, the driver's own log without it.")
@click.option("--worker", type=int, help="The number of a training's worker, 0 without it.")
@click.option("--attempt", type=int, help="Which attempt; the newest one without it.")
@storage
@click.option("--cluster", "there", is_flag=True, help="NAME is on a cluster: the options below say which.")
@on_a_cluster
def logs(
    name: str,
    trial: int | None,
    worker: int | None,
    attempt: int | None,
    storage: str,
    there: bool,
    place: Place,
) -> None:
    """Print what a trial of the study NAME, or a worker of the training NAME, printed, and how it failed if it did.

    On a cluster, without --trial and --worker, print what the driver printed.
    """
    which = Which(trial, worker, attempt)
    if trial is not None and worker is not None:
        raise BadInput("--trial is for a study and --worker for a training; name one of them")
    if there:
        print_log(name, which, place)
    elif which.is_driver and not isinstance(find_run(storage, name), TrainFolder):
        raise BadInput("--trial must name a trial, got none; a driver's own log is on a cluster: --cluster")
    else:
        click.echo(run_log(name, storage, which), nl=False)
