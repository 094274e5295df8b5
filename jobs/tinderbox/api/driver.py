"""Runs a sweep: its server in this process, slots on Spark."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from tinderbox.api.guard import guarded
from tinderbox.api.opening import check, states_of
from tinderbox.api.plan import Plan, describe_job
from tinderbox.config import SweepJob
from tinderbox.data import pack
from tinderbox.errors import TinderboxError
from tinderbox.storage.states import DirectClient
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.coordinator import PAUSE_SECONDS, Coordinator
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.server import Server
from tinderbox.sweeping.status import Status
from tinderbox.sweeping.study import UNWANTED, Study

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from tinderbox.spark.slots import SlotJobs

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
SLOT_GRACE_SECONDS = 5.0
POD_GRACE_SECONDS = 2.0
"""For so long the watch of the pods may say why a slot has gone, after Spark has said that it has."""


class Watcher(Protocol):
    """Is shown the study while it runs."""

    def show(self, status: Status, study: Study | None) -> None:
        """Show where the study stands; `study` is None where only its status is at hand."""

    def tell(self, step: str) -> None:
        """Say what happens before the study begins or after it has ended."""


@dataclass(frozen=True)
class Door:
    """Who may follow a study: whoever has `token`, and for up to `linger` seconds after its end, to take it home."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    linger: float = 0.0


def run_sweep(
    plan: Plan,
    server: Server,
    token: str,
    spark: SparkSession,
    watcher: Watcher,
    edited: Callable[[SweepJob], SweepJob | None] = lambda job: None,
) -> None:
    """Run the sweep of an opened server to its end, or continue it; `edited` returns its job once it was changed.

    Raises:
        TinderboxError: Slots cannot be had, or the record cannot be written.
    """
    from tinderbox.spark.session import check_java

    watcher.tell("starting slots")
    with (
        guarded(spark.sparkContext, plan.job.slots, partial(lose, server)) as guard,
        opened_slots(plan, spark.sparkContext, server, token) as slots,
    ):
        over, job = False, plan.job
        try:
            while not over:
                over = server.wait(LOOK_SECONDS)
                if not over and (changed := edited(job)) is not None:
                    take_over(changed, server, slots, spark.sparkContext)
                    job = changed
                status = look(server, job.slots)
                watcher.show(status, server.coordinator.study)
                check_java()
                if slots.failure is not None:
                    raise slots.failure
                guard(status, job.slots)
        except KeyboardInterrupt:
            watcher.tell("stopping: trials that can save pause at their next report")
            pause(server)
            raise
    check(server)


def lose(server: Server, pod: str, cause: str, out_of_memory: bool) -> None:
    """Tell the coordinator that an executor's pod has died."""
    server.call(lambda coordinator: coordinator.lose_host(pod, cause, time.time(), out_of_memory))


def pause(server: Server) -> None:
    """Let running trials save their states, so that whoever continues the study does little again; wait a while."""
    deadline = time.monotonic() + PAUSE_SECONDS
    server.call(lambda coordinator: coordinator.suspend())
    while server.call(lambda coordinator: coordinator.may_pause) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def look(server: Server, slots: int) -> Status:
    """Return where a study stands; slots beyond so many are let go, whenever they have joined."""
    from tinderbox.spark.jobs import task_number

    def act(coordinator: Coordinator) -> Status:
        server.wanted = slots
        coordinator.dismiss([name for name in coordinator.roster.slots if task_number(name) >= slots])
        return server.status()

    return server.call(act)


def take_over(job: SweepJob, server: Server, slots: SlotJobs, spark: SparkContext) -> None:
    """Let a study that runs have the slots and the budget of its edited job."""
    from tinderbox.spark.session import share_executor, want_executors

    server.allow(Proposer(job), job.budget.time)
    want_executors(spark, job)
    slots.scale(job.slots, share_executor(spark, job)[1])
    LOG.warning("the job file has changed: %d slots, budget %s", job.slots, describe_job(job)["budget"])


@contextmanager
def opened_slots(plan: Plan, spark: SparkContext, server: Server, token: str) -> Iterator[SlotJobs]:
    """Start the server and keep the study's slots on Spark until the block ends, however it ends."""
    from tinderbox.spark.jobs import LEAVING
    from tinderbox.spark.session import share_executor
    from tinderbox.spark.slots import SlotJobs, SlotPlan

    host, port, job = address_of(spark), int(spark.getConf().get("spark.tinderbox.coordinator.port") or 0), plan.job
    # Where the port is fixed, in a pod, those who follow the study come through a port-forward, from the loopback.
    bound = None if port else host
    heap, neighbours = share_executor(spark, job)
    states = states_of(job, server.coordinator.study)
    told = SlotPlan(
        study=job.name,
        url=f"http://{host}:{server.start(bound, port)}",
        token=token,
        objective=plan.objective,
        metrics=job.reported,
        data=plan.run.data,
        preload=tuple(job.preload),
        repeat=job.isolation == "reuse",
        cores=job.cores,
        door=Client if states is None else partial(DirectClient, states),
        heap=heap,
        neighbours=neighbours,
    )

    def leave(name: str, cause: str) -> bool:
        study = server.coordinator.study
        if (spark.master or "").startswith("k8s") and cause not in (LEAVING, UNWANTED):
            time.sleep(POD_GRACE_SECONDS)
        with suppress(TinderboxError):  # the record cannot be written; the study ends for that, and says so
            server.call(lambda coordinator: coordinator.leave(name, cause, time.time()))
        return any(life.slot == name and life.joined >= study.resumed for life in study.slots)

    slots = SlotJobs(spark, told, pack(plan.data), job.slots, leave)
    try:
        slots.start()
        yield slots
    finally:
        try:
            server.call(lambda coordinator: coordinator.close(time.time()))
        finally:
            slots.stop(SLOT_GRACE_SECONDS)


def address_of(spark: SparkContext) -> str:
    """Return the address at which slots reach the driver: the loopback one where they are on the same machine."""
    if (spark.master or "").startswith("local"):
        return "127.0.0.1"
    return spark.getConf().get("spark.driver.host") or "127.0.0.1"
