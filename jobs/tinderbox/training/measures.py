"""A training as Prometheus is told of it, while it runs and after its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tinderbox.config import TrainJob
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import Sample
from tinderbox.training.records import Position


@dataclass(frozen=True)
class Standing:
    """How a training stands.

    `seconds` is for how long drivers have worked on it, and `seconds_left` an estimate, None without one. `values` are
    the metrics of the last epoch, `attempts` how many have ended by their outcome, `replaced` how many workers were
    replaced while the others went on. `saved` is the last checkpoint's
    position and `saved_at` its Unix time, None without one. `workers` are those that are there by their state, None
    where nobody knows, since no driver is there. `epoch_steps` is how many steps an epoch has, None where that is not
    known.
    """

    position: Position
    over: bool
    seconds: float
    seconds_left: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    replaced: int = 0
    saved: Position | None = None
    saved_at: float | None = None
    workers: Mapping[str, int] | None = None
    epoch_steps: int | None = None


def measure_training(job: TrainJob, now: Standing) -> Iterator[Sample]:
    """Yield all there is to tell of a training."""
    run = job.name
    model = job.model.name or job.model.build or job.model.path
    yield catalogue.TRAINING_INFO.sample(1, run=run, mode=job.mode.name, model=model)
    told = {
        catalogue.TRAINING_OVER: now.over,
        catalogue.TRAINING_SECONDS: now.seconds,
        catalogue.TRAINING_SECONDS_LEFT: None if now.over else now.seconds_left,
        catalogue.TRAINING_EPOCH: now.position.epoch,
        catalogue.TRAINING_EPOCHS_WANTED: job.epochs,
        catalogue.TRAINING_STEP: now.position.step,
        catalogue.TRAINING_REPLACED: now.replaced,
        catalogue.CHECKPOINT_TIME: now.saved_at,
        catalogue.CHECKPOINT_STEP: now.saved.step if now.saved else 0,
        catalogue.CHECKPOINT_INTERVAL: checkpoint_interval(job, now.epoch_steps),
    }
    for metric, value in told.items():
        if value is not None:
            yield metric.sample(value, run=run)
    for name, value in now.values.items():
        yield catalogue.TRAINING_VALUE.sample(value, run=run, metric=name)
    for outcome, count in now.attempts.items():
        yield catalogue.TRAINING_ATTEMPTS.sample(count, run=run, outcome=outcome)
    if now.workers is not None:
        yield catalogue.TRAINING_WORKERS_WANTED.sample(job.workers, run=run)
        for state, count in now.workers.items():
            yield catalogue.TRAINING_WORKERS.sample(count, run=run, state=state)


def checkpoint_interval(job: TrainJob, epoch_steps: int | None) -> int | None:
    """Return how many steps are between two checkpoints at most; None where that depends on steps nobody knows yet."""
    steps, epochs = job.checkpoints.steps, job.checkpoints.every_epochs
    by_epochs = epochs * epoch_steps if epochs is not None and epoch_steps is not None else None
    return min((each for each in (steps, by_epochs) if each is not None), default=None)
