"""Who runs which trial: leases with attempt numbers, liveness, and one decision for each report.

The coordinator is a plain state machine: it does no input or output, and time is passed in. Every change is an
event that goes to `record` before anything else sees it; the server holds back its reply until the record is safe.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tinderbox.errors import BadInput, StaleAttempt
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    Event,
    Outcome,
    Parameters,
    Reported,
    SlotJoined,
    SlotLeft,
    StudyEnded,
    StudyStarted,
    TrialProposed,
)
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Heartbeat, Lease, Report
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.study import State, Study, Trial


@dataclass(frozen=True)
class Rules:
    """What the coordinator decides by: `limit` trials and `seconds` of running time end the study where they are set.

    A slot that is silent for `lease_seconds` loses its trial; a trial lost more than `most_losses` times has failed.
    """

    seed: int
    epochs: int
    limit: int | None = None
    seconds: float | None = None
    lease_seconds: float = 20.0
    most_losses: int = 3
    ahead: int = 2


@dataclass
class Slot:
    """A slot as the coordinator knows it; `answer` is what its newest `request` got, None while it got no work."""

    name: str
    node: str
    host: str
    heard: float
    request: int = -1
    answer: Answer | None = None
    trial: int | None = None


class Coordinator:
    """Leases the trials of one study to slots."""

    def __init__(self, study: Study, rules: Rules, record: Callable[[Event], None], now: float) -> None:
        self.study, self.rules, self.slots = study, rules, dict[str, Slot]()
        self._record = record
        self._decisions: dict[int, tuple[tuple[int, int, bool], Decision]] = {}
        self._closing = self._closed = False
        self._append(StudyStarted(time=now, generation=study.generation + 1))
        self._waiting = deque(trial.number for trial in study.open.values() if trial.state is State.WAITING)
        self._release("the driver that leased it is gone", now)

    # Proposals

    def wanted(self) -> int | None:
        """Return the number of the next trial to be proposed, None while enough are waiting or none may follow."""
        number, limit = len(self.study.trials), self.rules.limit
        enough = len(self._waiting) >= max(len(self.slots), 1) + self.rules.ahead
        return None if self.is_ending or enough or (limit is not None and number >= limit) else number

    def propose(self, parameters: Parameters, known: int, baseline: bool, now: float) -> None:
        """Add the next trial; the search knew the first `known` trials that ended."""
        number = len(self.study.trials)
        seed = derive(self.rules.seed, number, "train")
        self._append(
            TrialProposed(time=now, trial=number, parameters=parameters, seed=seed, known=known, baseline=baseline)
        )
        self._waiting.append(number)

    # Slots

    @property
    def is_ending(self) -> bool:
        """Whether running trials are to end: the time is used up, or the driver stops."""
        return self._closing or self._closed

    def lease(self, ask: Ask, now: float) -> Answer:
        """Return the slot's next lease, or why there is none; a repeated request gets the same answer.

        Raises:
            StaleAttempt: The slot has sent a later request since; this one was late, and nobody waits for its answer.
        """
        slot = self._meet(ask, now)
        if ask.request < slot.request:
            raise StaleAttempt(f"slot {slot.name} has asked again since its request {ask.request}")
        if slot.answer is not None and slot.request == ask.request:
            return slot.answer
        if slot.trial is not None:
            self._end(self.study.trials[slot.trial], "lost", now, f"slot {slot.name} dropped it")
        answer = self._next(slot, now)
        slot.request, slot.answer = ask.request, answer if answer.lease or answer.done else None
        return answer

    def heartbeat(self, beat: Heartbeat, now: float) -> Decision:
        """Note that a slot is alive; tell it to stop a trial for which no time is left.

        Raises:
            StaleAttempt: The slot is not known, or the attempt it runs is not the trial's any more.
        """
        self._hear(beat.slot, now)
        if beat.trial is not None:
            self._current(beat.trial, beat.attempt, beat.slot)
        return Decision(action="stop" if self._closing else "go_on")

    def leave(self, name: str, cause: str, now: float) -> None:
        """Take a slot off the list, and its trial back."""
        slot = self.slots.pop(name, None)
        if slot is None:
            return
        if slot.trial is not None:
            self._end(self.study.trials[slot.trial], "lost", now, f"slot {name} on {slot.node} left: {cause}")
        self._append(SlotLeft(time=now, slot=name, cause=cause))

    def lose_host(self, host: str, cause: str, now: float) -> None:
        """Take all slots of a host off the list."""
        for name in [slot.name for slot in self.slots.values() if slot.host == host]:
            self.leave(name, cause, now)

    # Trials

    def report(self, number: int, report: Report, now: float) -> Decision:
        """Take a report into the study and decide what its trial does next; a repeated one gets the same decision.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
            BadInput: The study's metric is missing.
        """
        if self.study.metric not in report.metrics:
            raise BadInput(f"a report needs {self.study.metric}, got {', '.join(report.metrics) or 'nothing'}")
        self._hear(report.slot, now)
        key = (report.attempt, report.epoch, report.last)
        decided, decision = self._decisions.get(number, (None, Decision()))
        if decided == key:
            return decision
        trial = self._current(number, report.attempt, report.slot)
        if report.epoch > trial.epoch:
            metrics = report.metrics
            self._append(Reported(time=now, trial=number, attempt=report.attempt, epoch=report.epoch, metrics=metrics))
        decision = self._decide(trial, report, now)
        self._decisions[number] = (key, decision)
        return decision

    def check(self, number: int, attempt: int, slot: str) -> None:
        """Return if the attempt is the trial's current one and leased to this slot.

        Raises:
            StaleAttempt: It is not.
        """
        self._current(number, attempt, slot)

    def saved(self, checkpoint: CheckpointSaved, slot: str) -> None:
        """Note that the state of a trial's newest report is safe; a repeated note changes nothing.

        Raises:
            StaleAttempt: The attempt is not the trial's any more, or its newest report is another one.
        """
        trial = self._current(checkpoint.trial, checkpoint.attempt, slot)
        if checkpoint.epoch != trial.epoch:
            raise StaleAttempt(
                f"trial {trial.number} is at epoch {trial.epoch}, and this checkpoint at {checkpoint.epoch}"
            )
        kept = trial.checkpoint
        if kept is None or (kept.attempt, kept.epoch, kept.sha256) != (
            checkpoint.attempt,
            checkpoint.epoch,
            checkpoint.sha256,
        ):
            self._append(checkpoint)

    def finish(self, number: int, finish: Finish, now: float) -> Answer:
        """End an attempt and return the slot's next lease; an attempt that has already ended changes nothing.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
        """
        self._hear(finish.ask.slot, now)
        trial = self.study.trials.get(number)
        if trial is None or trial.state is State.RUNNING or trial.attempt != finish.attempt:
            trial = self._current(number, finish.attempt, finish.ask.slot)
            self._end(trial, finish.outcome, now, finish.cause, finish.details)
        return self.lease(finish.ask, now)

    # Time

    def tick(self, now: float) -> None:
        """Take back what silent slots held, and end the study when its time is used up or nothing is left."""
        for slot in [slot for slot in self.slots.values() if now - slot.heard > self.rules.lease_seconds]:
            self.leave(slot.name, f"silent for {now - slot.heard:.0f} s", now)
        if self.rules.seconds is not None and self.study.running_time(now) >= self.rules.seconds:
            self._closing = True
        if self.study.finished is None and self._is_over():
            self._append(
                StudyEnded(time=now, cause="its time is used up" if self._closing else "all trials have ended")
            )

    def close(self, now: float) -> None:
        """Give every running trial back, so that a later driver continues the study, and lease nothing more."""
        self._closed = True
        self._release("the driver was asked to stop", now)

    # What the above have in common

    def _append(self, event: Event) -> None:
        self._record(event)
        self.study.apply(event)

    def _release(self, cause: str, now: float) -> None:
        for trial in list(self.study.open.values()):
            if trial.state is State.RUNNING:
                self._end(trial, "released", now, cause)

    def _meet(self, ask: Ask, now: float) -> Slot:
        if ask.slot not in self.slots:
            self.slots[ask.slot] = Slot(ask.slot, ask.node, ask.host, now)
            self._append(SlotJoined(time=now, slot=ask.slot, node=ask.node))
        return self._hear(ask.slot, now)

    def _hear(self, name: str, now: float) -> Slot:
        if name not in self.slots:
            raise StaleAttempt(f"slot {name} was given up; it must ask for work again")
        slot = self.slots[name]
        slot.heard = now
        return slot

    def _current(self, number: int, attempt: int, slot: str) -> Trial:
        trial = self.study.trials.get(number)
        if trial is None or trial.state is not State.RUNNING or trial.attempt != attempt:
            raise StaleAttempt(f"attempt {attempt} of trial {number} is over")
        if trial.attempts[-1].slot != slot:
            raise StaleAttempt(f"trial {number} is leased to slot {trial.attempts[-1].slot}, not to {slot}")
        return trial

    def _next(self, slot: Slot, now: float) -> Answer:
        if self._closed or self._closing or not self._waiting:
            return Answer(done=self._closed or self._is_over())
        trial = self.study.trials[self._waiting.popleft()]
        attempt = trial.attempt + 1
        slot.trial = trial.number
        self._append(AttemptStarted(time=now, trial=trial.number, attempt=attempt, slot=slot.name, node=slot.node))
        return Answer(
            lease=Lease(
                trial=trial.number,
                attempt=attempt,
                parameters=trial.parameters,
                seed=trial.seed,
                epochs=self.rules.epochs,
            )
        )

    def _decide(self, trial: Trial, report: Report, now: float) -> Decision:
        value = report.metrics[self.study.metric]
        if not math.isfinite(value):
            self._end(trial, "diverged", now, f"{self.study.metric} was {value} in epoch {report.epoch}")
            return Decision(action="stop")
        if self._closing and not report.last:
            self._end(trial, "stopped", now, "the study's time is used up")
            return Decision(action="stop")
        wanted = trial.baseline or self.study.better(value, self.study.best_value)
        return Decision(save=report.last and report.can_save and wanted)

    def _end(self, trial: Trial, outcome: Outcome, now: float, cause: str = "", details: str = "") -> None:
        losses = sum(attempt.outcome == "lost" for attempt in trial.attempts)
        if outcome == "lost" and losses >= self.rules.most_losses:
            outcome, cause = "failed", f"lost {losses + 1} times, the last time because {cause}"
        slot = self.slots.get(trial.attempts[-1].slot)
        if slot is not None and slot.trial == trial.number:
            slot.trial = None
        number, attempt = trial.number, trial.attempt
        self._decisions.pop(number, None)
        self._append(
            AttemptEnded(time=now, trial=number, attempt=attempt, outcome=outcome, cause=cause, details=details)
        )
        if trial.state is State.WAITING:
            self._waiting.appendleft(number)

    def _is_over(self) -> bool:
        limit, counts = self.rules.limit, self.study.counts
        all_proposed = self._closing or (limit is not None and len(self.study.trials) >= limit)
        waiting = 0 if self._closing else counts[State.WAITING]
        return all_proposed and not waiting and not counts[State.RUNNING]
