"""What a model takes examples for, counted by their classes: one way to do so for every mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST = 1_000
"""Of more classes nothing is counted: what workers tell of it grows with the square of them, and nobody reads it."""

Batch = tuple[NDArray[Any], NDArray[Any]]
"""Targets and outputs of some examples."""


def confuse(batches: Iterable[Batch], classes: int | None) -> NDArray[np.int64] | None:
    """Return how often examples of a class, by rows, are taken for which, by columns.

    None of quantities and of more than `LARGEST` classes; then no batch is asked for.
    """
    if classes is None or classes > LARGEST:
        return None
    counts = np.zeros((classes, classes), np.int64)
    for targets, outputs in batches:
        np.add.at(counts, (targets.reshape(-1).astype(np.int64), classify(outputs)), 1)
    return counts


def classify(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes that outputs mean; a single one, (N, 1) or (N,), is how likely the second class is."""
    flat = outputs.reshape(len(outputs), -1)
    return flat.argmax(axis=1) if flat.shape[1] > 1 else (flat[:, 0] > 0.5).astype(np.int64)
