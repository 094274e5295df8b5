"""What a Python worker of Spark keeps between the shares of a training: the model, and the order of an epoch."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinderbox.data import Dataset, open_packed
from tinderbox.metrics.meter import Meter
from tinderbox.models.building import Task, build_model
from tinderbox.training.averaging.rounds import Place
from tinderbox.training.code import find_build
from tinderbox.training.recipe import Recipe
from tinderbox.training.sampling import Schedule, steps_of


@dataclass(frozen=True)
class Bench:
    """Where a share is done: `code` and `data` are folders that were filled, and `key` tells trainings apart."""

    key: str
    recipe: Recipe
    code: Path
    data: Path
    place: Place
    meter: Meter

    @property
    def rank(self) -> int:
        """Which worker this is."""
        return self.place[0]

    @property
    def batch(self) -> int:
        """How many examples a step of all workers has."""
        return self.recipe.job.examples_of_a_step(self.recipe.job.workers)


@dataclass
class Built:
    """The model that this process has built last, its variables, and the schedules it has made last, by rank.

    `settled` are the kinds of work that were done with it.
    """

    key: str
    model: Any
    variables: list[Any]
    schedules: dict[int, tuple[int, Schedule]] = field(default_factory=dict)
    settled: set[type] = field(default_factory=set)


_built: list[Built] = []


def is_new(key: str) -> bool:
    """Whether this process has no model of a training yet."""
    return not _built or _built[0].key != key


def build(bench: Bench) -> Built:
    """Return the model of a training, from this process's last share where it was of the same one."""
    if is_new(bench.key):
        _built.clear()  # before another one is there, for it may be large
        gc.unfreeze()
        recipe, data = bench.recipe, open_data(bench)
        target = data.train.y.shape[1:]
        task = Task(recipe.shape, recipe.classes, target, steps_of(recipe.examples, bench.batch))
        model = build_model(recipe.job, task, recipe.network, find_build(recipe, bench.code))
        seeds = [variable for variable in model.variables if variable.name == "seed_generator_state"]
        _built.append(Built(bench.key, model, [*model.weights, *model.optimizer.variables, *seeds]))
    return _built[0]


def settle(kind: type) -> None:
    """Leave what there is out of later garbage collections: Spark has one after each task, of 0.2 s with TensorFlow."""
    for built in _built:
        if kind not in built.settled:
            built.settled.add(kind)
            gc.collect()
            gc.freeze()


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Compute in the same order each time, where that is wanted, until the block ends: others use this process next."""
    if not wanted:
        yield
        return
    from tensorflow.python.framework import config  # TensorFlow's public part has no way back

    config.enable_op_determinism()
    try:
        yield
    finally:
        config.disable_op_determinism()


def open_data(bench: Bench) -> Dataset:
    """Return the examples: all that there are, or this worker's own where it reads shards."""
    shards = bench.recipe.shards
    if shards is None:
        return open_packed(bench.data)
    return shards.read(bench.rank, bench.recipe.job.workers, bench.data)
