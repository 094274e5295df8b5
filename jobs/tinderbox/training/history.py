"""A run of a training, as its events add up: attempts, epochs, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tinderbox.training.record import (
    EVENTS,
    AttemptBegan,
    AttemptEnded,
    CheckpointKept,
    EpochEnded,
    Event,
    Member,
    RunBegan,
    RunEnded,
    WorkerReplaced,
)


@dataclass
class Attempt:
    """One attempt: who was in it, where it began, and how it ended, None while it runs."""

    began: AttemptBegan
    members: dict[int, Member]
    replaced: list[WorkerReplaced] = field(default_factory=list)
    ended: AttemptEnded | None = None
    progress: int = 0
    """How many epochs and checkpoints it has made."""
    last: EpochEnded | None = None
    """The last epoch that it ended: where the next attempt began before it, the history has another in its place."""

    @property
    def number(self) -> int:
        """Which attempt it is, counted from 1."""
        return self.began.attempt


@dataclass
class Training:
    """A run, rebuilt from its events.

    `history` has each epoch once, as the last attempt that trained it did. `checkpoints` are those that were kept, by
    their step; older ones may be gone from storage. `started` is when the first driver took the run over and `resumed`
    when the newest one did, `spent` the seconds of those before it; `ended` says that it is over.
    """

    generation: int = 0
    workers: int = 0
    epochs: int = 0
    started: float | None = None
    resumed: float = 0.0
    spent: float = 0.0
    newest: float = 0.0
    attempts: list[Attempt] = field(default_factory=list)
    history: list[EpochEnded] = field(default_factory=list)
    checkpoints: dict[int, CheckpointKept] = field(default_factory=dict)
    ended: RunEnded | None = None

    @property
    def running(self) -> Attempt | None:
        """The attempt that has not ended."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].ended is None else None

    def running_time(self, now: float) -> float:
        """Return for how many seconds drivers have worked on it, the time between drivers left out."""
        return 0.0 if self.started is None else self.spent + now - self.resumed

    def apply(self, event: Event) -> None:
        """Take one event into the state."""
        _TAKE[type(event)](self, event)
        self.newest = event.time

    def _resume(self, event: RunBegan) -> None:
        self.spent = self.running_time(self.newest)
        if self.running is not None:  # a driver that was killed could not say so
            self._end(_superseded(self.running.number, self.newest))
        self.generation, self.resumed = event.generation, event.time
        self.workers, self.epochs = event.workers, event.epochs
        self.started = event.time if self.started is None else self.started
        self.ended = None

    def _begin(self, event: AttemptBegan) -> None:
        self.attempts.append(Attempt(event, {member.rank: member for member in event.members}))
        self.history = [row for row in self.history if row.epoch <= event.epoch]
        self.checkpoints = {step: kept for step, kept in self.checkpoints.items() if step <= event.step}

    def _replace(self, event: WorkerReplaced) -> None:
        attempt = self.attempts[event.attempt - 1]
        attempt.replaced.append(event)
        attempt.members[event.member.rank] = event.member

    def _learn(self, event: EpochEnded) -> None:
        attempt = self.attempts[event.attempt - 1]
        attempt.progress, attempt.last = attempt.progress + 1, event
        self.history = [*(row for row in self.history if row.epoch < event.epoch), event]

    def _keep(self, event: CheckpointKept) -> None:
        self.attempts[event.attempt - 1].progress += 1
        self.checkpoints[event.step] = event

    def _end(self, event: AttemptEnded) -> None:
        self.attempts[event.attempt - 1].ended = event

    def _finish(self, event: RunEnded) -> None:
        self.ended = event


def _superseded(attempt: int, time: float) -> AttemptEnded:
    return AttemptEnded(time=time, attempt=attempt, outcome="superseded", cause="its driver ended")


_TAKE: dict[type, Callable[[Training, Any], None]] = {
    RunBegan: Training._resume,
    AttemptBegan: Training._begin,
    WorkerReplaced: Training._replace,
    EpochEnded: Training._learn,
    CheckpointKept: Training._keep,
    AttemptEnded: Training._end,
    RunEnded: Training._finish,
}
"""What each kind of event does to a run."""


def rebuild(segments: Iterable[bytes]) -> Training:
    """Return the run that a record adds up to.

    Raises:
        TinderboxError: A line inside a segment is not an event, or tells of what was never begun.
    """
    training = Training()
    EVENTS.rebuild(segments, training.apply)
    return training
