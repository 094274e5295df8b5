"""What the history of a training says: its metrics by epoch, the best epoch, and how many steps an epoch had."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinderbox.config import TrainJob
from tinderbox.config.train import sign_of
from tinderbox.training.history import Attempt, Training
from tinderbox.training.progress import follow
from tinderbox.training.record import EpochEnded

TITLES = {
    "loss": "Loss",
    "top1": "Top 1",
    "top5": "Top 5",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
}
"""What a reader knows the metrics by; others keep their name."""

SHARES = ("top1", "top5")
"""Metrics that are told in percent."""

HELD_OUT = "val_"
"""What the name of a metric begins with where it is of validation examples."""


def title(metric: str) -> str:
    """Return what a metric is called on a page, with or without `val_`."""
    name = metric.removeprefix(HELD_OUT)
    return TITLES.get(name, name)


def full_title(metric: str) -> str:
    """Return what a metric is called where nothing around it says of which examples it is."""
    return f"validation {title(metric).lower()}" if metric.startswith(HELD_OUT) else f"training {title(metric).lower()}"


def metrics(history: Sequence[EpochEnded]) -> list[str]:
    """Return the metrics that any epoch has, those of validation left out, which are called alike."""
    found = dict.fromkeys(name.removeprefix(HELD_OUT) for row in history for name in row.metrics)
    return [*(name for name in TITLES if name in found), *(name for name in found if name not in TITLES)]


def values(history: Sequence[EpochEnded], metric: str) -> list[float | None]:
    """Return a metric by epoch, None where it has no finite value."""
    found = (row.metrics.get(metric, math.nan) for row in history)
    return [value if math.isfinite(value) else None for value in found]


def are_same(one: Sequence[float | None], other: Sequence[float | None]) -> bool:
    """Return whether two metrics are one by two names, but for what is lost in adding them up in 32 bits."""
    return all(
        left == right if left is None or right is None else math.isclose(left, right, rel_tol=1e-5)
        for left, right in zip(one, other, strict=True)
    )


@dataclass(frozen=True)
class Aim:
    """The metric by which epochs are compared; `sign` is 1 where less of it is better, and -1 where more is."""

    metric: str
    sign: int


def aim(job: TrainJob, history: Sequence[EpochEnded]) -> Aim:
    """Return what a job stops early by, else the first that there is of Top 1 and loss, of validation if it can be."""
    if job.early_stopping is not None:
        return aim_at(job.early_stopping.metric)
    name = "top1" if "top1" in metrics(history) else "loss"
    held_out = any(HELD_OUT + name in row.metrics for row in history)
    return aim_at(HELD_OUT + name if held_out else name)


def aim_at(metric: str) -> Aim:
    """Return a metric as what epochs are compared by."""
    return Aim(metric, sign_of(metric))


def best(history: Sequence[EpochEnded], by: Aim) -> EpochEnded | None:
    """Return the best epoch, the first one of equals; None where no epoch has a finite value."""
    scored = [row for row in history if math.isfinite(row.metrics.get(by.metric, math.nan))]
    return min(scored, key=lambda row: by.sign * row.metrics[by.metric], default=None)


def best_by_job(history: Sequence[EpochEnded], job: TrainJob) -> EpochEnded | None:
    """Return the best epoch by what a job stops early by, its least difference kept to, or else by its aim."""
    stopping = job.early_stopping
    if stopping is None or any(stopping.metric not in row.metrics for row in history):
        return best(history, aim(job, history))
    epoch = follow(history, stopping).best
    chosen = [row for row in history if row.epoch == epoch]
    return best(chosen, aim_at(stopping.metric)) or best(history, aim_at(stopping.metric))


def steps(training: Training) -> Iterator[int]:
    """Yield how many steps of each epoch its last attempt made: not all of them where it began inside the epoch."""
    done = 0
    for row in training.history:
        begun = training.attempts[row.attempt - 1].began.step
        yield max(row.step - max(done, begun if begun <= row.step else 0), 0)
        done = row.step


@dataclass(frozen=True)
class Break:
    """An attempt that ended before training was over, how and why; `place` is between the epochs in which it did."""

    attempt: Attempt
    outcome: str
    cause: str
    place: float


def breaks(training: Training) -> list[Break]:
    """Return the attempts that ended before training was over."""
    return [
        Break(attempt, attempt.ended.outcome, attempt.ended.cause, last_epoch(attempt) + 0.5)
        for attempt in training.attempts
        if attempt.ended is not None and attempt.ended.outcome != "complete"
    ]


def last_epoch(attempt: Attempt) -> int:
    """Return how many epochs were done when an attempt ended, or are now."""
    return attempt.began.epoch if attempt.last is None else attempt.last.epoch
