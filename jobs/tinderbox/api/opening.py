"""Takes a study's record over, and opens a server on it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tinderbox.api.plan import Plan, describe_job
from tinderbox.api.recall import recall
from tinderbox.config import SweepJob
from tinderbox.errors import TinderboxError
from tinderbox.storage import StudyFolder
from tinderbox.storage.log import SegmentLog
from tinderbox.storage.states import place_of, remove_strays
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.costs import Costs
from tinderbox.sweeping.journal import Journal, rebuild
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.rungs import ladder_of
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.server import Server
from tinderbox.sweeping.study import Study

LOG = logging.getLogger(__name__)

CHOICE = 200
"""Among so many trials of a grid, beside one for each slot, the dearest is looked for."""


@contextmanager
def opened_server(plan: Plan, folder: StudyFolder, token: str) -> Iterator[Server]:
    """Take the study's record over, and open a server for its slots, until the block ends.

    Raises:
        Superseded: Another driver takes it over at the same time.
        TinderboxError: The record is damaged, or the study that it starts from is gone.
    """
    is_new = not folder.exists()
    if is_new:
        folder.write_job(describe_job(plan.job), plan.run)
    log = folder.log()
    try:
        coordinator, journal = take_up(plan, log)
        if not is_new:  # a budget that was raised counts as used only once the record says that the study goes on
            folder.write_job(describe_job(plan.job), plan.run)
        folder.states = states_of(plan.job, coordinator.study)
        tidy(folder, coordinator.study)
        server = Server(coordinator, journal, plan.proposer, folder, token)
        try:
            yield server
        finally:
            server.stop()
    finally:
        log.close()
    check(server)


def take_up(plan: Plan, log: SegmentLog) -> tuple[Coordinator, Journal]:
    """Return the coordinator of a study's record, and its journal, once the record tells that this driver has it.

    Raises:
        Superseded: Another driver takes it over at the same time.
        TinderboxError: The record is damaged or cannot be written, or the study that it starts from is gone.
    """
    job, journal = plan.job, Journal(log)
    try:
        log.claim()  # before the record is read: another driver that still writes it would add what is not read
        study = rebuild(log.read(), *job.aims)
        coordinator = Coordinator(study, rules_for(job, plan.proposer), journal.add, time.time())
        if job.search.warm_start is not None and not study.recalled:
            coordinator.recall(job.search.warm_start.study, recall(job), time.time())
        journal.begin()
    except OSError as error:
        raise TinderboxError(
            f"the record of study {job.name!r} cannot be written: {error}; start the study again once it can"
        ) from error
    return coordinator, journal


def states_of(job: SweepJob, study: Study) -> str | None:
    """Return where slots keep a study's states themselves, None where they come through the driver."""
    return None if job.checkpoints.storage is None else place_of(job.checkpoints.storage, job.name, study)


def tidy(folder: StudyFolder, study: Study) -> None:
    """Remove what earlier drivers have left in storage that no trial needs."""
    try:
        removed = remove_strays(folder, study) if study.generation > 1 else 0
    except OSError as error:  # it costs room and nothing else
        LOG.warning("checkpoints that nothing needs may be left: %s", error)
        return
    if removed:
        LOG.warning("removed checkpoints that an earlier driver has left and nothing needs: %d", removed)


def check(server: Server) -> None:
    """Return if nothing has ended the server.

    Raises:
        TinderboxError: Its record cannot be written, or it was taken over.
    """
    if server.failure is not None:
        raise TinderboxError(f"the study stopped: {server.failure}") from server.failure


def rules_for(job: SweepJob, proposer: Proposer) -> Rules:
    """Return what the coordinator of a job decides by."""
    budget, checkpoints = job.budget, job.checkpoints
    costs = Costs(job.parameters, proposer.first) if job.search.method == "grid" else None
    return Rules(
        seed=job.seed,
        epochs=job.epochs,
        limit=proposer.limit,
        seconds=budget.time,
        ladder=ladder_of(job),
        trial_seconds=budget.trial_time,
        checkpoint_epochs=checkpoints.epochs,
        checkpoint_seconds=checkpoints.every,
        top=0 if job.confirm is None else job.confirm.top,
        seeds=0 if job.confirm is None else job.confirm.seeds,
        ahead=2 if costs is None else CHOICE,
        costs=costs,
    )
