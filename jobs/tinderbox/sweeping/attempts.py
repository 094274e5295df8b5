"""How attempts begin and end: which trial is next, and what its end means for trial, rung and node.

Every change is an event that goes to `record` before the study takes it in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from tinderbox.errors import StaleAttempt
from tinderbox.sweeping.checkpoints import Checkpoints
from tinderbox.sweeping.costs import Dearest
from tinderbox.sweeping.events import (
    LOSSES,
    AttemptEnded,
    AttemptStarted,
    Event,
    NodeAvoided,
    Outcome,
    RungDecided,
)
from tinderbox.sweeping.history import Attempt, Checkpoint, State, Trial
from tinderbox.sweeping.messages import Lease, Resume
from tinderbox.sweeping.roster import Roster, Slot
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.rungs import Rungs
from tinderbox.sweeping.study import Study
from tinderbox.sweeping.turns import Turns


class Attempts:
    """The attempts of one study's trials."""

    def __init__(self, study: Study, rules: Rules, record: Callable[[Event], None]) -> None:
        self.study, self.rules, self.roster = study, rules, Roster()
        self.turns, self.rungs = Turns(study.open.values()), climb(study, rules)
        self._dearest = None if rules.costs is None else Dearest(rules.costs, study)
        self.checkpoints = Checkpoints(study, rules, self.append)
        self._record = record

    @property
    def all_proposed(self) -> bool:
        """Whether the search has proposed as many trials as it may."""
        return self.rules.limit is not None and len(self.study.trials) >= self.rules.limit

    def append(self, event: Event) -> None:
        """Let something happen."""
        self._record(event)
        self.study.apply(event)

    def current(self, number: int, attempt: int, slot: str) -> Trial:
        """Return a trial whose attempt runs on a slot.

        Raises:
            StaleAttempt: It does not.
        """
        trial = self.study.trials.get(number)
        if trial is None or trial.state is not State.RUNNING or trial.attempt != attempt:
            raise StaleAttempt(f"attempt {attempt} of trial {number} is over")
        if trial.attempts[-1].slot != slot:
            raise StaleAttempt(f"trial {number} is leased to slot {trial.attempts[-1].slot}, not to {slot}")
        return trial

    # Beginnings

    def choose(self, slot: Slot, now: float) -> Trial | None:
        """Return the trial whose turn it is on a slot: one that was cut short, one that is promoted, or a new one."""
        shunned = {node for node in self.study.avoided if not self._may_try(node, now)}
        if slot.node in shunned and self.roster.has_other_than(shunned):
            return None
        number = self.turns.take_again(lambda number: self._may_run(self.study.trials[number], slot))
        if number is None:
            number = self._promote(now)
        if number is None:
            number = self.turns.take_fresh(None if self._dearest is None else self._dearest.choose)
        if number is None and not self._is_free_elsewhere(slot):
            number = self.turns.take_again(lambda _: True)  # lost on this node, but others may be busy for hours
        return None if number is None else self.study.trials[number]

    def _may_try(self, node: str, now: float) -> bool:
        """Whether a node that is avoided may get one trial again, to see whether it is well by now."""
        return now >= self._retried(node) and not self.roster.is_busy(node)

    def _retried(self, node: str) -> float:
        """Return from when on a node that is avoided may be tried again."""
        return self.study.avoided[node].time + self.rules.avoid_seconds

    def _may_run(self, trial: Trial, slot: Slot) -> bool:
        """Whether a trial may run on a slot: one that was lost is tried on another node where there is one."""
        last = trial.attempts[-1]
        here = last.outcome not in LOSSES or last.node != slot.node
        return here or not self.roster.has_other_than({slot.node, *self.study.avoided})

    def _is_free_elsewhere(self, slot: Slot) -> bool:
        """Whether a slot on another node, one that is not avoided, waits for a trial as this one does."""
        others = [other for other in self.roster.slots.values() if other.trial is None and not other.leaving]
        return any(other.node not in (slot.node, *self.study.avoided) for other in others)

    def promotion(self) -> int | None:
        """Return the trial that is to go on beyond its rung, None where none is.

        When nothing else is left to run, the leader of the highest rung goes on to the end, however few have come
        there: or a search of few trials would end without a winner.
        """
        if self.rungs is None:
            return None
        number = self.rungs.candidate()
        return self._last_promotion() if number is None else number

    def _last_promotion(self) -> int | None:
        study = self.study
        if not self.all_proposed or study.counts[State.RUNNING] or study.counts[State.WAITING]:
            return None
        number = self.leader()
        return number if number is not None and study.trials[number].state is State.PAUSED else None

    def leader(self) -> int | None:
        """Return the number of the trial that leads the highest rung; the baseline, which is never paused, is none."""
        out = (State.FAILED, State.DIVERGED)
        trials = self.study.trials
        if self.rungs is None:
            return None
        return self.rungs.leader(lambda number: not trials[number].baseline and trials[number].state not in out)

    def _promote(self, now: float) -> int | None:
        number = self.promotion()
        if self.rungs is None or number is None:
            return None
        trial = self.study.trials[number]
        self.rungs.promote(trial)
        self.note_rung(trial, trial.epoch, "go_on", now)
        return number

    def note_rung(self, trial: Trial, epoch: int, action: Literal["go_on", "pause", "stop"], now: float) -> None:
        """Note what a trial does that has reached a rung."""
        rung = None if self.rungs is None else self.rungs.level(epoch)
        self.append(RungDecided(time=now, trial=trial.number, rung=rung or 0, epoch=epoch, action=action))

    def start(self, trial: Trial, slot: Slot, now: float) -> Lease:
        """Begin a trial's next attempt on a slot."""
        attempt, kept = trial.attempt + 1, trial.checkpoint
        slot.trial, slot.memory, slot.can_save = trial.number, 0, True
        self.checkpoints.begin(trial, now)
        self.append(AttemptStarted(time=now, trial=trial.number, attempt=attempt, slot=slot.name, node=slot.node))
        if self.rungs is not None:
            self.rungs.withdraw(trial)
        return Lease(
            trial=trial.number,
            attempt=attempt,
            parameters=trial.parameters,
            seed=trial.seed,
            epochs=self.rules.epochs,
            resume=None if kept is None else _resume(kept),
        )

    # Ends

    def end(self, trial: Trial, outcome: Outcome, cause: str, now: float, details: str = "") -> None:
        """End a trial's attempt; a trial that was lost too often without getting any further has failed."""
        number, attempt = trial.number, trial.attempts[-1]
        if outcome in LOSSES:
            self._blame(attempt, cause, now)
            losses = 1 + _count_losses(trial)
            if losses > self.rules.most_losses:
                outcome, cause = "failed", f"lost {losses} times, the last time because {cause}"
        elif outcome != "released":
            self.roster.forgive(attempt.node)
        self.roster.set_free(attempt.slot, number)
        self.append(
            AttemptEnded(time=now, trial=number, attempt=attempt.number, outcome=outcome, cause=cause, details=details)
        )
        if trial.state is State.WAITING:
            self.turns.add(trial)
        elif trial.state is State.PAUSED and self.rungs is not None:
            self.rungs.pause(trial)
        self.checkpoints.take(trial, now)

    def release(self, cause: str, now: float) -> None:
        """Give every running trial back, for a later driver."""
        for trial in list(self.study.open.values()):
            if trial.state is State.RUNNING:
                self.end(trial, "released", cause, now)

    def time_out(self, now: float) -> None:
        """End the attempts that have taken too long."""
        longest = self.rules.trial_seconds or math.inf
        for slot in self.roster.slots.values():
            trial = None if slot.trial is None else self.study.trials[slot.trial]
            if trial is not None and now - trial.attempts[-1].started > longest:
                self.end(trial, "timed_out", f"an attempt may take {longest:.0f} s, and this one took longer", now)

    def _blame(self, attempt: Attempt, cause: str, now: float) -> None:
        """Count a loss of a node, and avoid it where there were too many in a row."""
        node, losses = attempt.node, self.roster.count_loss(attempt.node, attempt.started, now)
        if node not in self.study.avoided:
            is_enough = losses >= self.rules.node_losses
            told = f"{losses} attempts in a row were lost there, the last one because {cause}"
        else:
            is_enough = attempt.started >= self._retried(node)
            told = f"it was tried again, and lost that attempt because {cause}"
        if is_enough:
            self.append(NodeAvoided(time=now, node=node, cause=told))


def _count_losses(trial: Trial) -> int:
    """Return how often a trial was lost since it last saved its state: one that gets on may be, any number of times."""
    since = max((attempt.number for attempt in trial.attempts if attempt.saved), default=1)
    return sum(attempt.outcome in LOSSES for attempt in trial.attempts[since - 1 :])


def _resume(kept: Checkpoint) -> Resume:
    return Resume(epoch=kept.epoch, path=kept.path, sha256=kept.sha256, size=kept.size)


def climb(study: Study, rules: Rules) -> Rungs | None:
    """Return the rungs as a study's trials have reached them, None where all trials run whole."""
    if rules.ladder is None:
        return None
    searched = [trial for trial in study.trials.values() if trial.repeats is None]
    return Rungs(rules.ladder, study.metric, study.direction == "minimize", searched)
