"""What a worker tells of its steps, for the dashboards."""

from __future__ import annotations

from bisect import bisect_left

from tinderbox.metrics.catalogue import EXAMPLES, STEP_SECONDS, SYNC_BYTES, SYNC_DENSE_BYTES, SYNC_SECONDS, Metric
from tinderbox.metrics.ledger import width
from tinderbox.metrics.meter import Meter
from tinderbox.training.records import Counts


def count_steps(meter: Meter, done: Counts, mode: str) -> None:
    """Tell at once what was done since the last call in a mode of training; steps that are told together last alike."""
    meter.count(EXAMPLES, done.examples, "train")
    meter.count(SYNC_BYTES, done.sent, mode)
    meter.count(SYNC_DENSE_BYTES, done.dense, mode)
    if done.steps:
        meter.merge(STEP_SECONDS, _spread(STEP_SECONDS, done.seconds, done.steps))
        meter.merge(SYNC_SECONDS, _spread(SYNC_SECONDS, done.sync_seconds, done.steps))
    meter.flush()  # a task or a process that ends after this has nothing left to tell


def _spread(histogram: Metric, seconds: float, steps: int) -> list[float]:
    """Return a histogram's sums of so many steps, each of which has taken the mean."""
    sums = [0.0] * width(histogram)
    sums[bisect_left(histogram.buckets, seconds / steps)], sums[-1] = steps, seconds
    return sums
