"""Which trials go on: asynchronous successive halving, with epochs as the resource.

Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), algorithm 2: a trial that reaches a
rung is paused, and of those that have reached it the best 1/`reduction` go on, whenever a slot is free. One that is
among them at once goes on without a pause. A function that saves nothing cannot be paused: its trial goes on where
it is among the best 1/`reduction` of those that came before it, the first one always, and is stopped where it is not.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tinderbox.config import SweepJob
from tinderbox.sweeping.history import State, Trial

Key = tuple[float, int]
"""A value, turned so that less is better, and the trial's number, for the earlier of equals is the better one."""


@dataclass(frozen=True)
class Ladder:
    """Where the rungs are: at `lowest` epochs, and each `reduction` times as high as the one below, under `epochs`."""

    lowest: int
    reduction: int
    epochs: int
    pauses: bool = True

    @property
    def levels(self) -> list[int]:
        """The epochs of the rungs, from the lowest."""
        levels, level = [], self.lowest
        while level < self.epochs:
            levels.append(level)
            level *= self.reduction
        return levels


def ladder_of(job: SweepJob) -> Ladder | None:
    """Return the ladder that a job's trials climb, None where all run whole."""
    rungs = job.rungs
    if rungs is None:
        return None
    return Ladder(rungs.min_epochs, rungs.reduction, job.epochs, pauses=rungs.method == "promote")


@dataclass
class _Rung:
    """All that have reached one rung, best first; `paused` are those among them that wait there."""

    reached: list[Key] = field(default_factory=list)
    paused: list[Key] = field(default_factory=list)
    keys: dict[int, Key] = field(default_factory=dict)


class Rungs:
    """What trials did on each rung of a ladder; every question takes logarithmic time."""

    def __init__(self, ladder: Ladder, metric: str, minimize: bool, trials: Iterable[Trial] = ()) -> None:
        self.ladder, self._metric, self._sign = ladder, metric, 1 if minimize else -1
        self._rungs = {level: _Rung() for level in ladder.levels}
        for trial in trials:
            for epoch in sorted(trial.reports):
                self.enter(trial, epoch)
            if trial.state is State.PAUSED:
                self.pause(trial)

    def level(self, epoch: int) -> int | None:
        """Return the highest rung that a trial has reached by this epoch, None below the lowest."""
        return max((level for level in self._rungs if level <= epoch), default=None)

    def enter(self, trial: Trial, epoch: int) -> int | None:
        """Take a report in, and return the rung that it reaches; functions may report every few epochs only.

        A value that is not finite has no place among others: its trial has diverged, and reaches nothing.
        """
        level, value = self.level(epoch), trial.reports[epoch][self._metric]
        if level is None or not math.isfinite(value) or any(level <= earlier < epoch for earlier in trial.reports):
            return None
        rung, key = self._rungs[level], (self._sign * value, trial.number)
        self._forget(rung, trial.number)
        rung.keys[trial.number] = key
        bisect.insort(rung.reached, key)
        return level

    def withdraw(self, trial: Trial) -> None:
        """Forget the rungs that a trial has to reach again."""
        for level, rung in self._rungs.items():
            if level > trial.epoch:
                self._forget(rung, trial.number)

    def leads(self, trial: Trial, level: int) -> bool:
        """Whether a trial is among the best of a rung, so that it may go beyond."""
        rung = self._rungs[level]
        best = len(rung.reached) // self.ladder.reduction
        return _rank(rung.reached, rung.keys[trial.number]) < best

    def survives(self, trial: Trial, level: int) -> bool:
        """Whether a trial that cannot be paused may go on beyond a rung."""
        return self.leads(trial, level) or self._rungs[level].reached[0][1] == trial.number

    def pause(self, trial: Trial) -> None:
        """Let a trial wait on the highest rung that it has reached."""
        rung = self._rungs[self._reached(trial)]
        bisect.insort(rung.paused, rung.keys[trial.number])

    def promote(self, trial: Trial) -> None:
        """Let a trial wait no more."""
        rung = self._rungs[self._reached(trial)]
        _remove(rung.paused, rung.keys[trial.number])

    def candidate(self) -> int | None:
        """Return the number of the trial to be promoted next, from the highest rung that has one."""
        for rung in reversed(self._rungs.values()):
            best = len(rung.reached) // self.ladder.reduction
            if rung.paused and _rank(rung.reached, rung.paused[0]) < best:
                return rung.paused[0][1]
        return None

    def waiting(self) -> Iterator[int]:
        """Return the trials that wait, from the highest rung, and the best of each one first."""
        for rung in reversed(self._rungs.values()):
            yield from (number for _, number in rung.paused)

    def leader(self, may_win: Callable[[int], bool]) -> int | None:
        """Return the best one of the highest rung that has one, of the trials that may win."""
        for rung in reversed(self._rungs.values()):
            number = next((number for _, number in rung.reached if may_win(number)), None)
            if number is not None:
                return number
        return None

    def _reached(self, trial: Trial) -> int:
        level = self.level(trial.epoch)
        if level is None:
            raise ValueError(f"trial {trial.number} is below the lowest rung")
        return level

    @staticmethod
    def _forget(rung: _Rung, number: int) -> None:
        if (key := rung.keys.pop(number, None)) is not None:
            _remove(rung.reached, key)


def _rank(keys: list[Key], key: Key) -> int:
    return bisect.bisect_left(keys, key)


def _remove(keys: list[Key], key: Key) -> None:
    del keys[bisect.bisect_left(keys, key)]
