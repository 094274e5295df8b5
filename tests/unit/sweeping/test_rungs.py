"""Successive halving against a slow, obviously right one, on random orders of what can happen to trials."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    Event,
    Reported,
    RungDecided,
    TrialProposed,
)
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.rungs import Ladder, Rungs
from tinderbox.sweeping.study import Study

VALUES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Few, so that there are ties."""


def test_the_epochs_of_the_rungs() -> None:
    """Each is `reduction` times as high as the one below, and none is as high as a whole trial."""
    assert Ladder(1, 3, 10).levels == [1, 3, 9]
    assert Ladder(1, 3, 9).levels == [1, 3]
    assert Ladder(2, 4, 9).levels == [2, 8]
    assert Ladder(5, 2, 5).levels == []


def test_the_rung_of_an_epoch() -> None:
    """Is the highest one that it has reached."""
    rungs = Rungs(Ladder(2, 3, 50), "loss", minimize=True)
    assert [rungs.level(epoch) for epoch in (1, 2, 5, 6, 17, 18, 50)] == [None, 2, 2, 6, 6, 18, 18]


@dataclass
class Reference:
    """Li et al. 2020, algorithm 2, word for word: sorts all of a rung anew for every question."""

    ladder: Ladder
    minimize: bool
    values: dict[int, dict[int, float]] = field(default_factory=dict)
    paused: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with empty rungs."""
        for level in self.ladder.levels:
            self.values[level], self.paused[level] = {}, set()

    def ranked(self, level: int) -> list[int]:
        """Return the trials of a rung, best first, the earlier of equals first."""
        sign = 1 if self.minimize else -1
        return sorted(self.values[level], key=lambda trial: (sign * self.values[level][trial], trial))

    def top(self, level: int) -> list[int]:
        """Return the best 1/reduction of a rung."""
        ranked = self.ranked(level)
        return ranked[: len(ranked) // self.ladder.reduction]

    def next_promotion(self) -> int | None:
        """Return the trial that get_job would promote."""
        for level in reversed(self.ladder.levels):
            for trial in self.top(level):
                if trial in self.paused[level]:
                    return trial
        return None


@dataclass
class Round:
    """Trials that report, skip epochs, are lost and come back, in an order that chance gives."""

    seed: int
    pauses: bool = True
    now: float = 0.0
    checks: int = 0

    def __post_init__(self) -> None:
        """Choose a ladder and a direction."""
        self.chance = random.Random(self.seed)  # noqa: S311 - an order, not a secret
        lowest, reduction = self.chance.choice((1, 2)), self.chance.choice((2, 3, 4))
        self.ladder = Ladder(lowest, reduction, self.chance.choice((9, 20, 30)), self.pauses)
        self.minimize = self.chance.random() < 0.5
        self.study = Study("loss", "minimize" if self.minimize else "maximize")
        self.rungs = Rungs(self.ladder, "loss", self.minimize)
        self.reference = Reference(self.ladder, self.minimize)
        self.most_skipped = self.chance.choice((0, 0, 2, 6))

    def tell(self, kind: type[Event], **fields: Any) -> None:
        """Let an event happen."""
        self.now += 1
        self.study.apply(kind(time=self.now, **fields))

    def run(self, steps: int) -> None:
        """Let things happen, and compare after each."""
        for _ in range(steps):
            self._happen()
            self._compare()

    def _happen(self) -> None:
        running = [trial for trial in self.study.open.values() if trial.state is State.RUNNING]
        dice = self.chance.random()
        if dice < 0.25 or not running:
            self._begin()
        elif dice < 0.32:
            self._lose(self.chance.choice(running))
        else:
            self._report(self.chance.choice(running))

    def _begin(self) -> None:
        """Start a trial as a slot would: one that was lost, one that is promoted, or a new one."""
        waiting = [trial for trial in self.study.open.values() if trial.state is State.WAITING]
        number = self.rungs.candidate()
        assert number == self.reference.next_promotion()
        if waiting:
            trial = self.chance.choice(waiting)
        elif number is not None:
            trial = self.study.trials[number]
            self.rungs.promote(trial)
            level = self._level(trial.epoch)
            assert level is not None
            self.reference.paused[level].remove(number)
            self.tell(RungDecided, trial=number, rung=level, epoch=trial.epoch, action="go_on")
        else:
            number = len(self.study.trials)
            self.tell(TrialProposed, trial=number, parameters={}, seed=0, known=0)
            trial = self.study.trials[number]
        self.tell(AttemptStarted, trial=trial.number, attempt=trial.attempt + 1, slot="a", node="n")
        self.rungs.withdraw(trial)
        for level, values in self.reference.values.items():
            if level > trial.kept:
                values.pop(trial.number, None)

    def _lose(self, trial: Trial) -> None:
        """Lose an attempt: what it reported since its checkpoint counts until it is to be reported again."""
        self.tell(AttemptEnded, trial=trial.number, attempt=trial.attempt, outcome="lost")

    def _level(self, epoch: int) -> int | None:
        return max((level for level in self.ladder.levels if level <= epoch), default=None)

    def _report(self, trial: Trial) -> None:
        before = trial.epoch
        epoch = before + 1 + (self.chance.randint(0, self.most_skipped) if self.most_skipped else 0)
        value = self.chance.choice(VALUES) if self.chance.random() > 0.02 else math.nan
        self.tell(Reported, trial=trial.number, attempt=trial.attempt, epoch=epoch, metrics={"loss": value})
        if math.isnan(value):
            self.tell(AttemptEnded, trial=trial.number, attempt=trial.attempt, outcome="diverged")
            return
        level = self._level(epoch) if self._level(epoch) != self._level(before) else None
        assert self.rungs.enter(trial, epoch) == level
        if level is not None:
            self.reference.values[level][trial.number] = value
        if epoch >= self.ladder.epochs:
            self.tell(AttemptEnded, trial=trial.number, attempt=trial.attempt, outcome="complete")
        elif level is not None and level > trial.passed:
            self._meet(trial, level, epoch)
        elif self.chance.random() < 0.3:
            self._save(trial)

    def _meet(self, trial: Trial, level: int, epoch: int) -> None:
        """Decide as the rule says: on at once among the best, else a pause, or an end where nothing can be saved."""
        self.checks += 1
        goes_on = trial.number in self.reference.top(level)
        assert self.rungs.leads(trial, level) is goes_on
        survives = goes_on or self.reference.ranked(level)[0] == trial.number
        assert self.rungs.survives(trial, level) is survives
        if goes_on or (survives and not self.pauses):
            self.tell(RungDecided, trial=trial.number, rung=level, epoch=epoch, action="go_on")
        elif self.pauses:
            self._pause(trial, level, epoch)
        else:
            self.tell(RungDecided, trial=trial.number, rung=level, epoch=epoch, action="stop")
            self.tell(AttemptEnded, trial=trial.number, attempt=trial.attempt, outcome="stopped")

    def _pause(self, trial: Trial, level: int, epoch: int) -> None:
        """Pause a trial; now and then its slot is lost before the state is safe, or just after."""
        self.tell(RungDecided, trial=trial.number, rung=level, epoch=epoch, action="pause")
        dice = self.chance.random()
        if dice > 0.1:
            self._save(trial)
        outcome = "lost" if dice < 0.2 else "paused"
        self.tell(AttemptEnded, trial=trial.number, attempt=trial.attempt, outcome=outcome)
        assert (trial.state is State.PAUSED) is (dice > 0.1)
        if trial.state is State.PAUSED:
            self.rungs.pause(trial)
            self.reference.paused[level].add(trial.number)

    def _save(self, trial: Trial) -> None:
        path = f"{trial.number}-{trial.attempt}-{trial.epoch}"
        self.tell(
            CheckpointSaved, trial=trial.number, attempt=trial.attempt, epoch=trial.epoch, path=path, sha256="", size=1
        )

    def _compare(self) -> None:
        """Hold the rungs against the reference, and now and then against those of a driver that starts here."""
        for level, rung in self.rungs._rungs.items():
            assert [number for _, number in rung.reached] == self.reference.ranked(level)
            assert {number for _, number in rung.paused} == self.reference.paused[level]
        assert self.rungs.candidate() == self.reference.next_promotion()
        if self.chance.random() < 0.1:
            rebuilt = Rungs(self.ladder, "loss", self.minimize, self.study.trials.values())
            assert rebuilt._rungs == self.rungs._rungs


@pytest.mark.parametrize("pauses", [True, False])
@pytest.mark.parametrize("fifty", range(3))
def test_rungs_are_those_of_the_paper(fifty: int, pauses: bool) -> None:
    """Fifty rounds each: who has reached which rung, who goes on at once, who waits, and who is promoted next."""
    checks = 0
    for seed in range(fifty * 50, fifty * 50 + 50):
        round_ = Round(seed, pauses)
        round_.run(120)
        checks += round_.checks
    assert checks > 500


def test_a_trial_that_diverged_is_on_no_rung_after_a_restart() -> None:
    """A NaN is neither less nor more than anything, and an infinity would be the best there is."""
    for value in (math.nan, -math.inf):
        story = Round(0)
        story.ladder, story.minimize = Ladder(1, 2, 9), True
        for number, reported in enumerate((0.5, value, 0.3, 0.4)):
            story.tell(TrialProposed, trial=number, parameters={}, seed=0, known=0)
            story.tell(AttemptStarted, trial=number, attempt=1, slot="a", node="n")
            story.tell(Reported, trial=number, attempt=1, epoch=1, metrics={"loss": reported})
        rebuilt = Rungs(story.ladder, "loss", True, story.study.trials.values())
        assert rebuilt._rungs[1].reached == [(0.3, 2), (0.4, 3), (0.5, 0)]


class Counted(float):
    """A number that counts how often it is compared."""

    comparisons = 0

    def __rmul__(self, sign: float) -> Counted:
        """Stay counted when turned round."""
        return Counted(float(self) * sign)

    def __eq__(self, other: object) -> bool:
        """Count."""
        Counted.comparisons += 1
        return float(self) == other

    def __lt__(self, other: float) -> bool:
        """Count."""
        Counted.comparisons += 1
        return float(self) < float(other)

    def __gt__(self, other: float) -> bool:
        """Count."""
        Counted.comparisons += 1
        return float(self) > float(other)

    __hash__ = float.__hash__


def paused_trial(number: int, value: float) -> Trial:
    """Return a trial that waits on the first rung."""
    return Trial(number, {}, 0, baseline=False, state=State.PAUSED, reports={1: {"loss": value}})


def test_every_question_takes_logarithmic_time() -> None:
    """Among 100,000 trials on a rung a report, a decision, a pause and a promotion compare few of them."""
    count = 100_000
    trials = [paused_trial(number, number / count) for number in range(count)]
    rungs = Rungs(Ladder(1, 3, 9), "loss", True, trials)
    most = 40 * math.ceil(math.log2(count))
    for number in range(count, count + 100):
        Counted.comparisons = 0
        trials.append(trial := paused_trial(number, Counted(number * 0.618 % 1)))
        assert rungs.enter(trial, 1) == 1
        rungs.leads(trial, 1)
        rungs.survives(trial, 1)
        rungs.pause(trial)
        candidate = rungs.candidate()
        assert candidate is not None
        rungs.promote(trials[candidate])
        assert 0 < Counted.comparisons < most
