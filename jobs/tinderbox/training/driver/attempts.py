"""How attempts of a training begin and end, what follows an epoch, and when training is given up.

Every change is an event that goes to `record` before it counts.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Protocol

from tinderbox.config import TrainJob
from tinderbox.errors import TinderboxError, TrainingFailed
from tinderbox.training.driver.crew import Agent, Crew
from tinderbox.training.driver.running import Running, Seat
from tinderbox.training.history import Training
from tinderbox.training.progress import best_epoch, find_best, find_divergence, is_over, judge, merge
from tinderbox.training.record import (
    AttemptBegan,
    AttemptEnded,
    CheckpointKept,
    Event,
    Member,
    Outcome,
    RunBegan,
    WorkerReplaced,
)
from tinderbox.training.records import Position, Resume, Verdict

LOG = logging.getLogger(__name__)

LOSSES: tuple[Outcome, ...] = ("failed", "killed", "out_of_memory", "frozen", "lost")
"""Outcomes that count against `attempts.most`."""


class Kept(Protocol):
    """The checkpoints that are kept."""

    def newest(self) -> Resume | None:
        """Return the newest one that is whole, None where there is none."""

    def at_epoch(self, epoch: int) -> Resume | None:
        """Return the whole one at the end of an epoch, None where there is none."""


class Attempts:
    """The attempts of one training, from its record on; `failure` says why it cannot go on.

    `wholes` are checkpoints all of whose parts have come: the server lets them count, and calls `keep`. `renewals` are
    the names of agents that are silent: their jobs are to be submitted anew.
    """

    def __init__(
        self, job: TrainJob, training: Training, kept: Kept, record: Callable[[Event], None], now: float
    ) -> None:
        self.job, self.training, self.crew = job, training, Crew()
        self.running: Running | None = None
        self.failure: TinderboxError | None = None
        self.wholes: list[CheckpointKept] = []
        self.renewals: list[str] = []
        self._kept, self._record = kept, record
        self.closed, self.freed = False, now
        self._crashed = False
        generation = training.generation + 1
        self.append(RunBegan(time=now, generation=generation, workers=job.workers, epochs=job.epochs))
        self._first = len(training.attempts)
        self._replaced = 0

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do."""
        return self.closed or self.failure is not None or self.training.ended is not None

    def append(self, event: Event) -> None:
        """Let something happen."""
        self._record(event)
        self.training.apply(event)

    # Beginnings

    def begin_if_due(self, now: float) -> None:
        """Begin an attempt where all workers are there, or those that are have waited long enough."""
        waiting = self.crew.waiting()
        if self.over or self.wholes or not waiting:
            return
        since = max(min(agent.joined for agent in waiting), self.freed)
        if len(waiting) >= self.job.workers or now - since >= self.job.attempts.wait:
            self._begin(waiting[: self.job.workers], now)

    def _begin(self, agents: list[Agent], now: float) -> None:
        resume, job = self._kept.newest(), self.job
        at, number = resume.position if resume else Position(), len(self.training.attempts) + 1
        scale = len(agents) / job.workers if job.scales else 1.0
        seats = {rank: _seat(rank, agent, now) for rank, agent in enumerate(agents)}
        members = [seat.member for seat in seats.values()]
        self.append(
            AttemptBegan(
                time=now,
                attempt=number,
                members=members,
                epoch=at.epoch,
                examples=at.examples,
                step=at.step,
                scale=scale,
            )
        )
        history = self.training.history
        over = is_over(history, job)
        if over and (best := best_epoch(history, job)) != at.epoch and best is not None:
            resume = find_best(best, self._kept.at_epoch) or resume
        every_part = job.mode.name == "threshold"
        self.running = Running(number, resume, scale, secrets.token_hex(32), every_part, over, dict(seats))
        LOG.info("attempt %d begins with %d of %d workers at step %d", number, len(seats), job.workers, at.step)

    def fill(self, now: float) -> None:
        """Give the ranks of lost workers to agents that wait; where nobody comes, begin anew with those that are left.

        The others go on for a few steps only without a lost worker, as far as the bound of staleness lets them.
        """
        running = self.running
        assert running is not None  # noqa: S101 - the caller has looked
        for rank, agent in zip(running.vacant, self.crew.waiting(), strict=False):
            seat = running.seats[rank] = _seat(rank, agent, now)
            seat.rejoins = True
            cause = running.lost.pop(rank, "")
            self.append(WorkerReplaced(time=now, attempt=running.number, member=seat.member, cause=cause))
        for rank in running.vacant:
            waited = now - running.vacated[rank]
            if waited >= self.job.attempts.wait and not self.over:
                told = f"{running.lost[rank]}, and nobody took its place in {waited:.0f} s"
                return self.end_attempt("lost", told, now)
        return None

    # Ends

    def has_others(self, rank: int) -> bool:
        """Whether somebody else is at work."""
        return self.running is not None and any(
            other != rank and not seat.finished for other, seat in self.running.occupied.items()
        )

    def crash(self, rank: int, cause: str, details: str, now: float) -> None:
        """A process that ends by itself twice, without any progress in between, would do so again."""
        again = self._crashed and self.training.attempts[-1].progress == 0
        member = self.running.occupied[rank].member if self.running else None
        self.lose(rank, "failed", cause, now, details)
        self._crashed = True
        if again and self.failure is None:
            if self.running is not None:
                self.end_attempt("failed", cause, now, member, details)
            self.failure = TinderboxError(f"{cause}; it was so twice, at the same place")

    def lose(self, rank: int, outcome: Outcome, cause: str, now: float, details: str = "") -> None:
        """A worker is lost: with it the attempt, unless it was done, or the others go on without it."""
        running = self.running
        assert running is not None  # noqa: S101 - the rank has a seat in it
        seat = running.occupied[rank]
        self._crashed = False
        if seat.finished:
            return
        if self.job.mode.name == "threshold" and self.has_others(rank):
            LOG.warning("attempt %d goes on without %s", running.number, cause)
            running.seats[rank], running.lost[rank], running.vacated[rank] = None, cause, now
            self._replaced += 1
            self.wholes += running.wholes(now)
            self._check_bound()
            if self.failure is not None:
                self.end_attempt(outcome, cause, now, seat.member, details)
            else:
                self.conclude(now)
        else:
            self.end_attempt(outcome, cause, now, seat.member, details)

    def conclude(self, now: float) -> None:
        """Judge each epoch of which all workers have told."""
        running = self.running
        assert running is not None  # noqa: S101 - its workers have told
        for epoch in sorted(running.reports.keys() - running.verdicts.keys()):
            reports = running.gathered(epoch)
            if reports is None:
                return
            ended = merge(reports).ended(running.number, epoch, now)
            self.append(ended)
            if (cause := find_divergence(ended.metrics)) is not None:
                self.end_attempt("failed", f"after epoch {epoch} {cause}", now)
                self.failure = self.failure or TrainingFailed(f"training has diverged: after epoch {epoch} {cause}")
                return
            running.verdicts[epoch] = self._judge(now)

    def _judge(self, now: float) -> Verdict:
        try:
            return judge(self.training.history, self.job, self._kept.at_epoch)
        except TinderboxError as error:
            self.end_attempt("failed", str(error), now)
            self.failure = error
            return Verdict(stop=True)

    def end_attempt(
        self, outcome: Outcome, cause: str, now: float, member: Member | None = None, details: str = ""
    ) -> None:
        """End the attempt that runs, by a worker where it was one."""
        running = self.running
        assert running is not None  # noqa: S101 - there is one to end
        self.append(
            AttemptEnded(time=now, attempt=running.number, outcome=outcome, cause=cause, details=details, member=member)
        )
        self.running, self.freed = None, now
        if outcome in LOSSES:
            made = self.training.attempts[-1].progress
            LOG.warning(
                "attempt %d ended (%s) after %d epochs and checkpoints: %s", running.number, outcome, made, cause
            )
            self._check_bound()

    def _check_bound(self) -> None:
        """Give up where too many workers were lost since this driver began."""
        ends = [one.ended for one in self.training.attempts[self._first :] if one.ended and one.ended.outcome in LOSSES]
        if self.failure is not None or len(ends) + self._replaced < self.job.attempts.most:
            return
        causes = "; ".join(f"attempt {end.attempt}: {end.cause}" for end in ends[-3:])
        self.failure = TinderboxError(
            f"training was given up after {len(ends)} attempts and {self._replaced} replaced workers, which is what "
            f"attempts.most allows ({causes or 'none'}); see to the cause and run the same command again to go on"
        )


def _seat(rank: int, agent: Agent, now: float) -> Seat:
    """Give an agent that waits a rank."""
    agent.waits = False
    member = Member(rank=rank, name=agent.name, node=agent.node, host=agent.host)
    return Seat(member, agent.address, now, agent.request)
