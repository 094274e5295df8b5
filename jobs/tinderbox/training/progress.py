"""What epochs add up to: means over all workers, the best epoch, and whether training ends. Pure, for every mode."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tinderbox.config import TrainJob
from tinderbox.config.train import EarlyStopping
from tinderbox.errors import BadInput
from tinderbox.training.record import EpochEnded
from tinderbox.training.records import EpochReport, Resume, Sums, Verdict

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Merged:
    """An epoch of all workers together: means of metrics, those of validation with `val_` before their names."""

    metrics: dict[str, float]
    step: int
    examples: int
    seconds: float
    workers: int
    sent: int
    dense: int
    sync_seconds: float

    def ended(self, attempt: int, epoch: int, time: float) -> EpochEnded:
        """Return the event that tells of it."""
        return EpochEnded(
            time=time,
            attempt=attempt,
            epoch=epoch,
            step=self.step,
            examples=self.examples,
            seconds=self.seconds,
            workers=self.workers,
            metrics=self.metrics,
            sent=self.sent,
            dense=self.dense,
            sync_seconds=self.sync_seconds,
        )


def merge(reports: Sequence[EpochReport]) -> Merged:
    """Return one epoch as all workers together did it, which took as long as the slowest one of them.

    In exchange the one spent most that waited most, and no worker spends more there than it takes in all: where its
    two clocks differ by a little, the shorter time counts.
    """
    train = _total(report.train for report in reports)
    validation = _total(report.validation for report in reports)
    counts = [report.counts for report in reports]
    return Merged(
        metrics={**train.means, **{f"val_{name}": mean for name, mean in validation.means.items()}},
        step=max(report.step for report in reports),
        examples=sum(count.examples for count in counts),
        seconds=max(count.seconds for count in counts),
        workers=len(reports),
        sent=sum(count.sent for count in counts),
        dense=sum(count.dense for count in counts),
        sync_seconds=max(min(count.sync_seconds, count.seconds) for count in counts),
    )


def _total(sums: Iterable[Sums]) -> Sums:
    return sum(sums, start=Sums(0, {}))


def find_divergence(metrics: dict[str, float]) -> str | None:
    """Return the sentence that says which metric is no number any more, None where all are finite."""
    lost = next((f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)), None)
    return None if lost is None else f"{lost}; lower the learning rate, or look at the data for what is not finite"


@dataclass(frozen=True)
class Course:
    """What the history says of early stopping: the best epoch, and how many have passed since."""

    best: int | None = None
    waited: int = 0


def follow(history: Sequence[EpochEnded], stopping: EarlyStopping) -> Course:
    """Return where early stopping stands after a history; as in Keras, an epoch is better by more than `min_delta`.

    The first one is the best until another is better, and every number is better than one that is none.

    Raises:
        BadInput: The history has no such metric.
    """
    course, least = Course(), math.inf
    for row in history:
        if stopping.metric not in row.metrics:
            known = ", ".join(row.metrics) or "none"
            raise BadInput(f"early_stopping: metric must be one of {known}, got {stopping.metric!r}")
        value = stopping.sign * row.metrics[stopping.metric]
        if course.best is None or value < least - stopping.min_delta:
            course, least = Course(row.epoch, 0), math.inf if math.isnan(value) else value
        else:
            course = Course(course.best, course.waited + 1)
    return course


def best_epoch(history: Sequence[EpochEnded], job: TrainJob) -> int | None:
    """Return the epoch whose state is the result: the best by early stopping, else the last; None without a history."""
    if not history:
        return None
    return history[-1].epoch if job.early_stopping is None else follow(history, job.early_stopping).best


def is_over(history: Sequence[EpochEnded], job: TrainJob) -> bool:
    """Whether nothing is left to train after a history."""
    if not history:
        return False
    stopping = job.early_stopping
    early = stopping is not None and follow(history, stopping).waited >= stopping.patience
    return early or history[-1].epoch >= job.epochs


def judge(history: Sequence[EpochEnded], job: TrainJob, kept: Callable[[int], Resume | None]) -> Verdict:
    """Return what follows the last epoch of a history; `kept` finds the checkpoint at the end of an epoch.

    Where training stops at an epoch that is not the best, workers go back to the best one's checkpoint, if it is there.

    Raises:
        BadInput: Early stopping looks at a metric that the history has not.
    """
    epoch, best, over = history[-1].epoch, best_epoch(history, job), is_over(history, job)
    if job.early_stopping is None or best is None:
        return Verdict(stop=over)
    return Verdict(stop=over, save=best == epoch, best=find_best(best, kept) if over and best != epoch else None)


def find_best(best: int, kept: Callable[[int], Resume | None]) -> Resume | None:
    """Return the checkpoint at the end of the best epoch; where there is none any more, that is said."""
    if (found := kept(best)) is None:
        LOG.warning("the checkpoint of epoch %d, the best one, is gone or damaged; the model is another epoch's", best)
    return found
