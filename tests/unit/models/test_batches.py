"""Batches for Keras: all examples, in order, without a copy."""

from __future__ import annotations

import numpy as np

from tinderbox.data import Examples
from tinderbox.models.batches import keras_batches

EXAMPLES = Examples(np.arange(10).reshape(5, 2), np.arange(5))


def test_batches_hold_all_examples_in_order() -> None:
    """Five examples by twos are three batches, the last one of a single example."""
    batches = keras_batches(EXAMPLES, 2)
    assert [batches[index][1].tolist() for index in range(len(batches))] == [[0, 1], [2, 3], [4]]
    assert batches[2][0].tolist() == [[8, 9]]


def test_batches_are_views() -> None:
    """A batch is a window onto the examples, so that memory-mapped ones stay where they are."""
    x, y = keras_batches(EXAMPLES, 2)[1]
    assert np.shares_memory(x, EXAMPLES.x)
    assert np.shares_memory(y, EXAMPLES.y)
