"""Runs a training whose workers stand side by side: its server in this process, an agent for each worker on Spark."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from tinderbox.api.books import KeptCheckpoints
from tinderbox.api.driver import POD_GRACE_SECONDS, SLOT_GRACE_SECONDS, address_of
from tinderbox.api.guard import guarded
from tinderbox.api.training import TrainPlan
from tinderbox.api.watcher import TrainWatcher
from tinderbox.data import pack
from tinderbox.errors import TinderboxError
from tinderbox.journal import Lines
from tinderbox.storage.log import SegmentLog
from tinderbox.storage.training import TrainFolder
from tinderbox.training.driver.rendezvous import Rendezvous
from tinderbox.training.driver.server import Server
from tinderbox.training.history import Training
from tinderbox.training.record import Event, encode
from tinderbox.training.status import TrainStatus, take_status

if TYPE_CHECKING:
    from pyspark import SparkContext

    from tinderbox.spark.agents import AgentPlan
    from tinderbox.spark.jobs import StandingJobs

LOOK_SECONDS = 0.2


def make_server(plan: TrainPlan, folder: TrainFolder, log: SegmentLog, training: Training, token: str) -> Server:
    """Return a server that goes on with a training from its record, which says so.

    Raises:
        Superseded: Another driver takes it over at the same time.
        TinderboxError: The record cannot be written.
    """
    lines = Lines(log)

    def record(event: Event) -> None:
        lines.put(encode(event))

    rendezvous = Rendezvous(plan.job, training, KeptCheckpoints(folder), record, time.time())
    try:
        lines.begin()
    except OSError as error:
        told = f"training stopped: its record cannot be written: {error}"
        raise TinderboxError(f"{told}; see to storage and run the same command again") from error
    return Server(rendezvous, lines, folder, token, plan.recipe.examples)


def run_together(plan: TrainPlan, server: Server, token: str, spark: SparkContext, watcher: TrainWatcher) -> None:
    """Train to the end.

    Raises:
        TinderboxError: Workers cannot be had, or fail again and again, or the record cannot be written.
    """
    from tinderbox.spark.session import check_java

    watcher.tell("starting workers")
    with (
        guarded(spark, plan.job.workers, partial(lose, server)) as guard,
        opened_agents(plan, spark, server, token) as agents,
    ):
        while not server.wait(LOOK_SECONDS):
            status, silent = server.call(lambda rendezvous: look(server, rendezvous))
            watcher.show(status)
            for name in silent:
                agents.renew(name)
            check_java()
            if agents.failure is not None:
                raise agents.failure
            guard(status)
    check(server)
    watcher.show(take_status(server.rendezvous.training, time.time()))


def look(server: Server, rendezvous: Rendezvous) -> tuple[TrainStatus, list[str]]:
    """Return where a training stands, and which agents have become silent since the last look."""
    silent, rendezvous.renewals = rendezvous.renewals, []
    return server.status(), silent


def follow(server: Server) -> tuple[Training, TrainStatus]:
    """Return a training and where it stands, for Prometheus."""
    if server.is_running:
        with suppress(TinderboxError):  # what has ended the training says so elsewhere
            return server.call(lambda rendezvous: (rendezvous.training, server.status()))
    training = server.rendezvous.training
    return training, take_status(training, time.time())


def lose(server: Server, pod: str, cause: str, out_of_memory: bool) -> None:
    """Tell the rendezvous that an executor's pod has died."""
    server.call(lambda rendezvous: rendezvous.lose_host(pod, cause, out_of_memory, time.time()))


def check(server: Server) -> None:
    """Return if nothing has ended a training before its time.

    Raises:
        TinderboxError: Something has, and says what.
    """
    if server.failure is not None:
        raise TinderboxError(f"training stopped: {server.failure}") from server.failure
    if server.rendezvous.failure is not None:
        raise server.rendezvous.failure


@contextmanager
def opened_agents(
    plan: TrainPlan, spark: SparkContext, server: Server, token: str
) -> Iterator[StandingJobs[AgentPlan]]:
    """Start the server and keep the agents of a training on Spark until the block ends, however it ends."""
    from tinderbox.spark.agents import AgentPlan, agent_jobs
    from tinderbox.spark.session import share_executor

    host, port = address_of(spark), int(spark.getConf().get("spark.tinderbox.coordinator.port") or 0)
    # Where the port is fixed, in a pod, those who follow come through a port-forward, from the loopback.
    bound = server.start(None if port else host, port)
    told = AgentPlan(f"http://{host}:{bound}", token, plan.recipe, *share_executor(spark, plan.job))
    archive = b"" if plan.data is None else pack(plan.data)
    agents = agent_jobs(spark, told, archive, leaver(server, (spark.master or "").startswith("k8s")))
    ended_by: TinderboxError | None = None
    try:
        agents.start()
        yield agents
    except TinderboxError as error:
        ended_by = error
        raise
    finally:
        try:
            server.call(lambda rendezvous: rendezvous.close(time.time(), ended_by))
        finally:
            agents.stop(SLOT_GRACE_SECONDS)


def leaver(server: Server, has_pods: bool) -> Callable[[str, str], bool]:
    """Return what tells the rendezvous that an agent's job has ended; the watch of the pods may say why, before."""
    from tinderbox.spark.jobs import LEAVING

    def leave(name: str, cause: str) -> bool:
        if has_pods and cause != LEAVING:
            time.sleep(POD_GRACE_SECONDS)
        with suppress(TinderboxError):  # the record cannot be written; training ends for that, and says so
            return server.call(lambda rendezvous: rendezvous.leave(name, shorten(cause), time.time()))
        return True

    return leave


def shorten(cause: str) -> str:
    """Return why a Spark job has ended, without what Spark says around it of stages and tasks."""
    if found := re.search(r"ExecutorLostFailure \(.*?\) *(?:Reason: *)?(.*)", cause):
        return f"its executor was lost: {found[1].strip() or 'Spark does not say why'}"
    if "Python worker exited unexpectedly" in cause:
        return "the Python worker of its agent was killed"
    return cause
