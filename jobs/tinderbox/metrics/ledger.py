"""What has been counted and timed: sums by metric and labels, made to be added to other ones."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence

from tinderbox.metrics.catalogue import METRICS, Metric

Key = tuple[str, tuple[str, ...]]
"""A metric's name and its labels, without the node: that is the exporter's to know."""


class Ledger:
    """Sums of counters and histograms.

    They are `[sum]` of a counter, and of a histogram the count of each bucket, that of all above them, and the sum. No
    more than `most` different keys are taken, so that a label that is not bounded costs no memory.
    """

    def __init__(self, most: int = 1000) -> None:
        self._sums: dict[Key, list[float]] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, key: Key, amounts: Sequence[float]) -> bool:
        """Add to the sums under a key, and return whether there was room for it."""
        sums = self._sums.get(key)
        if sums is None:
            if len(self._sums) >= self._most:
                return False
            self._sums[key] = list(amounts)
            return True
        for place, amount in enumerate(amounts):
            sums[place] += amount
        return True

    def observe(self, metric: Metric, labels: tuple[str, ...], value: float) -> None:
        """Count a value into its bucket of a histogram."""
        key = metric.name, labels
        sums = self._sums.get(key)
        if sums is None:
            sums = [0.0] * width(metric)
            if not self.add(key, sums):
                return
            sums = self._sums[key]
        sums[bisect.bisect_left(metric.buckets, value)] += 1
        sums[-1] += value

    def items(self) -> Iterator[tuple[Key, list[float]]]:
        """Yield keys and sums."""
        return iter(list(self._sums.items()))

    def discard(self, keys: Sequence[Key]) -> None:
        """Forget what stands under keys."""
        for key in keys:
            del self._sums[key]


def width(metric: Metric) -> int:
    """Return how many sums a metric has."""
    return 1 if metric.kind == "counter" else len(metric.buckets) + 2


def fits(key: Key, amounts: Sequence[float]) -> bool:
    """Whether these may be sums of a metric that pods count, and can only grow."""
    metric = METRICS.get(key[0])
    if metric is None or metric.kind == "gauge" or metric.labels[:2] != ("node", "run"):
        return False
    is_whole = len(key[1]) == len(metric.labels) - 1 and len(amounts) == width(metric)
    return is_whole and all(0 <= amount < math.inf for amount in amounts)
