"""What a trial costs, learnt from those that have ended, so that the dearest go first.

Then no slot is left alone at the end with a trial that is long (Graham, "Bounds on Multiprocessing Timing Anomalies",
1969: longest first takes at most 4/3 of the shortest time).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinderbox.config import AnyParameter, ChoiceParameter
from tinderbox.sweeping.events import LOSSES, Parameters
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.study import Study

MEASURED = 500
"""How many of the newest trials are learnt from."""


@dataclass(frozen=True)
class Costs:
    """That costs are to be learnt: of trials in `space`, the `first` ones of which go first whatever they cost."""

    space: Mapping[str, AnyParameter]
    first: int = 0


class Dearest:
    """Chooses among trials that wait; every choice follows from the trials that have ended."""

    def __init__(self, costs: Costs, study: Study) -> None:
        self._costs, self._study = costs, study
        self._known = -1
        self._told: dict[int, float] = {}

    def choose(self, numbers: Sequence[int]) -> int:
        """Return the number of the dearest trial, of equals and while nothing is known the lowest."""
        lowest = min(numbers)
        if lowest < self._costs.first:
            return lowest
        self._learn()
        unknown = [number for number in numbers if number not in self._told]
        if unknown:
            # What differs by no more than computing does is equal.
            told = np.round(self._cost([self._study.trials[number].parameters for number in unknown]), 9)
            self._told |= zip(unknown, told.tolist(), strict=True)
        return min(numbers, key=lambda number: (-self._told[number], number))

    def _learn(self) -> None:
        """Learn from those that have ended, not after each of many; when is decided by how many there are."""
        ended = self._study.ended
        known = len(ended) - len(ended) % (1 + len(ended) // 16)
        if known != self._known:
            self._known, self._told = known, {}
            self._cost = learn_costs(self._costs.space, ended[:known])


def learn_costs(
    space: Mapping[str, AnyParameter], trials: Sequence[Trial]
) -> Callable[[Sequence[Parameters]], np.ndarray]:
    """Return what tells the logarithm of what an epoch costs, up to a constant, 0 while too little is known.

    Least squares of the logarithm of seconds per epoch, linear in numbers (in their logarithm, where they have `log`)
    and with a weight for each choice; of many solutions the smallest one, which leaves out what has not varied yet.
    """
    measured = [trial for trial in trials if _is_measured(trial)][-MEASURED:]
    if len(measured) < 2:
        return lambda points: np.zeros(len(points))
    known = _encode(space, [trial.parameters for trial in measured])
    costs = np.log([trial.seconds / trial.epoch for trial in measured])
    middle = known.mean(axis=0)
    weights = np.linalg.lstsq(known - middle, costs - costs.mean(), rcond=None)[0]
    return lambda points: (_encode(space, points) - middle) @ weights


def _is_measured(trial: Trial) -> bool:
    """Whether an attempt's time was spent on the epochs that are there; one that was lost has lost some of them."""
    lost = any(attempt.outcome in LOSSES for attempt in trial.attempts)
    return trial.epoch > 0 and trial.seconds > 0 and not lost


def _encode(space: Mapping[str, AnyParameter], points: Sequence[Parameters]) -> np.ndarray:
    """Return a row for each point; what does not exist there is 0, as a number in its middle is."""
    columns: list[list[float]] = []
    for name, parameter in space.items():
        values = [point.get(name) for point in points]
        if isinstance(parameter, ChoiceParameter):
            columns += [[float(value == choice) for value in values] for choice in parameter.choices]
        else:
            turn = math.log if parameter.log else float
            low, high = turn(parameter.low), turn(parameter.high)
            middle, half = (low + high) / 2, (high - low) / 2
            columns.append([0.0 if value is None else (turn(float(value)) - middle) / half for value in values])
    return np.array(columns, dtype=float).T
