"""Which examples a worker takes in which step: a pure function of seed, epoch, batch and workers.

Nothing is drawn while training runs, so a run goes on at any step as if it had never stopped, with more or fewer
workers, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import BadInput
from tinderbox.training.records import Position

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Schedule:
    """What one worker takes in the steps that are left of an epoch.

    `rows` holds the examples of all its steps, those of step k from `bounds[k]` to `bounds[k + 1]`. Of them
    `counts[k]` count: all, or none where the step has no example for this worker, which then takes any other one.
    `weights[k]` is what a worker's gradients are multiplied by, those of the mean of its losses, so that the mean over
    workers is that of the step's examples. `done[k]` is how many examples of the epoch all workers have taken after it.
    """

    rows: Rows
    bounds: Rows
    counts: Rows
    weights: NDArray[np.float32]
    done: Rows

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def even(self) -> bool:
        """Whether every weight is one, so that none is needed."""
        return bool((self.weights == 1).all())

    def step(self, number: int) -> Rows:
        """Return the rows of a step."""
        return self.rows[self.bounds[number] : self.bounds[number + 1]]

    def cut(self, first: int, last: int) -> Schedule:
        """Return the steps from `first` up to, and without, `last`."""
        bounds = self.bounds[first : last + 1]
        rows, steps = self.rows[bounds[0] : bounds[-1]], slice(first, last)
        return Schedule(rows, bounds - bounds[0], self.counts[steps], self.weights[steps], self.done[steps])


def shuffled(examples: int, seed: int, epoch: int, rank: int = 0) -> Rows:
    """Return the order of the examples in an epoch, which counts from 0; each `rank` of a shard has its own."""
    return np.random.default_rng([seed, epoch, rank]).permutation(examples)


def steps_of(examples: int, batch: int) -> int:
    """Return how many steps an epoch has, with `batch` examples of all workers in each; the last may be smaller."""
    return -(-examples // batch)


def schedule(examples: int, batch: int, workers: int, rank: int, seed: int, position: Position) -> Schedule:
    """Return what a worker takes from `position` to the end of its epoch where each can read all examples.

    A step has the next `batch` of the epoch's order, which are cut into as equal parts as there are workers, so that
    many workers do together what one does with their batch.
    """
    order = shuffled(examples, seed, position.epoch)
    starts = np.arange(position.examples, examples, batch)
    done = np.minimum(starts + batch, examples)
    low, high = (starts + _part(done - starts, workers, number) for number in (rank, rank + 1))
    return _schedule(order, low, high, done - starts, workers, done)


def schedule_shard(held: Sequence[int], batch: int, rank: int, seed: int, position: Position) -> Schedule:
    """Return what a worker takes from `position` to the end of its epoch where worker r has `held[r]` of its own.

    All take the same number of steps, and in each as even a share of their own as possible. After a loss of workers,
    which makes other shards, the epoch goes on after the same share of each.

    Raises:
        BadInput: A worker has no example, or a step would leave all of them without one.
    """
    counts = np.asarray(held, np.int64)
    if not counts.all() or batch < len(counts):
        raise BadInput(
            f"{len(counts)} workers need at least one example each, and a batch of one each, got shards of "
            f"{', '.join(map(str, held))} examples and batches of {batch}; use fewer workers"
        )
    steps = steps_of(int(counts.sum()), batch)
    bounds = counts * np.arange(steps + 1)[:, None] // steps  # (steps + 1, workers)
    done = bounds.sum(axis=1)
    first = int(np.searchsorted(done, position.examples))
    order = shuffled(held[rank], seed, position.epoch, rank)
    low, high = bounds[first:-1, rank], bounds[first + 1 :, rank]
    return _schedule(order, low, high, np.diff(done)[first:], len(counts), done[first + 1 :])


def validation_slice(examples: int, workers: int, rank: int) -> slice:
    """Return which validation examples a worker looks at; there may be none."""
    low, high = (int(_part(np.array(examples), workers, number)) for number in (rank, rank + 1))
    return slice(low, high)


def _part(size: Rows, workers: int, rank: int) -> Rows:
    """Return where the part of a worker begins when `size` things are cut as np.array_split does."""
    return rank * (size // workers) + np.minimum(rank, size % workers)


def _schedule(order: Rows, low: Rows, high: Rows, sizes: Rows, workers: int, done: Rows) -> Schedule:
    """Return the schedule of a worker that takes `order[low[k]:high[k]]` of the `sizes[k]` examples of step k."""
    counts = high - low
    bounds = np.concatenate([[0], np.cumsum(np.maximum(counts, 1))])
    rows = np.empty(bounds[-1], np.int64)
    full, own = np.repeat(counts > 0, np.maximum(counts, 1)), np.repeat(low, np.maximum(counts, 1))
    within = np.arange(len(rows)) - np.repeat(bounds[:-1], np.diff(bounds))
    rows[:] = order[np.where(full, own + within, 0)]
    weights = (counts * workers / sizes).astype(np.float32)
    return Schedule(rows, bounds, counts, weights, done)
