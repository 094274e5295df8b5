"""The commands that speak to a cluster: submit, status, fetch, delete, and logs from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tinderbox.api import following, remote, submission
from tinderbox.api.homecoming import bring_home, bring_rows_home
from tinderbox.api.result import open_study
from tinderbox.api.stock import count_rows, has_rows, take_stock
from tinderbox.cli.infer import describe as describe_rows
from tinderbox.cli.screen import Bar, Lines, open_console, say, summary
from tinderbox.cli.tables import print_result
from tinderbox.config import read_any
from tinderbox.errors import BadInput
from tinderbox.kube import jobs
from tinderbox.kube.cluster import Cluster, connect
from tinderbox.storage import StudyFolder

SUMMARY_SECONDS = 10.0
WORDS = {
    "waiting": "waits",
    "running": "runs",
    "complete": "is complete",
    "failed": "has failed",
    "deleted": "is deleted",
}


@dataclass(frozen=True)
class Place:
    """Which cluster, namespace and release a command means."""

    namespace: str | None
    context: str | None
    release: str | None

    def connect(self) -> Cluster:
        """Return the cluster."""
        return connect(self.namespace, self.context)


def on_a_cluster(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which cluster; it gets them as `place`."""

    def run(namespace: str | None, context: str | None, release: str | None, **rest: Any) -> Any:
        return command(place=Place(namespace, context, release), **rest)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]  # click's own notes
    run = click.option("--release", help="The chart's release; the namespace's only one without it.")(run)
    run = click.option("--context", help="A context of kubeconfig; the current one without it.")(run)
    return click.option("-n", "--namespace", help="A namespace; the context's without it.")(run)


home = click.option("--to", default="studies", show_default=True, help="Folder of studies that it is brought to.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a key of the job.")
@click.option(
    "--watch", is_flag=True, help="Follow it to its end and bring report and model home; Ctrl-C lets it run on."
)
@click.option(
    "--fresh", "--force", "anew", is_flag=True, help="Begin anew: a sweep in a new study, an inference with all rows."
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
    if watch and job.kind == "infer":
        try:
            following.wait_for_end(cluster, submitted, once(console))
        except KeyboardInterrupt:
            tell_detached(console, job.name)
            return
        bring_rows(console, cluster, job.name, to, place)
    elif watch:
        show_to_end(console, cluster, submitted, place, StudyFolder(to, job.name), to)
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
@click.argument("study")
@on_a_cluster
def status(study: str, place: Place) -> None:
    """Say where the job of STUDY stands on a cluster, and the study itself."""
    console, cluster = open_console(), place.connect()
    progress = remote.find_progress(cluster, study)
    say(console, describe(progress))
    with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
        if has_rows(study, storage):
            say(console, describe_rows(count_rows(study, storage)))
            return
        try:
            told = summary(take_stock(open_study(study, storage)))
        except BadInput:
            if progress.over:
                raise
            told = f"study {study} has not begun"
    say(console, told)


def describe(progress: jobs.Progress) -> str:
    """Return where a Job stands, in one line."""
    pod = f" in pod {progress.pod}" if progress.pod and not progress.over else ""
    cause = f": {progress.cause}" if progress.cause else ""
    return f"job {progress.job} {WORDS[progress.state]}{pod}{cause}"


@click.command()
@click.argument("study")
@home
@on_a_cluster
def fetch(study: str, to: str, place: Place) -> None:
    """Bring STUDY home from a cluster: report, best model, record and logs, whether it has ended or not.

    Another study of this name that is there already is set aside.
    """
    console, cluster = open_console(), place.connect()
    with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
        rows = has_rows(study, storage)
        if not rows:
            bring_home(study, storage, to)
    if rows:
        bring_rows(console, cluster, study, to, place)
        return
    print_result(console, open_study(study, to))


@click.command()
@click.argument("study")
@click.argument("slots", type=click.IntRange(1, 10_000))
@on_a_cluster
def scale(study: str, slots: int, place: Place) -> None:
    """Let STUDY, which runs on a cluster, have so many SLOTS.

    It is written into the job's ConfigMap, as `kubectl edit` would; a running driver sees it within about a minute. On
    this machine, change `slots` in the job file.
    """
    console, cluster = open_console(), place.connect()
    name = remote.scale_study(cluster, study, slots)
    say(console, f"{name} says {slots} slots; the driver takes it over within about a minute")


@click.command()
@click.argument("study")
@on_a_cluster
def delete(study: str, place: Place) -> None:
    """End the job of STUDY on a cluster, and delete it; what the study has found stays in storage."""
    console, cluster = open_console(), place.connect()
    job = jobs.find_job(cluster, study)
    jobs.delete(cluster, job)
    say(
        console,
        f"job {job['metadata']['name']} is deleted; the study stays, and the same job submitted again continues it",
    )


def print_log(study: str, trial: int | None, attempt: int | None, place: Place) -> None:
    """Print what the driver of a study on a cluster has printed, and follows while it runs, or one of its trials."""
    cluster = place.connect()
    if trial is not None:
        with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
            text = open_study(study, storage).log(trial, attempt)
        click.echo(text, nl=False)
        return
    progress = remote.find_progress(cluster, study)
    if progress.pod is None:
        raise BadInput(f"job {progress.job} has no driver: {progress.cause or 'its pod is gone'}")
    for line in jobs.driver_log(cluster, progress.pod, follow=not progress.over):
        click.echo(line)
