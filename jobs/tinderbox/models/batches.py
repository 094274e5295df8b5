"""Batches for Keras, read from memory-mapped examples as they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

    from tinderbox.data.dataset import Examples


def keras_batches(examples: Examples, size: int) -> keras.utils.PyDataset:
    """Return the examples in their order as batches of `size`, the last one smaller, for `fit` and `evaluate`.

    Arrays given to `fit` itself are copied into memory whole, once for each trial that runs.
    """
    import keras

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras ships no types
        def __len__(self) -> int:
            return -(-len(examples) // size)

        def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
            rows = slice(index * size, (index + 1) * size)
            return examples.x[rows], examples.y[rows]

    return Batches()
