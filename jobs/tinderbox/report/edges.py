"""Whether the best trial lies on the edge of what was searched: then better ones may lie beyond it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tinderbox.config import FloatParameter, IntParameter, Number, SweepJob
from tinderbox.report.wording import number
from tinderbox.sweeping.space import grid_values, widest
from tinderbox.sweeping.study import Study

_MARGIN = 0.01
"""The share of a real number's range that counts as its end."""


@dataclass(frozen=True)
class Edge:
    """A parameter whose best value lies at one end of the range, or of the grid's points, from `low` to `high`."""

    parameter: str
    value: float
    side: Literal["lower", "upper"]
    low: float
    high: float
    searched: Literal["grid", "range"]

    @property
    def sentence(self) -> str:
        """What this means and what to do about it."""
        ends = f"{number(self.low)} to {number(self.high)}"
        beyond, direction = ("below", "downwards") if self.side == "lower" else ("above", "upwards")
        # The default parameters need not lie between the points of a grid.
        place = "at" if self.low <= self.value <= self.high else "beyond"
        return (
            f"The best trial has {self.parameter} = {number(self.value)}, {place} the {self.side} end of its "
            f"{self.searched} ({ends}): better values may lie {beyond}; widen the {self.searched} {direction}."
        )


def edges(study: Study, job: SweepJob) -> list[Edge]:
    """Return the numbers whose best value lies on an end, in the order of the job file; choices have no ends.

    A real number within 1 % of its range, measured on its own scale, counts as on the end.
    """
    if study.best is None:
        return []
    best, searched = study.best.parameters, widest(job.parameters, [begun.space for begun in study.rounds])
    found = [
        _edge(name, parameter, float(best[name]), job.search.method == "grid" and not study.rounds)
        for name, parameter in searched.items()
        if isinstance(parameter, Number) and name in best
    ]
    return [edge for edge in found if edge is not None]


def _edge(name: str, parameter: FloatParameter | IntParameter, value: float, grid: bool) -> Edge | None:
    points = [float(point) for point in grid_values(parameter)] if grid else [parameter.low, parameter.high]
    low, high = min(points), max(points)
    if low == high:
        return None
    position = _position(value, low, high, parameter.log)
    margin = _MARGIN if isinstance(parameter, FloatParameter) and not grid else 0.0
    if margin < position < 1 - margin:
        return None
    return Edge(name, value, "lower" if position <= margin else "upper", low, high, "grid" if grid else "range")


def _position(value: float, low: float, high: float, log: bool) -> float:
    """Return where a value lies between the ends, 0 at the lower and 1 at the upper one."""
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)
