"""A search of all points of a grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tinderbox.config import AnyParameter
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.space import grid


class Grid:
    """All points of the grid; fewer than all are a random choice among them, so that no corner is left out.

    Those whose parameters in `cost` are largest come first, the first one before the second. A point has its number
    for good: that costs are learnt changes only which of the trials that wait runs next.
    """

    def __init__(
        self, space: Mapping[str, AnyParameter], seed: int, limit: int | None = None, cost: Sequence[str] = ()
    ) -> None:
        points = grid(space)
        if limit is not None and limit < len(points):
            order = np.random.default_rng(derive(seed, 0, "order")).permutation(len(points))
            points = [points[index] for index in order[:limit]]
        self._points = sorted(points, key=lambda point: [-float(point.get(name, -math.inf)) for name in cost])

    def start_with(self, first: Sequence[Parameters]) -> int:
        """Put points first, moved there if they are points of the grid, and return the number of trials."""
        self._points = [*first, *(point for point in self._points if point not in first)]
        return len(self._points)

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the point with this number."""
        return self._points[number]
