"""The commands that speak to a cluster: submit, status, fetch, delete, and logs from there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from tinderbox.api import following, remote, submission
from tinderbox.api.homecoming import bring_home, bring_rows_home, bring_training_home
from tinderbox.api.labelled import open_rows
from tinderbox.api.result import open_study
from tinderbox.api.stock import take_stock, take_training_stock
from tinderbox.api.trained import open_training
from tinderbox.cli.infer import describe as describe_rows
from tinderbox.cli.place import Place, on_a_cluster
from tinderbox.cli.screen import Bar, Lines, open_console, say, summary
from tinderbox.cli.tables import print_result
from tinderbox.cli.trained import Epochs, print_training
from tinderbox.cli.trained import describe as describe_training
from tinderbox.config import read_any
from tinderbox.errors import BadInput
from tinderbox.kube import jobs
from tinderbox.kube.cluster import Cluster
from tinderbox.storage import StudyFolder
from tinderbox.storage.finding import find_run
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder

SUMMARY_SECONDS = 10.0
WORDS = {
    "waiting": "waits",
    "running": "runs",
    "complete": "is complete",
    "failed": "has failed",
    "deleted": "is deleted",
}


home = click.option("--to", default="studies", show_default=True, help="Folder that it is brought to.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the job.")
@click.option(
    "--watch",
    is_flag=True,
    help="Follow it to its end and bring home what it leaves; Ctrl-C lets it run on.",
)
@click.option(
    "--fresh",
    "--force",
    "anew",
    is_flag=True,
    help="Begin anew: in a new study or training, an inference with all rows.",
)
@click.option("--image", help="Image of driver and executors; the release's without it.")
@home
@on_a_cluster
def submit(
    file: Path, changes: tuple[str, ...], watch: bool, anew: bool, image: str | None, to: str, place: Place
) -> None:
    """Run the job in FILE on a cluster where the chart is installed.

    Its folder of code travels along. A job of this name that has ended is replaced; one that runs is not touched.
    """
    console = open_console()
    job = read_any(file, changes)
    cluster = place.connect()
    submitted = submission.submit_job(cluster, cluster.release(place.release), file, job, image, anew)
    name = submitted.job["metadata"]["name"]
    say(console, f"job {name} is submitted to namespace {cluster.namespace}")
    if watch and job.kind == "sweep":
        show_to_end(console, cluster, submitted, place, StudyFolder(to, job.name), to)
    elif watch:
        try:
            if job.kind == "train":
                following.follow_training(cluster, submitted, Epochs(console))
            else:
                following.wait_for_end(cluster, submitted, once(console))
        except KeyboardInterrupt:
            tell_detached(console, job.name)
            return
        (bring_rows if job.kind == "infer" else bring_training)(console, cluster, job.name, to, place)
    else:
        say(console, f"follow it: tinderbox status {job.name}, or kubectl logs -f job/{name}")


def once(console: Console) -> Callable[[str], None]:
    """Return what prints a line that is not the one before."""
    last: list[str] = []

    def tell(line: str) -> None:
        if last != [line]:
            last[:] = [line]
            say(console, line)

    return tell


def bring_rows(console: Console, cluster: Cluster, name: str, to: str, place: Place) -> None:
    """Bring the rows and the report of a batch inference home, and say where they are."""
    with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
        home = bring_rows_home(name, storage, to)
    say(console, f"rows: {home.path('rows')}")
    say(console, f"report: {home.path('report.html')}")


def bring_training(console: Console, cluster: Cluster, name: str, to: str, place: Place) -> None:
    """Bring a training home, and show it."""
    with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
        bring_training_home(name, storage, to)
    print_training(console, open_training(name, to))


def show_to_end(
    console: Console, cluster: Cluster, submitted: submission.Submitted, place: Place, home: StudyFolder, to: str
) -> None:
    """Follow a Job on the screen, then show what it has brought home, below the folder `to`."""
    try:
        with Bar(console) if console.is_terminal else Lines(console, SUMMARY_SECONDS) as screen:
            brought = following.follow(cluster, submitted, home, screen)
    except KeyboardInterrupt:
        tell_detached(console, home.name)
        return
    if not brought:
        with remote.opened_storage(cluster, cluster.release(place.release)) as there:
            bring_home(home.name, there, to)
    print_result(console, open_study(home.name, to))


def tell_detached(console: Console, name: str) -> None:
    """Say that only the watch has ended."""
    say(console, f"detached; the job runs on: tinderbox status {name}, and later tinderbox fetch {name}")


@click.command()
@click.argument("name")
@on_a_cluster
def status(name: str, place: Place) -> None:
    """Say where the job of NAME stands on a cluster, and its study, batch inference or training."""
    console, cluster = open_console(), place.connect()
    progress = remote.find_progress(cluster, name)
    say(console, describe(progress))
    with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
        told = describe_run(name, storage, progress.over)
    say(console, told)


def describe_run(name: str, storage: str, over: bool) -> str:
    """Return where a run stands, in one line.

    Raises:
        BadInput: There is none of this name, and its job is over.
    """
    try:
        found = find_run(storage, name)
    except BadInput:
        if over:
            raise
        return f"{name} has not begun"
    if isinstance(found, RowsFolder):
        return describe_rows(open_rows(name, storage).summary)
    if isinstance(found, TrainFolder):
        return describe_training(take_training_stock(open_training(name, storage)))
    return summary(take_stock(open_study(name, storage)))


def describe(progress: jobs.Progress) -> str:
    """Return where a Job stands, in one line."""
    pod = f" in pod {progress.pod}" if progress.pod and not progress.over else ""
    cause = f": {progress.cause}" if progress.cause else ""
    return f"job {progress.job} {WORDS[progress.state]}{pod}{cause}"


@click.command()
@click.argument("name")
@home
@on_a_cluster
def fetch(name: str, to: str, place: Place) -> None:
    """Bring the study, the batch inference or the training NAME home from a cluster, whether it has ended or not.

    Of a study or a training come report, model, record and logs, of a batch inference report and rows. What is there
    already under this name, and is not the same, is set aside.
    """
    console, cluster = open_console(), place.connect()
    with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
        found = find_run(storage, name)
        if isinstance(found, StudyFolder):
            bring_home(name, storage, to)
    if isinstance(found, RowsFolder):
        bring_rows(console, cluster, name, to, place)
    elif isinstance(found, TrainFolder):
        bring_training(console, cluster, name, to, place)
    else:
        print_result(console, open_study(name, to))


@click.command()
@click.argument("name")
@click.argument("slots", type=click.IntRange(1, 10_000))
@on_a_cluster
def scale(name: str, slots: int, place: Place) -> None:
    """Let the study NAME, which runs on a cluster, have so many SLOTS.

    It is written into the job's ConfigMap, as `kubectl edit` would; a running driver sees it within about a minute. On
    this machine, change `slots` in the job file. A batch inference and a training keep theirs.
    """
    console, cluster = open_console(), place.connect()
    held = remote.scale_study(cluster, name, slots)
    say(console, f"{held} says {slots} slots; the driver takes it over within about a minute")


@click.command()
@click.argument("name")
@on_a_cluster
def delete(name: str, place: Place) -> None:
    """End the job of NAME on a cluster, and delete it; its study, its rows or its training stay in storage."""
    console, cluster = open_console(), place.connect()
    job = jobs.find_job(cluster, name)
    jobs.delete(cluster, job)
    found = job["metadata"]["name"]
    say(console, f"job {found} is deleted; what it has done stays, and the same job submitted again goes on with it")
