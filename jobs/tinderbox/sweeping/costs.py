"""What a trial costs, learnt from those that have ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tinderbox.config import AnyParameter, ChoiceParameter
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.history import Trial

MEASURED = 500
"""How many of the newest trials are learnt from."""


def predict_costs(
    space: Mapping[str, AnyParameter], trials: Sequence[Trial], points: Sequence[Parameters]
) -> np.ndarray | None:
    """Return the logarithm of what an epoch of each point costs, up to a constant, None while too little is known.

    Least squares of the logarithm of seconds per epoch, linear in numbers (in their logarithm, where they have `log`)
    and with a weight for each choice; of many solutions the smallest one, which leaves out what has not varied yet.
    """
    measured = [trial for trial in trials if _is_measured(trial)][-MEASURED:]
    if len(measured) < 2:
        return None
    known, costs = (
        _encode(space, [trial.parameters for trial in measured]),
        np.log([_cost(trial) for trial in measured]),
    )
    middle = known.mean(axis=0)
    weights = np.linalg.lstsq(known - middle, costs - costs.mean(), rcond=None)[0]
    predicted: np.ndarray = (_encode(space, points) - middle) @ weights
    return predicted


def _is_measured(trial: Trial) -> bool:
    """Whether an attempt's time was spent on the epochs that are there; one that was lost has lost some of them."""
    lost = any(attempt.outcome in ("lost", "infrastructure") for attempt in trial.attempts)
    return trial.epoch > 0 and trial.seconds > 0 and not lost


def _cost(trial: Trial) -> float:
    return trial.seconds / trial.epoch


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
