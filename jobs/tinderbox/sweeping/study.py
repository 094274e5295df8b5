"""The state of a study: what its events add up to."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    Event,
    Metrics,
    Outcome,
    Parameters,
    Reported,
    SlotJoined,
    SlotLeft,
    StudyEnded,
    StudyStarted,
    TrialProposed,
)


class State(StrEnum):
    """Where a trial stands."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    DIVERGED = "diverged"
    STOPPED = "stopped"

    @property
    def ended(self) -> bool:
        """Whether the trial will never run again."""
        return self not in (State.WAITING, State.RUNNING)


_STATE_AFTER: dict[Outcome, State] = {
    "complete": State.COMPLETE,
    "failed": State.FAILED,
    "diverged": State.DIVERGED,
    "stopped": State.STOPPED,
    "lost": State.WAITING,
    "released": State.WAITING,
}


@dataclass
class Attempt:
    """One lease of a trial: who ran it, when, and how it ended."""

    number: int
    slot: str
    node: str
    started: float
    ended: float | None = None
    outcome: Outcome | None = None
    cause: str = ""
    details: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a trial after one epoch; `path` is relative to the study's folder."""

    attempt: int
    epoch: int
    path: str
    sha256: str
    size: int


@dataclass
class Trial:
    """One point of the space and all that happened to it; `reports` maps epochs to metrics."""

    number: int
    parameters: Parameters
    seed: int
    baseline: bool
    state: State = State.WAITING
    attempts: list[Attempt] = field(default_factory=list)
    reports: dict[int, Metrics] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None

    @property
    def attempt(self) -> int:
        """The number of the newest attempt, 0 before the first."""
        return len(self.attempts)

    @property
    def epoch(self) -> int:
        """The last epoch reported, 0 before the first."""
        return max(self.reports, default=0)

    @property
    def cause(self) -> str:
        """Why the newest attempt ended, empty where there is nothing to explain."""
        return self.attempts[-1].cause if self.attempts else ""

    @property
    def seconds(self) -> float:
        """How long the attempts that ended ran, in seconds."""
        return sum(attempt.ended - attempt.started for attempt in self.attempts if attempt.ended is not None)

    def value(self, metric: str) -> float | None:
        """Return the metric's last report, None where there is none."""
        return self.reports[self.epoch].get(metric) if self.reports else None

    def curve(self, metric: str) -> list[tuple[int, float]]:
        """Return epochs and values of a metric in order."""
        return [(epoch, metrics[metric]) for epoch, metrics in sorted(self.reports.items()) if metric in metrics]


@dataclass
class SlotLife:
    """When a slot joined, on which node, and when and why it left."""

    slot: str
    node: str
    joined: float
    left: float | None = None
    cause: str = ""


@dataclass
class Study:
    """A study, rebuilt from its events; `ended` lists trials in the order in which they ended, `open` the others.

    `started` is when the first driver took it over and `resumed` when the newest one did; `spent` is the time in
    seconds that earlier drivers worked on it, and `newest` the time of the newest event.
    """

    metric: str
    direction: str
    generation: int = 0
    started: float | None = None
    resumed: float = 0.0
    spent: float = 0.0
    newest: float = 0.0
    finished: float | None = None
    cause: str = ""
    trials: dict[int, Trial] = field(default_factory=dict)
    counts: Counter[State] = field(default_factory=Counter)
    ended: list[Trial] = field(default_factory=list)
    open: dict[int, Trial] = field(default_factory=dict)
    slots: list[SlotLife] = field(default_factory=list)
    best: Trial | None = None
    baseline: Trial | None = None

    def better(self, value: float, than: float | None) -> bool:
        """Whether a value beats another one in this study's direction; a finite value beats none at all."""
        if not math.isfinite(value):
            return False
        return than is None or (value < than if self.direction == "minimize" else value > than)

    @property
    def best_value(self) -> float | None:
        """The value of the best complete trial, None where none is complete."""
        return self.best.value(self.metric) if self.best else None

    def running_time(self, now: float) -> float:
        """Return for how many seconds drivers have worked on the study, the time between drivers left out."""
        return self.spent + now - self.resumed if self.started else 0.0

    def ranked(self) -> list[Trial]:
        """Return the complete trials that have a value, best first, the earlier of equals first."""
        sign = 1 if self.direction == "minimize" else -1
        keys = {
            trial.number: (sign * value, trial.number)
            for trial in self.trials.values()
            if trial.state is State.COMPLETE
            and (value := trial.value(self.metric)) is not None
            and math.isfinite(value)
        }
        return [self.trials[number] for number in sorted(keys, key=keys.__getitem__)]

    def apply(self, event: Event) -> None:
        """Take one event into the state."""
        match event:
            case StudyStarted():
                self._resume(event)
            case TrialProposed():
                self._propose(event)
            case AttemptStarted():
                self._start(event)
            case Reported():
                self.trials[event.trial].reports[event.epoch] = event.metrics
            case CheckpointSaved():
                checkpoint = Checkpoint(event.attempt, event.epoch, event.path, event.sha256, event.size)
                self.trials[event.trial].checkpoint = checkpoint
            case AttemptEnded():
                self._end(event)
            case SlotJoined():
                self.slots.append(SlotLife(event.slot, event.node, event.time))
            case SlotLeft():
                self._leave(event)
            case StudyEnded():
                self.finished, self.cause = event.time, event.cause
        self.newest = event.time

    def _resume(self, event: StudyStarted) -> None:
        self.spent = self.running_time(self.newest)
        for life in self.slots:  # a driver that died could not say that its slots had ended with it
            if life.left is None:
                life.left, life.cause = self.newest, "its driver ended"
        self.generation, self.resumed = event.generation, event.time
        self.started = self.started or event.time
        self.finished, self.cause = None, ""

    def _propose(self, event: TrialProposed) -> None:
        trial = Trial(event.trial, event.parameters, event.seed, event.baseline)
        self.trials[event.trial] = self.open[event.trial] = trial
        self.counts[trial.state] += 1
        if event.baseline:
            self.baseline = trial

    def _start(self, event: AttemptStarted) -> None:
        trial = self.trials[event.trial]
        trial.reports = {}
        trial.attempts.append(Attempt(event.attempt, event.slot, event.node, event.time))
        self._move(trial, State.RUNNING)

    def _end(self, event: AttemptEnded) -> None:
        trial = self.trials[event.trial]
        attempt = trial.attempts[event.attempt - 1]
        attempt.ended, attempt.outcome = event.time, event.outcome
        attempt.cause, attempt.details = event.cause, event.details
        self._move(trial, _STATE_AFTER[event.outcome])
        if trial.state.ended:
            self.ended.append(self.open.pop(trial.number))
        value = trial.value(self.metric)
        if trial.state is State.COMPLETE and value is not None and self.better(value, self.best_value):
            self.best = trial

    def _move(self, trial: Trial, state: State) -> None:
        self.counts[trial.state] -= 1
        self.counts[state] += 1
        trial.state = state

    def _leave(self, event: SlotLeft) -> None:
        for life in self.slots:
            if life.slot == event.slot and life.left is None:
                life.left, life.cause = event.time, event.cause
