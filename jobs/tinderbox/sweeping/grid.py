"""A search of all points of a grid, the dearest first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tinderbox.config import AnyParameter
from tinderbox.sweeping.costs import predict_costs
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.space import grid

Key = tuple[tuple[str, object], ...]


class Grid:
    """All points of a grid, the dearest of those left first, so that no slot waits at the end for one that is long.

    What a point costs is learnt from the trials that have ended (Graham 1969 bounds what longest-first loses against
    the best order). Until then the points whose parameters in `cost` are largest go first, the first one before the
    second. Fewer than all points are a random choice among them, so that no corner is left out.

    `places` number the points of the whole grid, whatever the order in which they are tried.
    """

    def __init__(
        self, space: Mapping[str, AnyParameter], seed: int, limit: int | None = None, cost: Sequence[str] = ()
    ) -> None:
        points = grid(space)
        self.places = {key(point): place for place, point in enumerate(points)}
        if limit is not None and limit < len(points):
            order = np.random.default_rng(derive(seed, 0, "order")).permutation(len(points))
            points = [points[index] for index in order[:limit]]
        self._space = space
        self._left = {key(point): point for point in sorted(points, key=lambda point: _said(point, cost))}
        self._queue = list(self._left)[::-1]
        self._crossed = self._learnt = 0

    def __len__(self) -> int:
        """Return how many points are left."""
        return len(self._left)

    def take(self, point: Parameters) -> None:
        """Take a point out, if it is one of those left."""
        self._left.pop(key(point), None)

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the dearest of the points that no earlier trial has."""
        for earlier in range(self._crossed, number):
            self.take(past.proposed[earlier].parameters)
        self._crossed = number
        self._learn(past.ended)
        while self._queue[-1] not in self._left:
            self._queue.pop()
        return self._left[self._queue[-1]]

    def _learn(self, ended: Sequence[Trial]) -> None:
        """Sort the points that are left by what the trials that ended have taught."""
        # Not after each one when there are many; when is decided by their number alone, as a resumed study would.
        known = len(ended) - len(ended) % (1 + len(ended) // 16)
        if known == self._learnt:
            return
        self._learnt = known
        costs = predict_costs(self._space, ended[:known], list(self._left.values()))
        if costs is not None:
            keys = list(self._left)
            self._queue = [keys[index] for index in np.argsort(-costs, kind="stable")[::-1]]


def key(point: Parameters) -> Key:
    """Return a point as what can be looked up."""
    return tuple(point.items())


def _said(point: Parameters, cost: Sequence[str]) -> tuple[float, ...]:
    """Return by what points are sorted before costs are known; where a parameter does not exist it costs nothing."""
    return tuple(-float(point.get(name, -math.inf)) for name in cost)
