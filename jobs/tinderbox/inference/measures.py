"""A batch inference as Prometheus is told of it, while it runs and after its end, from the summary of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinderbox.inference.summary import Summary
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import Sample


@dataclass(frozen=True)
class Left:
    """What is still to be labelled: how many files, and in how many seconds by the rate so far, if there is one."""

    files: int
    seconds: float | None


def measure(run: str, summary: Summary, over: bool, left: Left | None = None) -> Iterator[Sample]:
    """Yield all there is to tell of a batch inference."""
    yield catalogue.INFERENCE_OVER.sample(over, run=run)
    yield catalogue.INFERENCE_ROWS.sample(summary.labelled, run=run, outcome="labelled")
    yield catalogue.INFERENCE_ROWS.sample(summary.rows - summary.labelled, run=run, outcome="error")
    for reason, count in summary.errors.reasons.kept.items():
        yield catalogue.INFERENCE_ERRORS.sample(count, run=run, reason=reason)
    if summary.truth.accuracy is not None:
        yield catalogue.INFERENCE_ACCURACY.sample(summary.truth.accuracy, run=run)
    if left is not None:
        yield catalogue.INFERENCE_LEFT.sample(left.files, run=run)
        if left.seconds is not None:
            yield catalogue.INFERENCE_SECONDS_LEFT.sample(left.seconds, run=run)
