"""Mode synchronous: every step is one step of all workers, each of which applies the mean of their gradients.

Gradients count by a worker's share of the step's examples, so N workers with B examples do what one does with N x B of
the same. What is no gradient and yet changes in a step is brought together with them, in the same message: the moving
statistics of BatchNormalization. Each worker normalises with the statistics of its own part of the batch, as Keras
does in replicas, and its moving ones are then the means over workers. So a model with BatchNormalization does not take
the steps that one worker takes with the whole batch, but all workers have the same variables after each.

The optimizer gets summed gradients before it scales, clips or looks at them. With float16 that means that all leave
out a step in which one of them had a gradient that is infinite.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.training.exchange import Gradients, Traffic
from tinderbox.training.records import Assignment, Position
from tinderbox.training.sampling import Schedule
from tinderbox.training.synchronous.collective import add_up, start_runtime

_STEP, _STATE, _TOTAL = 101, 102, 103
"""The instances of our sums: one for each kind of vector."""


class Synchronous:
    """The exchange of one worker with all others in each step; `replicas` are those of a MirroredStrategy inside it.

    It has to be made before any operation of TensorFlow.
    """

    every_worker_saves = False

    def __init__(self, assignment: Assignment, replicas: int = 1, deterministic: bool = False) -> None:
        import tensorflow as tf

        self._deterministic = deterministic
        self._rank, self._workers, self._replicas = assignment.rank, assignment.workers, replicas
        self._runtime = start_runtime(assignment.addresses, assignment.rank)
        self._weights = tf.Variable([1.0], shape=[None], trainable=False)
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self._moving: list[Any] = []
        self._size = self._steps = 0
        self._told = 0.0

    def attach(self, model: Any, position: Position) -> Position:
        """Give all workers the variables that rank 0 has, whatever a model was built from."""
        self._moving = moving_statistics(model)
        for variable in [*model.trainable_variables, *self._moving]:
            self._size += int(np.prod(variable.shape)) * 4
        self._copy([*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables])
        return position

    def _copy(self, variables: Sequence[Any]) -> None:
        import tensorflow as tf

        real = [variable for variable in variables if "float" in str(variable.dtype)]
        values = [np.asarray(variable).astype(np.float64) for variable in real]
        flat = np.concatenate([value.ravel() for value in values])
        shared = np.asarray(self._add_up(tf.constant(flat if self._rank == 0 else np.zeros_like(flat)), _STATE))
        for variable, part, value in zip(real, _cut(shared, values), values, strict=True):
            variable.assign(part.reshape(value.shape))

    def _add_up(self, vector: Any, instance: int) -> Any:
        """Return a sum over workers, outside of the graph."""
        import tensorflow as tf

        with tf.device("CPU:0"):
            return add_up(vector, self._workers, instance)

    def begin(self, schedule: Schedule) -> None:
        """Take the weights of an epoch's steps."""
        self._weights.assign(schedule.weights)
        self._step.assign(0)

    def apply(self, update: Callable[[Gradients], None], gradients: Gradients, variables: Sequence[Any]) -> None:
        """Apply the mean over workers, by their shares, of gradients, and take over that of moving statistics."""
        import tensorflow as tf

        known = [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
        states = [tf.convert_to_tensor(variable) for variable in self._moving]
        # Keras adds up what replicas have, of gradients, once more.
        weight = self._weights[self._step] / (self._workers * self._replicas)
        sums = self._share([*known, *states], weight)
        for variable, value in zip(self._moving, sums[len(known) :], strict=True):
            variable.assign(value)
        shared = iter(sums[: len(known)])
        update([gradient if gradient is None else next(shared) for gradient in gradients])

    def _share(self, tensors: Sequence[Any], weight: Any) -> list[Any]:
        """Return sums of tensors over all workers, in one message."""
        import tensorflow as tf

        dtype = tf.float64 if any(tensor.dtype == tf.float64 for tensor in tensors) else tf.float32
        flat = tf.concat([tf.reshape(tf.cast(tensor, dtype), [-1]) for tensor in tensors], axis=0)
        flat *= tf.cast(weight, dtype)
        total = self._merge(flat)
        parts = tf.split(total, [int(np.prod(tensor.shape)) for tensor in tensors])
        return [
            tf.cast(tf.reshape(part, tensor.shape), tensor.dtype) for part, tensor in zip(parts, tensors, strict=True)
        ]

    def _merge(self, flat: Any) -> Any:
        """Return the sum of a vector over all replicas of all workers; those of one add theirs up first."""
        import tensorflow as tf

        if self._replicas == 1:
            return self._measure(flat)
        return tf.distribute.get_replica_context().merge_call(
            lambda strategy, parts: self._measure(strategy.reduce("SUM", parts, axis=None)), args=(flat,)
        )

    def _measure(self, flat: Any) -> Any:
        """Return the sum of a vector over all workers, and note how long it took."""
        import tensorflow as tf

        with tf.control_dependencies([flat]):
            began = self._now()
        with tf.control_dependencies([began]):
            total = add_up(flat, self._workers, _STEP)
        with tf.control_dependencies([total]):
            spent = self._seconds.assign_add(self._now() - began)
        with tf.control_dependencies([spent]):
            return tf.identity(total)

    def _now(self) -> Any:
        """Return the time as a part of the graph; where operations are to be deterministic, TensorFlow's is refused."""
        import tensorflow as tf

        return tf.numpy_function(time.time, [], tf.float64) if self._deterministic else tf.timestamp()

    def after_step(self, position: Position) -> None:
        """Count the step, outside the graph, in which each replica would."""
        self._steps += 1
        self._step.assign_add(1)

    def settle(self, position: Position) -> None:
        """All workers are where this one is."""

    def total(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the metrics of all workers, which rank 0 keeps for all."""
        import tensorflow as tf

        return np.asarray(self._add_up(tf.constant(sums), _TOTAL))

    def save(self) -> dict[str, bytes]:
        """There is no state beside the model."""
        return {}

    def restore(self, members: Mapping[str, bytes]) -> None:
        """There is no state beside the model."""

    def traffic(self) -> Traffic:
        """Return the seconds in sums, waiting included, and what a ring of workers sends for them."""
        seconds, steps, self._steps = float(self._seconds), self._steps, 0
        sent = round(2 * (self._workers - 1) / self._workers * self._size * steps)
        spent, self._told = seconds - self._told, seconds
        return Traffic(spent, sent, sent)

    def close(self) -> None:
        """The runtime ends with the process."""


def moving_statistics(model: Any) -> list[Any]:
    """Return the variables that steps change though no gradient does: of layers that train, and hold real numbers."""
    import keras

    layers = [layer for layer in model._flatten_layers() if layer.trainable]  # frozen ones keep what they have
    found = [
        variable
        for layer in layers
        if not isinstance(layer, keras.layers.Normalization)  # which was adapted before
        for variable in layer._non_trainable_variables
    ]
    return [variable for variable in found if "float" in str(variable.dtype)]


def _cut(flat: NDArray[np.float64], like: Sequence[NDArray[Any]]) -> list[NDArray[np.float64]]:
    ends = np.cumsum([value.size for value in like])[:-1]
    return np.split(flat, ends)
