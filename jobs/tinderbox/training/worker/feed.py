"""Examples on their way into a model: batches gathered by TensorFlow itself, from arrays that stay where they are."""

from __future__ import annotations

from mmap import mmap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.training.sampling import Schedule
from tinderbox.training.worker.mirroring import fill_up

if TYPE_CHECKING:
    import tensorflow as tf

    from tinderbox.data.dataset import Examples

_AHEAD = 4
"""How many batches are gathered before they are asked for."""


class Feed:
    """The examples of a worker, of which TensorFlow gathers batches without Python's part.

    Memory maps of NumPy are not copied. Where `masked`, each batch has a weight for each example, which is 0 for one
    that only stands in: of it, neither loss nor metrics know. So it is where so many `replicas` share each batch.
    """

    def __init__(self, examples: Examples, masked: bool = False, replicas: int = 1) -> None:
        import tensorflow as tf

        self._masked, self._replicas = masked or replicas > 1, replicas
        with tf.device("CPU:0"):
            self._x, self._y = _share(examples.x), _share(examples.y)

    def take(self, schedule: Schedule) -> tf.data.Dataset:
        """Return the batches of a schedule."""
        import tensorflow as tf

        with tf.device("CPU:0"):
            rows, bounds, weights = (tf.constant(values) for values in fill_up(schedule, self._replicas))

        def gather(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
            begin, end = bounds[step], bounds[step + 1]
            chosen = rows[begin:end]
            batch = _shorten(tf.gather(self._x, chosen)), _shorten(tf.gather(self._y, chosen))
            return (*batch, weights[begin:end]) if self._masked else batch

        return _as_it_is(tf.data.Dataset.range(len(schedule)).map(gather))

    def in_order(self, first: int, last: int, size: int) -> tf.data.Dataset:
        """Return the examples from `first` up to, and without, `last` in batches of `size`, without weights."""
        import tensorflow as tf

        def cut(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            end = tf.minimum(start + size, last)
            return _shorten(self._x[start:end]), _shorten(self._y[start:end])

        return _as_it_is(tf.data.Dataset.range(first, last, size).map(cut))

    def targets(self, first: int, last: int) -> NDArray[Any]:
        """Return the targets of the examples from `first` up to, and without, `last`."""
        return np.asarray(self._y[first:last])


def _share(array: NDArray[Any]) -> tf.Tensor:
    """Return a tensor of an array, which a memory map lends its pages, so that all processes have them only once."""
    import tensorflow as tf

    whole: Any = array.base  # only of the whole of a map it is known where in the file it begins
    if not isinstance(array, np.memmap) or not isinstance(whole, mmap) or array.filename is None:
        return tf.convert_to_tensor(array)
    # NumPy lends only what may be written to; what is written here, and nothing is, would not reach the file.
    lent = np.memmap(array.filename, array.dtype, "c", array.offset, array.shape)
    return tf.experimental.dlpack.from_dlpack(lent.__dlpack__())


def _as_it_is(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches that are gathered ahead, without TensorFlow's rewriting, which copies the arrays they are from."""
    import tensorflow as tf

    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    return batches.prefetch(_AHEAD).with_options(options)


def _shorten(values: Any) -> Any:
    """Return what Keras makes of a batch, too: float32 of float64."""
    import tensorflow as tf

    return tf.cast(values, tf.float32) if values.dtype == tf.float64 else values
