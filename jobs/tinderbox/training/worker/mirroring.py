"""Replicas of a model on several GPUs of one worker, which share its batches."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import BadInput
from tinderbox.training.sampling import Rows, Schedule


def share_out(gpus: int, workers: int) -> AbstractContextManager[Any]:
    """Return the scope in which a model is made that so many GPUs of each worker train.

    Keras takes the mean over replicas, so they need equal parts of each batch: see `fill_up`.

    Raises:
        BadInput: There are fewer.
    """
    import tensorflow as tf

    if gpus < 2:
        return nullcontext()
    # What TensorFlow chooses itself are collective operations, whose keys another worker's replicas would have, too.
    sums = tf.distribute.ReductionToOneDevice() if workers > 1 else None
    scope: AbstractContextManager[Any] = tf.distribute.MirroredStrategy(find_gpus(gpus), cross_device_ops=sums).scope()
    return scope


def find_gpus(count: int) -> list[str]:
    """Return the names of so many GPUs."""
    import tensorflow as tf

    found = [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices("GPU")]
    if len(found) < count:
        raise BadInput(f"gpus: {count} are wanted in a worker, and TensorFlow finds {len(found)}; ask for fewer")
    return found[:count]


def fill_up(schedule: Schedule, replicas: int) -> tuple[Rows, Rows, NDArray[np.float32]]:
    """Return rows of a schedule, where each step's begin, and each row's weight, so that replicas have equal parts.

    What a step is filled up with weighs nothing. Its own rows weigh as much more as the mean over all is less for that,
    so that its gradient is that of their mean; in an epoch's metrics they count by this weight.
    """
    sizes = np.diff(schedule.bounds)
    whole = -(-sizes // replicas) * replicas
    bounds = np.concatenate([[0], np.cumsum(whole)])
    within, own = np.arange(bounds[-1]) - np.repeat(bounds[:-1], whole), np.repeat(sizes, whole)
    rows = schedule.rows[np.repeat(schedule.bounds[:-1], whole) + np.minimum(within, own - 1)]
    weights = np.where(within < own, np.repeat((schedule.counts > 0) * whole / sizes, whole), 0)
    return rows, bounds, weights.astype(np.float32)


def settle_metrics(model: Any, batches: Any) -> None:
    """Have Keras make the metrics of a model with replicas now, from a batch with one example for each.

    It would look at the first batch for it in each fit, and fails where replicas have unequal parts of that one.
    """
    model.evaluate(batches, verbose=0)
    model.reset_metrics()
    model._maybe_symbolic_build = lambda **given: None
