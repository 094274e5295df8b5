"""What drivers, trials and workers have printed."""

from __future__ import annotations

from dataclasses import dataclass

import click

from tinderbox.api import remote
from tinderbox.api.result import open_study
from tinderbox.api.trained import open_training
from tinderbox.cli.place import Place
from tinderbox.errors import BadInput
from tinderbox.kube import jobs
from tinderbox.storage.finding import find_run
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder


@dataclass(frozen=True)
class Which:
    """Whose log is wanted: that of an attempt of a study's trial, or of a training's worker; the newest without one."""

    trial: int | None = None
    worker: int | None = None
    attempt: int | None = None

    @property
    def is_driver(self) -> bool:
        """Whether it is neither's, but that of the driver."""
        return self.trial is None and self.worker is None


def print_log(name: str, which: Which, place: Place) -> None:
    """Print what the driver of NAME on a cluster has printed, and follow it while it runs, or a trial or a worker."""
    cluster = place.connect()
    if not which.is_driver:
        with remote.opened_storage(cluster, cluster.release(place.release)) as storage:
            text = run_log(name, storage, which)
        click.echo(text, nl=False)
        return
    progress = remote.find_progress(cluster, name)
    if progress.pod is None:
        raise BadInput(f"job {progress.job} has no driver: {progress.cause or 'its pod is gone'}")
    for line in jobs.driver_log(cluster, progress.pod, follow=not progress.over):
        click.echo(line)


def run_log(name: str, storage: str, which: Which) -> str:
    """Return what an attempt of a study's trial, or of a training's worker, printed.

    Raises:
        BadInput: There is no such run, or it has no such trial, worker or attempt.
    """
    found, wanted = find_run(storage, name), "worker" if which.trial is None else "trial"
    if isinstance(found, RowsFolder):
        raise BadInput(f"{name} is a batch inference, which has no {wanted}s; leave --{wanted} out, and add --cluster")
    if isinstance(found, TrainFolder):
        if which.trial is not None:
            raise BadInput(f"{name} is a training, which has no trials; name a worker: --worker 0")
        return open_training(name, storage).log(which.worker or 0, which.attempt)
    if which.trial is None:
        raise BadInput(f"{name} is a study, which has no workers; name a trial: --trial 0")
    return open_study(name, storage).log(which.trial, which.attempt)
