"""A search of all points of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinderbox.sweeping.draws import QuasiRandom
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.seeds import derive

Key = tuple[tuple[str, object], ...]


class Grid:
    """The points of a grid, each once; fewer than all are a random choice among them, so that no corner is left out.

    Those whose parameters in `cost` are largest come first, the first one before the second. A point has its number
    for good: that costs are learnt changes only which of the trials that wait runs next. What trials there are beyond
    the points of the grid are drawn by `more`; `begin` is the first trial, and tells the choices of rounds apart.
    """

    def __init__(
        self,
        points: Sequence[Parameters],
        seed: int,
        limit: int | None = None,
        cost: Sequence[str] = (),
        begin: int = 0,
        more: QuasiRandom | None = None,
    ) -> None:
        if limit is not None and limit < len(points):
            order = np.random.default_rng(derive(seed, begin, "order")).permutation(len(points))
            points = [points[index] for index in order[:limit]]
        dearest = sorted(points, key=lambda point: [-float(point.get(name, -math.inf)) for name in cost])
        self._left = {key_of(point): point for point in dearest}
        self._queue = list(self._left)[::-1]
        self._crossed, self._more = 0, more

    def __len__(self) -> int:
        """Return how many points are left."""
        return len(self._left)

    def take(self, point: Parameters) -> None:
        """Take a point out, where it is one of those left."""
        self._left.pop(key_of(point), None)

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the first point that no earlier trial has."""
        for earlier in range(self._crossed, number):
            self.take(past.proposed[earlier].parameters)
        self._crossed = number
        if not self._left and self._more is not None:
            return self._more.propose(number, past)
        while self._queue[-1] not in self._left:
            self._queue.pop()
        return self._left[self._queue[-1]]


def key_of(point: Parameters) -> Key:
    """Return a point as what can be looked up."""
    return tuple(point.items())
