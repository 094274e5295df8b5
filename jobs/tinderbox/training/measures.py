"""A training as Prometheus is told of it, while it runs and after its end, from what its record adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from tinderbox.config import TrainJob
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import Sample
from tinderbox.training.history import Training
from tinderbox.training.record import Outcome
from tinderbox.training.status import TrainStatus


def measure_training(job: TrainJob, record: Training, status: TrainStatus, *, led: bool = True) -> Iterator[Sample]:
    """Yield all there is to tell of a training; of its workers only while it is `led` by a driver."""
    run = job.name
    yield catalogue.TRAINING_INFO.sample(1, run=run, mode=job.mode.name, model=_called(job))
    for metric, value in {**_progress(status), **_kept(job, record)}.items():
        if value is not None:
            yield metric.sample(value, run=run)
    for name, mean in status.metrics.items():
        if mean is not None:
            yield catalogue.TRAINING_VALUE.sample(mean, run=run, metric=name)
    yield from _losses(run, record)
    if led and not status.over:
        yield catalogue.TRAINING_WORKERS_WANTED.sample(status.wanted, run=run)
        training = 0 if record.running is None else status.workers
        yield catalogue.TRAINING_WORKERS.sample(training, run=run, state="training")
        waiting = status.workers + status.waiting - training
        yield catalogue.TRAINING_WORKERS.sample(waiting, run=run, state="waiting")


def _called(job: TrainJob) -> str | None:
    return job.model.name or job.model.build or job.model.path


def _progress(status: TrainStatus) -> dict[catalogue.Metric, float | None]:
    return {
        catalogue.TRAINING_OVER: status.over,
        catalogue.TRAINING_SECONDS: status.seconds,
        catalogue.TRAINING_SECONDS_LEFT: None if status.over else status.seconds_left,
        catalogue.TRAINING_EPOCH: status.epoch,
        catalogue.TRAINING_EPOCHS_WANTED: status.epochs,
        catalogue.TRAINING_STEP: status.step,
    }


def _kept(job: TrainJob, record: Training) -> dict[catalogue.Metric, float | None]:
    """What a loss would cost: everything since the last checkpoint."""
    last = max(list(record.checkpoints.values()), key=lambda kept: kept.step, default=None)
    return {
        catalogue.CHECKPOINT_TIME: last.time if last else None,
        catalogue.CHECKPOINT_STEP: last.step if last else 0,
        catalogue.CHECKPOINT_INTERVAL: checkpoint_interval(job, epoch_steps(job, record)),
    }


def _losses(run: str, record: Training) -> Iterator[Sample]:
    """Outcomes are told from zero on, so that the first of a kind is seen to come."""
    outcomes = Counter(dict.fromkeys(get_args(Outcome), 0))
    outcomes.update(attempt.ended.outcome for attempt in record.attempts if attempt.ended is not None)
    for outcome, count in outcomes.items():
        yield catalogue.TRAINING_ATTEMPTS.sample(count, run=run, outcome=outcome)
    replaced = sum(len(attempt.replaced) for attempt in record.attempts)
    yield catalogue.TRAINING_REPLACED.sample(replaced, run=run)


def epoch_steps(job: TrainJob, record: Training) -> int | None:
    """Return how many steps an epoch has, by the last one; None before the first one has ended.

    Where each worker has a batch of its own, as many fewer workers take as many more steps.
    """
    *_, before, last = 0, 0, *(row.step for row in record.history)
    if not record.history or job.batch.per == "all":
        return last - before or None
    return round((last - before) * record.history[-1].workers / len(record.attempts[-1].members)) or None


def checkpoint_interval(job: TrainJob, epoch: int | None) -> int | None:
    """Return how many steps are between two checkpoints; None where an epoch's would say, and are not known yet."""
    steps, epochs = job.checkpoints.steps, job.checkpoints.every_epochs
    by_epochs = None if epochs is None or epoch is None else epochs * epoch
    return min((each for each in (steps, by_epochs) if each is not None), default=None)
