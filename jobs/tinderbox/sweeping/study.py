"""The state of a study: what its events add up to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinderbox.config import Constraint, Metric
from tinderbox.sweeping.events import (
    LOSSES,
    AttemptEnded,
    AttemptStarted,
    CheckpointFreed,
    CheckpointSaved,
    Event,
    NodeAvoided,
    Outcome,
    Reported,
    RoundStarted,
    RungDecided,
    SlotJoined,
    SlotLeft,
    StudyEnded,
    StudyStarted,
    TrialProposed,
    TrialsRecalled,
)
from tinderbox.sweeping.history import Attempt, Checkpoint, State, Trial

UNWANTED = "there are to be fewer slots"
"""Why a slot leaves that was not lost."""


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

    `metric` says which trial is best; `further` objectives and `constraints` on what is reported stand beside it.
    `paused` are the open ones that wait on a rung, in the order in which they came there, and `rounds` what the search
    was narrowed to. `recalled` are trials of an earlier study, under numbers below 0.
    `told` counts reports, `outcomes` how attempts have ended, and `lost` the slots of each node that went before their
    time. `freed` is the size of the checkpoints that were thrown away, in bytes, and `avoided` says since when and why
    nodes get no more trials. `started` is when the first driver took the study over and `resumed` when the newest one
    did; `spent` is the time in seconds that earlier drivers worked on it, and `newest` the time of the newest event.
    """

    metric: str
    direction: str
    further: Sequence[Metric] = ()
    constraints: Sequence[Constraint] = ()
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
    paused: dict[int, Trial] = field(default_factory=dict)
    rounds: list[RoundStarted] = field(default_factory=list)
    recalled: list[Trial] = field(default_factory=list)
    slots: list[SlotLife] = field(default_factory=list)
    told: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    freed: int = 0
    avoided: dict[str, NodeAvoided] = field(default_factory=dict)
    repeats: dict[int, list[Trial]] = field(default_factory=dict)
    best: Trial | None = None
    baseline: Trial | None = None

    @property
    def signs(self) -> dict[str, int]:
        """All objectives, the metric first, with what their values are multiplied by so that less is better."""
        return {
            self.metric: 1 if self.direction == "minimize" else -1,
            **{objective.name: objective.sign for objective in self.further},
        }

    @property
    def reported(self) -> tuple[str, ...]:
        """The metrics that every report must carry."""
        return tuple(dict.fromkeys([*self.signs, *(rule.name for rule in self.constraints)]))

    def broken(self, values: Mapping[str, float]) -> str:
        """Return in words which constraints values break, empty where they keep all: then they are feasible."""
        broken = [rule for rule in self.constraints if rule.name in values and rule.excess(values[rule.name]) > 0]
        return " and ".join(f"{rule.name} is {values[rule.name]:.6g}, not {rule.bound}" for rule in broken)

    def may_win(self, trial: Trial) -> bool:
        """Whether a trial can be the best one: complete, feasible, and no repeat."""
        value = trial.value(self.metric) if trial.state is State.COMPLETE and trial.repeats is None else None
        return value is not None and math.isfinite(value) and not self.broken(trial.last)

    @property
    def best_value(self) -> float | None:
        """The value of the best complete trial, None where none is complete."""
        return self.best.value(self.metric) if self.best else None

    def running_time(self, now: float) -> float:
        """Return for how many seconds drivers have worked on the study, the time between drivers left out."""
        return self.spent + now - self.resumed if self.started else 0.0

    def ranked(self) -> list[Trial]:
        """Return the trials that can be the best one, best first, the earlier of equals first."""
        return sorted(filter(self.may_win, self.trials.values()), key=self.rank)

    def rank(self, trial: Trial) -> tuple[float, int]:
        """Return what sorts trials by their last reports, the best first, the earlier of equals first."""
        return self.signs[self.metric] * trial.last[self.metric], trial.number

    def apply(self, event: Event) -> None:
        """Take one event into the state."""
        _TAKE[type(event)](self, event)
        self.newest = event.time

    def _resume(self, event: StudyStarted) -> None:
        self.spent = self.running_time(self.newest)
        for life in self.slots:  # a driver that died could not say that its slots had ended with it
            if life.left is None:
                life.left, life.cause = self.newest, "its driver ended"
        self.generation, self.resumed = event.generation, event.time
        self.started = self.started or event.time
        self.finished, self.cause = None, ""
        if self.best is not None and not self.may_win(self.best):  # it led when the time was up, and goes on
            self.best = next(iter(self.ranked()), None)

    def _propose(self, event: TrialProposed) -> None:
        trial = Trial(event.trial, event.parameters, event.seed, event.baseline, event.repeats)
        if event.repeats is not None:
            self.repeats.setdefault(event.repeats, []).append(trial)
        self.trials[event.trial] = self.open[event.trial] = trial
        self.counts[trial.state] += 1
        if event.baseline:
            self.baseline = trial

    def _recall(self, event: TrialsRecalled) -> None:
        for number, past in enumerate(event.trials, start=-len(event.trials)):
            trial = Trial(number, past.parameters, seed=0, baseline=False, state=State(past.state))
            trial.reports = {epoch: {self.metric: value} for epoch, value in past.curve.items()}
            self.recalled.append(trial)

    def _narrow(self, event: RoundStarted) -> None:
        self.rounds.append(event)

    def _start(self, event: AttemptStarted) -> None:
        trial = self.trials[event.trial]
        trial.halted = None
        trial.reports = {epoch: told for epoch, told in trial.reports.items() if epoch <= trial.kept}
        trial.attempts.append(Attempt(event.attempt, event.slot, event.node, event.time))
        self._move(trial, State.RUNNING)

    def _report(self, event: Reported) -> None:
        self.told += 1
        self.trials[event.trial].reports[event.epoch] = event.metrics

    def _save(self, event: CheckpointSaved) -> None:
        trial = self.trials[event.trial]
        trial.checkpoint = Checkpoint(event.attempt, event.epoch, event.path, event.sha256, event.size)
        attempt = trial.attempts[event.attempt - 1]
        attempt.saved = True
        self.avoided.pop(attempt.node, None)

    def _free(self, event: CheckpointFreed) -> None:
        trial = self.trials[event.trial]
        self.freed += event.size
        if trial.checkpoint is not None and trial.checkpoint.path == event.path:
            trial.checkpoint = None

    def _decide(self, event: RungDecided) -> None:
        trial = self.trials[event.trial]
        trial.halted = event.epoch if event.action == "pause" else None
        if event.action == "go_on":
            trial.passed = event.epoch
            if trial.state is State.PAUSED:
                self._move(trial, State.WAITING)

    def _end(self, event: AttemptEnded) -> None:
        trial = self.trials[event.trial]
        attempt = trial.attempts[event.attempt - 1]
        attempt.ended, attempt.outcome = event.time, event.outcome
        attempt.cause, attempt.details = event.cause, event.details
        self.outcomes[event.outcome] += 1
        if event.outcome not in (*LOSSES, "released"):
            self.avoided.pop(attempt.node, None)
        self._move(trial, trial.state_after(event.outcome))
        if trial.state.ended:
            self.ended.append(self.open.pop(trial.number))
        best = self.best
        if self.may_win(trial) and (best is None or not best.reports or self.rank(trial) < self.rank(best)):
            self.best = trial

    def _move(self, trial: Trial, state: State) -> None:
        self.counts[trial.state] -= 1
        self.counts[state] += 1
        trial.state = state
        self.paused.pop(trial.number, None)
        if state is State.PAUSED:
            self.paused[trial.number] = trial

    def _join(self, event: SlotJoined) -> None:
        self.slots.append(SlotLife(event.slot, event.node, event.time))
        self.lost[event.node] += 0  # Prometheus sees no growth in a count that begins with its first loss

    def _avoid(self, event: NodeAvoided) -> None:
        self.avoided[event.node] = event

    def _finish(self, event: StudyEnded) -> None:
        self.finished, self.cause = event.time, event.cause
        if event.best is not None:
            self.best = self.trials[event.best]

    def _leave(self, event: SlotLeft) -> None:
        for life in self.slots:
            if life.slot == event.slot and life.left is None:
                life.left, life.cause = event.time, event.cause
                self.lost[life.node] += event.cause != UNWANTED


_TAKE: dict[type, Callable[[Study, Any], None]] = {
    StudyStarted: Study._resume,
    TrialsRecalled: Study._recall,
    TrialProposed: Study._propose,
    RoundStarted: Study._narrow,
    AttemptStarted: Study._start,
    Reported: Study._report,
    CheckpointSaved: Study._save,
    CheckpointFreed: Study._free,
    RungDecided: Study._decide,
    AttemptEnded: Study._end,
    SlotJoined: Study._join,
    SlotLeft: Study._leave,
    NodeAvoided: Study._avoid,
    StudyEnded: Study._finish,
}
"""What each kind of event does to a study."""
