"""Training steps of a trial, added up in its process until its slot is told."""

from __future__ import annotations

import bisect
import time

from tinderbox.metrics.catalogue import STEP_SECONDS
from tinderbox.metrics.ledger import width

TELL_SECONDS = 1.0


class Tally:
    """Counts examples and steps; `is_empty` says whether there were any since it was emptied."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.is_empty, self._examples, self._times = True, 0.0, [0.0] * width(STEP_SECONDS)
        self._emptied = time.monotonic()

    def add(self, examples: float, seconds: float, steps: int = 1) -> None:
        """Count examples, and so many steps, each of which took its share of the time."""
        self.is_empty = False
        self._examples += examples
        if steps:
            self._times[bisect.bisect_left(STEP_SECONDS.buckets, seconds / steps)] += steps
            self._times[-1] += seconds

    def is_due(self) -> bool:
        """Whether it was emptied long enough ago."""
        return time.monotonic() - self._emptied >= TELL_SECONDS

    def empty(self) -> tuple[float, list[float]]:
        """Return the examples, and the times of steps as sums of a histogram, and begin anew."""
        told = self._examples, self._times
        self._begin()
        return told
