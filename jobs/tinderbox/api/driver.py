"""Runs a sweep: record, coordinator and server in this process, slots on Spark."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tinderbox.api.plan import Plan, describe_job
from tinderbox.data import pack
from tinderbox.errors import TinderboxError
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.coordinator import Coordinator, Rules
from tinderbox.sweeping.journal import Journal, rebuild
from tinderbox.sweeping.server import Server
from tinderbox.sweeping.status import Status
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from tinderbox.spark.slots import SlotJobs

LOOK_SECONDS = 0.2
SLOT_GRACE_SECONDS = 5.0


class Watcher(Protocol):
    """Is shown the study while it runs."""

    def show(self, status: Status, study: Study) -> None:
        """Show where the study stands."""

    def tell(self, step: str) -> None:
        """Say what happens before the study begins or after it has ended."""


def run_sweep(plan: Plan, folder: StudyFolder, spark: SparkSession, watcher: Watcher) -> Study:
    """Run a sweep to its end, or continue it, and return the study.

    Raises:
        TinderboxError: Slots cannot be had, or the record cannot be written.
    """
    folder.write_job(describe_job(plan.job), plan.run)
    token = secrets.token_urlsafe(32)
    watcher.tell("starting slots")
    with opened_server(plan, folder, token) as server, opened_slots(plan, spark, server, token) as slots:
        while not server.wait(LOOK_SECONDS):
            watcher.show(server.call(lambda _: server.status()), server.coordinator.study)
            if slots.failure is not None:
                raise slots.failure
        watcher.show(server.call(lambda _: server.status()), server.coordinator.study)
    return server.coordinator.study


@contextmanager
def opened_server(plan: Plan, folder: StudyFolder, token: str) -> Iterator[Server]:
    """Open the study's record, and a server for its slots, until the block ends."""
    log = folder.log()
    try:
        study = rebuild(log.read(), plan.job.metric.name, plan.job.metric.direction)
        journal = Journal(log)
        coordinator = Coordinator(study, rules_of(plan), journal.add, time.time())
        server = Server(coordinator, journal, plan.proposer, folder, token)
        try:
            yield server
        finally:
            server.stop()
    finally:
        log.close()
    if server.failure is not None:
        raise TinderboxError(f"the study stopped: {server.failure}") from server.failure


def rules_of(plan: Plan) -> Rules:
    """Return what the coordinator decides by."""
    job = plan.job
    return Rules(seed=job.seed, epochs=job.epochs, limit=plan.proposer.limit, seconds=job.budget.time)


@contextmanager
def opened_slots(plan: Plan, spark: SparkSession, server: Server, token: str) -> Iterator[SlotJobs]:
    """Start the server and keep the study's slots on Spark until the block ends, however it ends."""
    from tinderbox.spark.slots import SlotJobs, SlotPlan

    context = spark.sparkContext
    host = address_of(context)
    job = plan.job
    told = SlotPlan(
        study=job.name,
        url=f"http://{host}:{server.start(host)}",
        token=token,
        objective=plan.objective,
        metric=job.metric.name,
        preload=tuple(job.preload),
        repeat=job.isolation == "reuse",
        cores=job.cores,
    )

    def leave(name: str, cause: str) -> None:
        server.call(lambda coordinator: coordinator.leave(name, cause, time.time()))

    slots = SlotJobs(context, told, pack(plan.data), job.slots, leave)
    try:
        slots.start()
        yield slots
    finally:
        server.call(lambda coordinator: coordinator.close(time.time()))
        slots.stop(SLOT_GRACE_SECONDS)


def address_of(spark: SparkContext) -> str:
    """Return the address at which slots reach the driver: the loopback one where they are on the same machine."""
    if (spark.master or "").startswith("local"):
        return "127.0.0.1"
    return spark.getConf().get("spark.driver.host") or "127.0.0.1"
