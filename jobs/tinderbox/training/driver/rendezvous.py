"""Brings workers together: who is in which attempt, when one begins and why it ends, and what follows an epoch.

All is decided here and nothing is done: time is passed in, events go to `record` before they count, and the server
carries out what `wholes` and `renewals` ask for.
"""

from __future__ import annotations

from collections.abc import Callable

from tinderbox.config import TrainJob
from tinderbox.errors import BadInput, StaleAttempt, TinderboxError, TrainingFailed
from tinderbox.training.driver.attempts import Attempts, Kept
from tinderbox.training.driver.crew import Agent, repetition_of, task_of
from tinderbox.training.driver.messages import Answer, Beat, Ended, Join, Sender, Told
from tinderbox.training.driver.running import FROZEN_SECONDS, GRACE_SECONDS, CheckpointWhole, Complaint, Seat
from tinderbox.training.history import Training
from tinderbox.training.progress import is_over
from tinderbox.training.record import CheckpointKept, Event, Outcome, RunEnded
from tinderbox.training.records import Assignment, Position, Verdict

STANDSTILL_SECONDS = 5.0
"""Between two looks; if there were more, it was the driver that stood still, and nobody is silent for that."""


class Rendezvous(Attempts):
    """What agents and workers tell, as it reaches the attempts of a training, and what is decided as time goes by."""

    def __init__(
        self, job: TrainJob, training: Training, kept: Kept, record: Callable[[Event], None], now: float
    ) -> None:
        super().__init__(job, training, kept, record, now)
        self._looked = now

    # Agents

    def join(self, ask: Join, now: float) -> Answer:
        """Let an agent wait for an assignment, and return it once there is one.

        Raises:
            StaleAttempt: Spark has begun the agent's task anew since, elsewhere.
        """
        if self.over:
            return Answer(done=True)
        self._drop_earlier(ask.agent, now)
        rank = self.running.rank_of(ask.agent) if self.running else None
        if self.running is not None and rank is not None:
            seat = self.running.occupied[rank]
            if not seat.taken or ask.request <= seat.request:  # its answer was lost
                self.crew.hear(ask.agent, now)
                return Answer(assignment=self.running.assignment(rank))
            self.lose(rank, "lost", f"worker {rank} on {seat.member.node}: its agent has begun anew", now)
        self.crew.join(ask, now)
        self.tick(now)
        rank = self.running.rank_of(ask.agent) if self.running else None
        if self.running is None or rank is None:
            return Answer(done=self.over)
        self.running.occupied[rank].request = ask.request
        return Answer(assignment=self.running.assignment(rank))

    def watch(self, sender: Sender, now: float) -> None:
        """Note that an agent lives, and its worker's process.

        Raises:
            StaleAttempt: Its worker is to end.
        """
        self.crew.hear(sender.agent, now)
        self.seat(sender).taken = True

    def end(self, ended: Ended, now: float) -> None:
        """Note how a worker's process has ended.

        Raises:
            StaleAttempt: Its attempt is over already.
        """
        self.crew.hear(ended.sender.agent, now)
        seat, rank = self.seat(ended.sender), ended.sender.rank
        told = f"worker {rank} on {seat.member.node}: {ended.cause}"
        if seat.finished:
            seat.ended = True
            return
        if ended.outcome in ("failed", "diverged"):
            self.end_attempt("failed", told, now, seat.member, ended.details)
            self.failure = self.failure or TrainingFailed(told)
        elif ended.outcome == "peer_lost" and self.has_others(rank):
            assert self.running is not None  # noqa: S101 - it has seats
            self.running.complaint = self.running.complaint or Complaint(now, seat.member, told)
            seat.ended = True
        elif ended.outcome == "crashed":
            self.crash(rank, told, ended.details, now)
        else:
            outcome: Outcome = ended.outcome if ended.outcome in ("killed", "out_of_memory") else "lost"
            self.lose(rank, outcome, told, now, ended.details)

    def leave(self, name: str, cause: str, now: float) -> bool:
        """Note that an agent's Spark job has ended; return whether it had ever joined."""
        for agent in self.crew.of_task(name):
            self.crew.drop(agent.name)
            self._lose_agent(agent, "lost", cause, now)
        return task_of(name) in self.crew.known

    def lose_host(self, host: str, cause: str, out_of_memory: bool, now: float) -> None:
        """Note that a pod has died, with all agents in it."""
        for agent in self.crew.on(host):
            self.crew.drop(agent.name)
            self._lose_agent(agent, "out_of_memory" if out_of_memory else "lost", cause, now)

    # Workers

    def seat(self, sender: Sender) -> Seat:
        """Return the seat of a worker in the attempt that runs.

        Raises:
            StaleAttempt: It has none.
        """
        running = self.running  # a thread that stores a part asks, too
        if running is None:
            raise StaleAttempt(f"attempt {sender.attempt} is over")
        return running.seat(sender)

    def beat(self, beat: Beat, now: float) -> None:
        """Note that a worker lives, and where it is."""
        seat = self.seat(beat.sender)
        seat.taken, seat.heard, seat.position = True, now, max(seat.position, beat.position)

    def assignment(self, sender: Sender) -> Assignment:
        """Return the newest addresses for a worker."""
        self.seat(sender)
        assert self.running is not None  # noqa: S101 - the worker has a seat in it
        return self.running.assignment(sender.rank)

    def tell(self, told: Told, now: float) -> Verdict | None:
        """Take what a worker tells of an epoch; return what follows, None while others are still in it."""
        seat, report = self.seat(told.sender), told.report
        running = self.running
        assert running is not None  # noqa: S101 - the worker has a seat in it
        if report.epoch not in running.verdicts:
            running.reports.setdefault(report.epoch, {}).setdefault(told.sender.rank, report)
            seat.heard = now
            self.conclude(now)
        return running.verdicts.get(report.epoch)

    def take_part(self, sender: Sender, at: Position, sha256: str, size: int, now: float) -> None:
        """Note that a part of a checkpoint is in storage."""
        self.seat(sender)
        assert self.running is not None  # noqa: S101 - the worker has a seat in it
        self.running.parts.setdefault(at, {})[sender.rank] = sha256, size
        self.wholes += self.running.wholes(now)

    def check_part(self, sender: Sender, at: Position) -> None:
        """Raise StaleAttempt for a worker that has no seat, and CheckpointWhole where no part is wanted any more."""
        self.seat(sender)
        running = self.running
        if running is not None and at in running.complete:
            raise CheckpointWhole(f"the checkpoint at step {at.step} has all of its parts")

    def keep(self, kept: CheckpointKept, now: float) -> None:
        """Note that a checkpoint counts from now on; where more workers wait than it was made by, they begin there."""
        self.wholes = [whole for whole in self.wholes if whole != kept]
        self.append(kept)
        running = self.running
        if running is None or running.number != kept.attempt or is_over(self.training.history, self.job):
            return
        some, more = len(running.seats), len(self.crew.waiting())
        if more and some < self.job.workers:
            self.end_attempt("replaced", f"{some + more} workers are there, and it had {some}", now)

    def take_model(self, sender: Sender) -> None:
        """Note that the model is in storage."""
        self.seat(sender)
        assert self.running is not None  # noqa: S101 - the worker has a seat in it
        self.running.has_model = True

    def finish(self, sender: Sender, confusion: list[list[int]] | None) -> bool:
        """Note that a worker has come to the end; return whether all have, and `complete` is to be called."""
        seat = self.seat(sender)
        assert self.running is not None  # noqa: S101 - the worker has a seat in it
        if not seat.finished:
            seat.finished = True
            if confusion is not None:
                self.running.add_confusion(confusion)
        return self.running.finished

    def complete(self, now: float) -> None:
        """End the training, all of whose results are in storage."""
        if self.running is not None and self.running.finished:
            unfilled = "; ".join(f"{cause}, and nobody took its place" for cause in self.running.lost.values())
            history, epoch = self.training.history, self.running.epoch
            self.end_attempt("complete", unfilled, now)
            early = bool(history) and history[-1].epoch < self.job.epochs
            self.append(RunEnded(time=now, epoch=epoch, early=early))

    def close(self, now: float, error: TinderboxError | None = None) -> None:
        """End what runs, for the driver was asked to end, or by an error; nothing begins any more."""
        self.closed = True
        if self.running is not None:
            outcome: Outcome = "released" if error is None else "failed" if isinstance(error, BadInput) else "lost"
            self.end_attempt(outcome, "its driver was asked to end" if error is None else str(error), now)

    # Time

    def tick(self, now: float) -> None:
        """Let an attempt begin if it may, and end one whose workers are silent."""
        if now - self._looked > STANDSTILL_SECONDS:
            self._forgive(now - self._looked, now)
        self._looked = now
        for agent in self.crew.silent(now, FROZEN_SECONDS):
            self.crew.drop(agent.name)
            self.renewals.append(agent.name)
            told = f"the agent on {agent.node} was not heard of for {now - agent.heard:.0f} s"
            self._lose_agent(agent, "lost", told, now)
        if self.running is not None:
            self._look_at_workers(now)
        if self.running is None:
            self.begin_if_due(now)
        else:
            self.fill(now)

    def _forgive(self, seconds: float, now: float) -> None:
        self.crew.forgive(seconds, now)
        self.freed = min(self.freed + seconds, now)
        if self.running is not None:
            self.running.forgive(seconds, now)

    def _look_at_workers(self, now: float) -> None:
        running = self.running
        assert running is not None  # noqa: S101 - the caller has looked
        for told, rank in running.silent(now):
            self.lose(rank, "frozen", told, now)
            if self.running is not running:
                return
        if running.complaint is not None and now - running.complaint.time > GRACE_SECONDS:
            self.end_attempt("lost", running.complaint.cause, now, running.complaint.member)

    def _drop_earlier(self, name: str, now: float) -> None:
        """Forget the agents that Spark has begun a task with before, which it does where it has lost them."""
        for other in self.crew.of_task(name):
            if repetition_of(other.name) > repetition_of(name):
                raise StaleAttempt(f"{name} is not wanted any more, {other.name} is there for it")
            if other.name != name:
                self.crew.drop(other.name)
                self._lose_agent(other, "lost", "Spark has begun its task anew", now)

    def _lose_agent(self, agent: Agent, outcome: Outcome, cause: str, now: float) -> None:
        rank = self.running.rank_of(agent.name) if self.running else None
        if rank is not None:
            self.lose(rank, outcome, f"worker {rank} on {agent.node}: {cause}", now)
