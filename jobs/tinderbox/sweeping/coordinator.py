"""Who runs which trial: leases with attempt numbers, liveness, and one decision for each report.

The coordinator is a plain state machine: it does no input or output, and time is passed in. Every change is an
event that goes to `record` before anything else sees it; the server holds back its reply until the record is safe.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import Literal

from tinderbox.config import AnyParameter
from tinderbox.errors import BadInput, StaleAttempt
from tinderbox.sweeping.attempts import Attempts
from tinderbox.sweeping.confirming import confirmations, next_repeat
from tinderbox.sweeping.decisions import TIME_IS_UP, Decisions, judge
from tinderbox.sweeping.events import (
    CheckpointSaved,
    Event,
    Parameters,
    PastTrial,
    RoundStarted,
    SlotJoined,
    SlotLeft,
    StudyEnded,
    StudyStarted,
    TrialProposed,
    TrialsRecalled,
)
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Heartbeat, Report
from tinderbox.sweeping.past import Past, look
from tinderbox.sweeping.roster import Roster, Slot
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.study import Study

STOPPING = "the driver was asked to stop"

PAUSE_SECONDS = 10.0
"""For so long trials may go on to their next report when they are to pause, as the driver stops or time is used up."""


class Coordinator:
    """Leases the trials of one study to slots."""

    def __init__(self, study: Study, rules: Rules, record: Callable[[Event], None], now: float) -> None:
        self.study = study
        self._attempts = Attempts(study, rules, record)
        self._checkpoints = self._attempts.checkpoints
        self._decisions = Decisions(self._attempts)
        self._closing = self._closed = False
        self._attempts.append(StudyStarted(time=now, generation=study.generation + 1))
        self._attempts.release("the driver that leased it is gone", now)
        self._checkpoints.tidy(now)

    @property
    def roster(self) -> Roster:
        """The slots that are there."""
        return self._attempts.roster

    @property
    def rules(self) -> Rules:
        """What the study is run by now."""
        return self._attempts.rules

    def clear_garbage(self) -> list[str]:
        """Return the files that no trial needs any more, once."""
        garbage, self._checkpoints.garbage = self._checkpoints.garbage, []
        return garbage

    # Proposals

    def wanted(self) -> int | None:
        """Return the number of the next trial to be proposed, None while enough are waiting or none may follow."""
        enough = len(self._attempts.turns) >= max(len(self.roster.slots), 1) + self.rules.ahead
        return None if self.is_ending or enough or self._attempts.all_proposed else len(self.study.trials)

    def propose(
        self, parameters: Parameters, known: int, baseline: bool, now: float, repeats: int | None = None
    ) -> None:
        """Add the next trial; the search knew the first `known` trials that ended."""
        number = len(self.study.trials)
        self._attempts.append(
            TrialProposed(
                time=now,
                trial=number,
                parameters=parameters,
                seed=derive(self.rules.seed, number, "train"),
                known=known,
                baseline=baseline,
                repeats=repeats,
            )
        )
        self._attempts.turns.add(self.study.trials[number])

    def repeat(self, now: float) -> bool:
        """Add a repeat of one of the leaders, if the search is over and one is wanted; return whether it was."""
        leader = None if self.is_ending or self._may_follow() else self._next_repeat()
        if leader is not None:
            self.propose(leader.parameters, len(self.study.ended), False, now, leader.number)
        return leader is not None

    def allow(self, limit: int | None, seconds: float | None) -> None:
        """Let a study that runs have other limits, which were raised; its search is over once leaders are repeated."""
        if self.study.repeats:
            limit = self.rules.limit
        self._attempts.rules = dataclasses.replace(self.rules, limit=limit, seconds=seconds)
        if seconds is None or self.study.running_time(self.study.newest) < seconds:
            self._closing = False

    def recall(self, study: str, trials: list[PastTrial], now: float) -> None:
        """Take what an earlier study knows into this one's record, before its first trial."""
        self._attempts.append(TrialsRecalled(time=now, study=study, trials=trials))

    def narrow(self, space: dict[str, AnyParameter], cause: str, now: float) -> None:
        """Begin the next round of the search, in a space of its own."""
        number, count = len(self.study.rounds) + 2, len(self.study.trials)
        self._attempts.append(RoundStarted(time=now, round=number, trial=count, space=space, cause=cause))

    def look(self) -> Past:
        """Return what a search that needs time may know now."""
        rungs = self._attempts.rungs
        return look(self.study, () if rungs is None else rungs.waiting())

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
        slot, is_new = self.roster.meet(ask, now)
        if is_new:
            self._attempts.append(SlotJoined(time=now, slot=slot.name, node=slot.node))
        if ask.request < slot.request:
            raise StaleAttempt(f"slot {slot.name} has asked again since its request {ask.request}")
        if (answer := slot.answer_to(ask)) is not None:
            return answer
        if slot.trial is not None:
            self._attempts.end(self.study.trials[slot.trial], "lost", f"slot {slot.name} dropped it", now)
        answer = self._next(slot, now)
        slot.request, slot.answer = ask.request, answer if answer.lease or answer.done else None
        return answer

    def heartbeat(self, beat: Heartbeat, now: float) -> Decision:
        """Note that a slot is alive; tell it to stop a trial for which no time is left, not even to save its state.

        Raises:
            StaleAttempt: The slot is not known, or the attempt it runs is not the trial's any more.
        """
        slot = self.roster.hear(beat.slot, now)
        slot.memory, slot.leaving = beat.memory, slot.leaving or beat.leaving
        if beat.trial is not None:
            self._attempts.current(beat.trial, beat.attempt, beat.slot)
        is_late = self.rules.seconds is not None and self.study.running_time(now) >= self.rules.seconds + PAUSE_SECONDS
        return Decision(action="stop" if self._closing and (is_late or not slot.can_save) else "go_on")

    def leave(self, name: str, cause: str, now: float, outcome: Literal["lost", "out_of_memory"] = "lost") -> None:
        """Take a slot off the list, and its trial back."""
        slot = self.roster.slots.pop(name, None)
        if slot is None:
            return
        if slot.trial is not None:
            self._attempts.end(self.study.trials[slot.trial], outcome, f"slot {name} on {slot.node} left: {cause}", now)
        self._attempts.append(SlotLeft(time=now, slot=name, cause=cause))

    def dismiss(self, names: Collection[str]) -> None:
        """Let slots end after the next report of their trials, which go on elsewhere."""
        for name in names:
            if name in self.roster.slots:
                self.roster.slots[name].leaving = True

    def lose_host(self, host: str, cause: str, now: float, out_of_memory: bool = False) -> None:
        """Take all slots of a host off the list; of those that ran out of memory together, the largest trial did it."""
        for number, slot in enumerate(self.roster.on_host(host)):
            self.leave(slot.name, cause, now, "out_of_memory" if out_of_memory and number == 0 else "lost")

    # Trials

    def report(self, number: int, report: Report, now: float) -> Decision:
        """Take a report into the study and decide what its trial does next; a repeated one gets the same decision.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
            BadInput: A metric that the study compares its trials by is missing.
        """
        missing = [name for name in self.study.reported if name not in report.metrics]
        if missing:
            raise BadInput(f"a report needs {' and '.join(missing)}, got {', '.join(report.metrics) or 'nothing'}")
        slot = self.roster.hear(report.slot, now)
        decided = self._decisions.remembered(number, report)
        if decided is not None and decided.action == "stop":  # which ended the attempt that asks again
            return decided
        trial = self._attempts.current(number, report.attempt, report.slot)
        slot.can_save = report.can_save
        return decided or self._decisions.take(trial, report, slot, self._closing, now)

    def check(self, number: int, attempt: int, slot: str) -> None:
        """Return if the attempt is the trial's current one and leased to this slot.

        Raises:
            StaleAttempt: It is not.
        """
        self._attempts.current(number, attempt, slot)

    def resume(self, number: int, attempt: int, slot: str) -> str:
        """Return where the state is kept that an attempt goes on from.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
            BadInput: It begins anew.
        """
        trial = self._attempts.current(number, attempt, slot)
        if trial.checkpoint is None:
            raise BadInput(f"attempt {attempt} of trial {number} begins anew, so there is no checkpoint to fetch")
        return trial.checkpoint.path

    def miss(self, number: int, path: str, now: float) -> None:
        """Note that a trial's state is not in storage any more, so that its next attempt begins anew."""
        self._checkpoints.miss(self.study.trials[number], path, now)

    def saved(self, checkpoint: CheckpointSaved, slot: str) -> None:
        """Note that the state of a trial's newest report is safe; a repeated note changes nothing.

        Raises:
            StaleAttempt: The attempt is not the trial's any more, or its newest report is another one.
        """
        try:
            trial = self._attempts.current(checkpoint.trial, checkpoint.attempt, slot)
            self._checkpoints.keep(trial, checkpoint)
        except StaleAttempt:
            self._checkpoints.refuse(checkpoint)
            raise
        self.roster.forgive(trial.attempts[-1].node)

    def finish(self, number: int, finish: Finish, now: float) -> Answer:
        """End an attempt and return the slot's next lease; an attempt that has already ended changes nothing.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
        """
        slot, trial = self.roster.hear(finish.ask.slot, now), self.study.trials.get(number)
        if (answer := slot.answer_to(finish.ask)) is not None:  # perhaps with this very trial, promoted at once
            return answer
        if trial is None or trial.state is State.RUNNING or trial.attempt != finish.attempt:
            trial = self._attempts.current(number, finish.attempt, finish.ask.slot)
            self._attempts.end(trial, *judge(self.study, trial, finish, self._reason), now, finish.details)
        return self.lease(finish.ask, now)

    # Time

    def tick(self, now: float) -> None:
        """Take back what silent slots held, and end the study when its time is used up or nothing is left."""
        for slot in self.roster.silent(now, self.rules.lease_seconds):
            self.leave(slot.name, f"silent for {now - slot.heard:.0f} s", now)
        self._attempts.time_out(now)
        if self.rules.seconds is not None and self.study.running_time(now) >= self.rules.seconds:
            self._closing = True
        if self.study.finished is None and self._is_over():
            cause = "its time is used up" if self._closing else "all trials have ended"
            self._attempts.append(StudyEnded(time=now, cause=cause, best=self._find_winner()))

    def suspend(self) -> None:
        """Lease nothing more, and let trials pause with their next reports where their functions can save."""
        self._closed = True
        self.dismiss(self.roster.slots)

    @property
    def may_pause(self) -> bool:
        """Whether a running trial can save its state, as far as is known: one that has not reported yet may."""
        return any(slot.trial is not None and slot.can_save for slot in self.roster.slots.values())

    def close(self, now: float) -> None:
        """Give every running trial back, so that a later driver continues the study, and lease nothing more."""
        self._closed = True
        self._attempts.release(STOPPING, now)

    def _next(self, slot: Slot, now: float) -> Answer:
        trial = None if self.is_ending or slot.leaving else self._attempts.choose(slot, now)
        if trial is None:
            return Answer(done=self._closed or slot.leaving or self._is_over())
        return Answer(lease=self._attempts.start(trial, slot, now))

    @property
    def _reason(self) -> str:
        """Why trials pause that no rung holds."""
        if self._closed:
            return STOPPING
        return TIME_IS_UP if self._closing else "its slot is being taken away"

    def _is_over(self) -> bool:
        counts = self.study.counts
        if self._closing or counts[State.RUNNING]:
            return not counts[State.RUNNING]
        return not counts[State.WAITING] and not self._may_follow() and self._next_repeat() is None

    def _may_follow(self) -> bool:
        """Whether the search may propose another trial, or let one go on that is paused."""
        return not self._attempts.all_proposed or self._attempts.promotion() is not None

    def _find_winner(self) -> int | None:
        """Return the winner where it is not the best complete trial: of the repeats, or of a search without time."""
        confirmed = confirmations(self.study)
        if confirmed:
            return confirmed[0].trial.number
        return None if self.study.best is not None else self._attempts.leader()

    def _next_repeat(self) -> Trial | None:
        return next_repeat(self.study, self.rules.top, self.rules.seeds)
