"""Training steps of a trial, added up in its process until its slot is told."""

from __future__ import annotations

import bisect
import time

from tinderbox.metrics.catalogue import STEP_SECONDS
from tinderbox.metrics.ledger import width

TELL_SECONDS = 1.0


class Tally:
    """Counts steps and examples; `steps` is how many steps there were since it was emptied."""

    def __init__(self) -> None:
        self.steps, self._examples, self._times = 0, 0.0, [0.0] * width(STEP_SECONDS)
        self._emptied = time.monotonic()

    def add(self, examples: float, seconds: float) -> None:
        """Count one step."""
        self.steps += 1
        self._examples += examples
        self._times[bisect.bisect_left(STEP_SECONDS.buckets, seconds)] += 1
        self._times[-1] += seconds

    def is_due(self) -> bool:
        """Whether it was emptied long enough ago."""
        return time.monotonic() - self._emptied >= TELL_SECONDS

    def empty(self) -> tuple[float, list[float]]:
        """Return the examples, and the times of steps as sums of a histogram, and begin anew."""
        told = self._examples, self._times
        self.__init__()  # type: ignore[misc]
        return told
