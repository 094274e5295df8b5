"""Follows a job on a cluster from a person's machine, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from tinderbox.api.driver import Watcher
from tinderbox.api.homecoming import copy, make_room
from tinderbox.api.submission import Submitted
from tinderbox.api.watcher import TrainWatcher
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube.cluster import Cluster, Unreachable
from tinderbox.kube.forward import forwarded
from tinderbox.kube.jobs import Progress, look
from tinderbox.kube.manifest import Manifest, driver_of
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.onlooker import Onlooker
from tinderbox.training.onlooker import TrainOnlooker

LOOK_SECONDS = 1.0
AWAY_SECONDS = 120.0


def follow(cluster: Cluster, submitted: Submitted, home: StudyFolder, watcher: Watcher) -> bool:
    """Show a study until its Job has ended, and return whether its driver has handed out what it left behind.

    The driver may be replaced on the way.

    Raises:
        BadInput: Home cannot be written.
        TinderboxError: The Job has failed, or was deleted before the study came home, or the cluster stays away.
    """
    brought = False
    while not (progress := look_again(cluster, submitted, watcher.tell)).over:
        if progress.state == "running" and progress.pod is not None and not brought:
            try:
                brought = follow_driver(cluster, progress.pod, submitted, home, watcher)
            except BadInput:
                raise
            except TinderboxError:
                pass  # Spark still starts, or the driver is being replaced: the Job tells
        elif not brought:
            watcher.tell(progress.cause or "waiting for the driver")
        time.sleep(LOOK_SECONDS)
    if progress.state == "failed":
        raise TinderboxError(f"job {progress.job} failed: {progress.cause}")
    if progress.state == "deleted" and not brought:
        raise TinderboxError(f"job {progress.job} was deleted; tinderbox fetch {home.name} brings home what there is")
    return brought


def follow_training(cluster: Cluster, submitted: Submitted, watcher: TrainWatcher) -> None:
    """Show a training until its Job has ended well; its driver may be replaced on the way.

    Raises:
        TinderboxError: The Job has failed, or was deleted, or the cluster stays away.
    """
    seen = None
    while not (progress := look_again(cluster, submitted, watcher.tell)).over:
        if progress.state == "running" and progress.pod not in (None, seen):
            with suppress(TinderboxError):  # Spark still starts, or the driver is being replaced: the Job tells
                show_training(cluster, str(progress.pod), submitted, watcher)
                seen = progress.pod
        elif progress.state != "running":
            watcher.tell(progress.cause or "waiting for the driver")
        time.sleep(LOOK_SECONDS)
    check_complete(progress)


def show_training(cluster: Cluster, pod: str, submitted: Submitted, watcher: TrainWatcher) -> None:
    """Show a training through its driver until it is over."""
    with forwarded(cluster, pod, coordinator_port(submitted.job)) as url:
        onlooker = TrainOnlooker(url, submitted.token)
        while not (status := onlooker.status()).over:
            watcher.show(status)
            time.sleep(LOOK_SECONDS)
        watcher.show(status)


def wait_for_end(cluster: Cluster, submitted: Submitted, tell: Callable[[str], None]) -> None:
    """Return when a Job has ended well, and tell meanwhile where it stands.

    Raises:
        TinderboxError: The Job has failed, or was deleted, or the cluster stays away.
    """
    while not (progress := look_again(cluster, submitted, tell)).over:
        tell(progress.cause or ("the driver runs" if progress.state == "running" else "waiting for the driver"))
        time.sleep(LOOK_SECONDS)
    check_complete(progress)


def check_complete(progress: Progress) -> None:
    """Return if a Job that is over has ended well.

    Raises:
        TinderboxError: It has failed, or was deleted.
    """
    if progress.state != "complete":
        end = "was deleted" if progress.state == "deleted" else f"failed: {progress.cause}"
        raise TinderboxError(f"job {progress.job} {end}")


def look_again(cluster: Cluster, submitted: Submitted, tell: Callable[[str], None]) -> Progress:
    """Return where a Job stands, asking a cluster that is away, as in a train, again for `AWAY_SECONDS`."""
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return look(cluster, submitted.job)
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            tell("the cluster cannot be reached; trying again")
            time.sleep(LOOK_SECONDS)


def follow_driver(cluster: Cluster, pod: str, submitted: Submitted, home: StudyFolder, watcher: Watcher) -> bool:
    """Show a study through its driver's coordinator until it is over, and return whether its files are at home."""
    with forwarded(cluster, pod, coordinator_port(submitted.job)) as url:
        onlooker = Onlooker(url, submitted.token)
        while True:
            status = onlooker.status()
            watcher.show(status, None)
            if status.over and (names := onlooker.keepsakes()) is not None:
                make_room(home, names, onlooker.read)
                copy(names, onlooker.read, home)
                return True
            time.sleep(LOOK_SECONDS)


def coordinator_port(job: Manifest) -> int:
    """Return the port of a driver's coordinator."""
    ports = driver_of(job["spec"]["template"]["spec"])["ports"]
    return int(next(port["containerPort"] for port in ports if port["name"] == "coordinator"))
