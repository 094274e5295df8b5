"""The trainable variables of a model as one flat array, read and written in one call each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinderbox.training.threshold.coding import Floats


class Vector:
    """Reads and writes Keras variables, one after the other, as float32."""

    def __init__(self, variables: Sequence[Any]) -> None:
        import tensorflow as tf

        sizes = [int(np.prod(variable.shape, dtype=np.int64)) for variable in variables]

        def read() -> Any:
            return tf.concat([tf.reshape(tf.cast(each.value, tf.float32), [-1]) for each in variables], 0)

        def write(values: Any) -> None:
            for variable, part in zip(variables, tf.split(values, sizes), strict=True):
                variable.assign(tf.cast(tf.reshape(part, variable.shape), variable.dtype))

        self._read = tf.function(read)
        self._write = tf.function(write, input_signature=[tf.TensorSpec((sum(sizes),), tf.float32)])

    def read(self) -> Floats:
        """Return what the variables hold, in an array of its own."""
        return np.array(self._read(), np.float32)

    def write(self, values: Floats) -> None:
        """Give the variables these values."""
        self._write(values)
