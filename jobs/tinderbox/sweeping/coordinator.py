"""Who runs which trial: leases with attempt numbers, liveness, and one decision for each report.

The coordinator is a plain state machine: it does no input or output, and time is passed in. Every change is an
event that goes to `record` before anything else sees it; the server holds back its reply until the record is safe.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tinderbox.errors import BadInput, StaleAttempt
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointFreed,
    CheckpointSaved,
    Event,
    NodeAvoided,
    Outcome,
    Parameters,
    Reported,
    RungDecided,
    SlotJoined,
    SlotLeft,
    StudyEnded,
    StudyStarted,
    TrialProposed,
)
from tinderbox.sweeping.history import Checkpoint, State, Trial
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Heartbeat, Lease, Report, Resume
from tinderbox.sweeping.roster import Roster, Slot
from tinderbox.sweeping.rungs import Ladder, Rungs
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.study import Study
from tinderbox.sweeping.turns import Turns


@dataclass(frozen=True)
class Rules:
    """What the coordinator decides by: `limit` trials and `seconds` of running time end the study where they are set.

    A slot that is silent for `lease_seconds` loses its trial; a trial lost more than `most_losses` times has failed,
    and so has one whose attempt takes longer than `trial_seconds`. A node that loses `node_losses` attempts in a row is
    avoided. A trial's state is saved every `checkpoint_epochs` epochs, and once it is `checkpoint_seconds` old.
    """

    seed: int
    epochs: int
    limit: int | None = None
    seconds: float | None = None
    ladder: Ladder | None = None
    trial_seconds: float | None = None
    checkpoint_epochs: int | None = None
    checkpoint_seconds: float | None = None
    lease_seconds: float = 20.0
    most_losses: int = 3
    node_losses: int = 3
    ahead: int = 2


class Coordinator:
    """Leases the trials of one study to slots; `garbage` lists the files that no trial needs any more."""

    def __init__(self, study: Study, rules: Rules, record: Callable[[Event], None], now: float) -> None:
        self.study, self.rules, self.roster = study, rules, Roster()
        self.garbage: list[str] = []
        self._record = record
        self._saved: dict[int, float] = {}
        self._decisions: dict[int, tuple[tuple[int, int, bool], Decision]] = {}
        self._closing = self._closed = False
        self._append(StudyStarted(time=now, generation=study.generation + 1))
        self._turns, self._rungs = Turns(study.open.values()), self._climb()
        self._release("the driver that leased it is gone", now)

    # Proposals

    def wanted(self) -> int | None:
        """Return the number of the next trial to be proposed, None while enough are waiting or none may follow."""
        number, limit = len(self.study.trials), self.rules.limit
        enough = len(self._turns) >= max(len(self.roster.slots), 1) + self.rules.ahead
        return None if self.is_ending or enough or (limit is not None and number >= limit) else number

    def propose(self, parameters: Parameters, known: int, baseline: bool, now: float) -> None:
        """Add the next trial; the search knew the first `known` trials that ended."""
        number = len(self.study.trials)
        seed = derive(self.rules.seed, number, "train")
        self._append(
            TrialProposed(time=now, trial=number, parameters=parameters, seed=seed, known=known, baseline=baseline)
        )
        self._turns.add(self.study.trials[number])

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
            self._append(SlotJoined(time=now, slot=slot.name, node=slot.node))
        if ask.request < slot.request:
            raise StaleAttempt(f"slot {slot.name} has asked again since its request {ask.request}")
        if slot.answer is not None and slot.request == ask.request:
            return slot.answer
        if slot.trial is not None:
            self._end(self.study.trials[slot.trial], "lost", f"slot {slot.name} dropped it", now)
        answer = self._next(slot, now)
        slot.request, slot.answer = ask.request, answer if answer.lease or answer.done else None
        return answer

    def heartbeat(self, beat: Heartbeat, now: float) -> Decision:
        """Note that a slot is alive; tell it to stop a trial for which no time is left.

        Raises:
            StaleAttempt: The slot is not known, or the attempt it runs is not the trial's any more.
        """
        slot = self.roster.hear(beat.slot, now)
        slot.memory, slot.leaving = beat.memory, slot.leaving or beat.leaving
        if beat.trial is not None:
            self._current(beat.trial, beat.attempt, beat.slot)
        return Decision(action="stop" if self._closing else "go_on")

    def leave(self, name: str, cause: str, now: float, outcome: Literal["lost", "out_of_memory"] = "lost") -> None:
        """Take a slot off the list, and its trial back."""
        slot = self.roster.slots.pop(name, None)
        if slot is None:
            return
        if slot.trial is not None:
            self._end(self.study.trials[slot.trial], outcome, f"slot {name} on {slot.node} left: {cause}", now)
        self._append(SlotLeft(time=now, slot=name, cause=cause))

    def lose_host(self, host: str, cause: str, now: float, out_of_memory: bool = False) -> None:
        """Take all slots of a host off the list; of those that ran out of memory together, the largest trial did it."""
        for number, slot in enumerate(self.roster.on_host(host)):
            self.leave(slot.name, cause, now, "out_of_memory" if out_of_memory and number == 0 else "lost")

    # Trials

    def report(self, number: int, report: Report, now: float) -> Decision:
        """Take a report into the study and decide what its trial does next; a repeated one gets the same decision.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
            BadInput: The study's metric is missing.
        """
        if self.study.metric not in report.metrics:
            raise BadInput(f"a report needs {self.study.metric}, got {', '.join(report.metrics) or 'nothing'}")
        slot = self.roster.hear(report.slot, now)
        key = (report.attempt, report.epoch, report.last)
        decided, decision = self._decisions.get(number, (None, Decision()))
        if decided == key:
            return decision
        trial = self._current(number, report.attempt, report.slot)
        level = self._take_in(trial, report, now) if report.epoch > trial.epoch else None
        decision = self._decide(trial, report, slot, level, now)
        self._decisions[number] = (key, decision)
        return decision

    def check(self, number: int, attempt: int, slot: str) -> None:
        """Return if the attempt is the trial's current one and leased to this slot.

        Raises:
            StaleAttempt: It is not.
        """
        self._current(number, attempt, slot)

    def resume(self, number: int, attempt: int, slot: str) -> str:
        """Return where the state is kept that an attempt goes on from.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
            BadInput: It begins anew.
        """
        trial = self._current(number, attempt, slot)
        if trial.checkpoint is None:
            raise BadInput(f"attempt {attempt} of trial {number} begins anew, so there is no checkpoint to fetch")
        return trial.checkpoint.path

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
            self._saved[trial.number] = checkpoint.time
            if kept is not None and kept.path != checkpoint.path:
                self._free(trial, kept, checkpoint.time)

    def finish(self, number: int, finish: Finish, now: float) -> Answer:
        """End an attempt and return the slot's next lease; an attempt that has already ended changes nothing.

        Raises:
            StaleAttempt: The attempt is not the trial's any more.
        """
        self.roster.hear(finish.ask.slot, now)
        trial = self.study.trials.get(number)
        if trial is None or trial.state is State.RUNNING or trial.attempt != finish.attempt:
            trial = self._current(number, finish.attempt, finish.ask.slot)
            self._end(trial, *self._judge(trial, finish), now, finish.details)
        return self.lease(finish.ask, now)

    # Time

    def tick(self, now: float) -> None:
        """Take back what silent slots held, and end the study when its time is used up or nothing is left."""
        for slot in self.roster.silent(now, self.rules.lease_seconds):
            self.leave(slot.name, f"silent for {now - slot.heard:.0f} s", now)
        if self.rules.trial_seconds is not None:
            self._time_out(self.rules.trial_seconds, now)
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

    def _climb(self) -> Rungs | None:
        if self.rules.ladder is None:
            return None
        study = self.study
        return Rungs(self.rules.ladder, study.metric, study.direction == "minimize", study.trials.values())

    def _release(self, cause: str, now: float) -> None:
        for trial in list(self.study.open.values()):
            if trial.state is State.RUNNING:
                self._end(trial, "released", cause, now)

    def _current(self, number: int, attempt: int, slot: str) -> Trial:
        trial = self.study.trials.get(number)
        if trial is None or trial.state is not State.RUNNING or trial.attempt != attempt:
            raise StaleAttempt(f"attempt {attempt} of trial {number} is over")
        if trial.attempts[-1].slot != slot:
            raise StaleAttempt(f"trial {number} is leased to slot {trial.attempts[-1].slot}, not to {slot}")
        return trial

    # Leases

    def _next(self, slot: Slot, now: float) -> Answer:
        trial = None if self.is_ending or slot.leaving else self._choose(slot, now)
        if trial is None:
            return Answer(done=self._closed or slot.leaving or self._is_over())
        attempt, kept = trial.attempt + 1, trial.checkpoint
        slot.trial, self._saved[trial.number] = trial.number, now
        self._append(AttemptStarted(time=now, trial=trial.number, attempt=attempt, slot=slot.name, node=slot.node))
        if self._rungs is not None:
            self._rungs.withdraw(trial)
        return Answer(
            lease=Lease(
                trial=trial.number,
                attempt=attempt,
                parameters=trial.parameters,
                seed=trial.seed,
                epochs=self.rules.epochs,
                resume=None
                if kept is None
                else Resume(epoch=kept.epoch, path=kept.path, sha256=kept.sha256, size=kept.size),
            )
        )

    def _choose(self, slot: Slot, now: float) -> Trial | None:
        """Return the trial whose turn it is on a slot: one that was cut short, one that is promoted, or a new one."""
        if slot.node in self.study.avoided and self.roster.has_other_than(set(self.study.avoided)):
            return None
        number = self._turns.take_again(lambda number: self._may_run(self.study.trials[number], slot))
        if number is None:
            number = self._promote(now)
        if number is None:
            number = self._turns.take_fresh()
        return None if number is None else self.study.trials[number]

    def _may_run(self, trial: Trial, slot: Slot) -> bool:
        """Whether a trial may run on a slot: one that was lost is tried on another node where there is one."""
        last = trial.attempts[-1]
        was_lost = last.outcome in ("lost", "infrastructure")
        return not was_lost or last.node != slot.node or not self.roster.has_other_than({slot.node})

    def _promote(self, now: float) -> int | None:
        number = None if self._rungs is None else self._rungs.candidate()
        if self._rungs is None or number is None:
            return None
        trial = self.study.trials[number]
        self._rungs.promote(trial)
        self._note(trial, trial.epoch, "go_on", now)
        return number

    # Reports

    def _take_in(self, trial: Trial, report: Report, now: float) -> int | None:
        """Take a report into the record, and return the rung that the trial reaches with it, if any."""
        self._append(
            Reported(time=now, trial=trial.number, attempt=report.attempt, epoch=report.epoch, metrics=report.metrics)
        )
        if self._rungs is None or not math.isfinite(report.metrics[self.study.metric]):
            return None
        return self._rungs.enter(trial, report.epoch)

    def _decide(self, trial: Trial, report: Report, slot: Slot, level: int | None, now: float) -> Decision:
        value = report.metrics[self.study.metric]
        if not math.isfinite(value):
            self._end(trial, "diverged", f"{self.study.metric} was {value} in epoch {report.epoch}", now)
            return Decision(action="stop")
        if report.last:
            wanted = trial.baseline or self.study.better(value, self.study.best_value)
            return Decision(save=report.can_save and wanted)
        if self._closing:
            self._end(trial, "stopped", "the study's time is used up", now)
            return Decision(action="stop")
        if level is not None and level > trial.passed and self._rungs is not None:
            decision = self._meet_rung(self._rungs, trial, report, level, now)
            if decision.action != "go_on":
                return decision
        if slot.leaving and report.can_save:
            return Decision(action="pause", save=True)
        return Decision(save=report.can_save and self._is_due(trial, report.epoch, now))

    def _meet_rung(self, rungs: Rungs, trial: Trial, report: Report, level: int, now: float) -> Decision:
        """Decide what a trial does that has reached a rung; the baseline runs whole, for it is compared with."""
        can_pause = report.can_save and rungs.ladder.pauses
        leads = rungs.leads(trial, level) if can_pause else rungs.survives(trial, level)
        if leads or trial.baseline:
            self._note(trial, report.epoch, "go_on", now)
            return Decision()
        self._note(trial, report.epoch, "pause" if can_pause else "stop", now)
        if can_pause:
            return Decision(action="pause", save=True)
        share = f"the best 1/{rungs.ladder.reduction} of the trials that have reached {level} epochs"
        self._end(trial, "stopped", f"it was not among {share}", now)
        return Decision(action="stop")

    def _note(self, trial: Trial, epoch: int, action: Literal["go_on", "pause", "stop"], now: float) -> None:
        rung = None if self._rungs is None else self._rungs.level(epoch)
        self._append(RungDecided(time=now, trial=trial.number, rung=rung or 0, epoch=epoch, action=action))

    def _is_due(self, trial: Trial, epoch: int, now: float) -> bool:
        """Whether a trial's newest state is to be saved, so that little is lost with its slot."""
        rules = self.rules
        by_epochs = rules.checkpoint_epochs is not None and epoch - trial.kept >= rules.checkpoint_epochs
        age = now - self._saved.get(trial.number, now)
        return by_epochs or (rules.checkpoint_seconds is not None and age >= rules.checkpoint_seconds)

    # Ends

    def _judge(self, trial: Trial, finish: Finish) -> tuple[Outcome, str]:
        """Return how an attempt has ended: one that was paused waits on a rung, or for another slot than its own."""
        if finish.outcome != "paused":
            return finish.outcome, finish.cause
        if trial.is_held:
            return "paused", f"it waits after {trial.halted} epochs to be promoted"
        return "released", "its slot is being taken away"

    def _end(self, trial: Trial, outcome: Outcome, cause: str, now: float, details: str = "") -> None:
        number, attempt, node = trial.number, trial.attempt, trial.attempts[-1].node
        if outcome in ("lost", "infrastructure"):
            losses = 1 + sum(attempt.outcome in ("lost", "infrastructure") for attempt in trial.attempts)
            if losses > self.rules.most_losses:
                outcome, cause = "failed", f"lost {losses} times, the last time because {cause}"
            self._blame(node, cause, now)
        elif outcome != "released":
            self.roster.forgive(node)
        slot, best = self.roster.slots.get(trial.attempts[-1].slot), self.study.best
        if slot is not None and slot.trial == number:
            slot.trial = None
        self._decisions.pop(number, None)
        self._append(
            AttemptEnded(time=now, trial=number, attempt=attempt, outcome=outcome, cause=cause, details=details)
        )
        if trial.state is State.WAITING:
            self._turns.add(trial)
        elif trial.state is State.PAUSED and self._rungs is not None:
            self._rungs.pause(trial)
        for other in {trial.number: trial} | ({best.number: best} if best else {}):
            self._tidy(self.study.trials[other], now)

    def _blame(self, node: str, cause: str, now: float) -> None:
        """Count a loss of a node, and avoid it where there were too many in a row."""
        losses = self.roster.count_loss(node)
        if losses >= self.rules.node_losses and node not in self.study.avoided:
            told = f"{losses} attempts in a row were lost there, the last one because {cause}"
            self._append(NodeAvoided(time=now, node=node, cause=told))

    def _tidy(self, trial: Trial, now: float) -> None:
        """Throw the state of a trial away that has ended, unless it is the best one or the baseline."""
        if trial.checkpoint is not None and trial.state.ended and not self._is_wanted(trial):
            self._free(trial, trial.checkpoint, now)

    def _is_wanted(self, trial: Trial) -> bool:
        return trial is self.study.best or trial is self.study.baseline

    def _free(self, trial: Trial, checkpoint: Checkpoint, now: float) -> None:
        self._append(CheckpointFreed(time=now, trial=trial.number, path=checkpoint.path, size=checkpoint.size))
        self.garbage.append(checkpoint.path)

    def _time_out(self, longest: float, now: float) -> None:
        for slot in self.roster.slots.values():
            trial = None if slot.trial is None else self.study.trials[slot.trial]
            if trial is not None and now - trial.attempts[-1].started > longest:
                self._end(trial, "timed_out", f"an attempt may take {longest:.0f} s, and this one took longer", now)

    def _is_over(self) -> bool:
        limit, counts = self.rules.limit, self.study.counts
        all_proposed = self._closing or (limit is not None and len(self.study.trials) >= limit)
        waiting = 0 if self._closing else counts[State.WAITING]
        promoted = None if self._closing or self._rungs is None else self._rungs.candidate()
        return all_proposed and not waiting and not counts[State.RUNNING] and promoted is None
