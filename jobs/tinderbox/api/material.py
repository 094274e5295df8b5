"""What a training learns from: a data set that all workers get, or tables of which each reads rows of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinderbox.api.plan import import_from
from tinderbox.config import TrainJob
from tinderbox.config.data import Sharded
from tinderbox.data import Dataset, Examples, digest, load
from tinderbox.data.shards import Doors, Shards
from tinderbox.data.surveying import plan_shards
from tinderbox.errors import BadInput
from tinderbox.storage.fetching import listed, opened


@dataclass(frozen=True, eq=False)
class Material:
    """Either a data set or shards; `classes` are the names of its labels, None where targets are quantities.

    `shape` is that of one example, `target` that of one target; `examples` are to train on, `validation` to validate
    with, and `digest` is the SHA-256 of all.
    """

    data: Dataset | None
    shards: Shards | None
    classes: tuple[str, ...] | None
    shape: tuple[int, ...]
    target: tuple[int, ...]
    examples: int
    validation: int
    digest: str


def find_material(job: TrainJob, base: Path, code: Path | None, data: Dataset | None = None) -> Material:
    """Return what a job's training learns from; `data` takes its place where a notebook has it at hand.

    Raises:
        BadInput: The data cannot be read, or its targets do not fit the task.
    """
    if data is None and isinstance(job.data, Sharded):
        return _of_shards(plan_shards(job.data, base, Doors(listed, opened), job.task))
    found = for_task(data or load(job.data, base, lambda name: import_from(name, code)), job.task)
    classes = None if found.classes is None else tuple(found.classes)
    shape, target = found.train.x.shape[1:], found.train.y.shape[1:]
    return Material(found, None, classes, shape, target, len(found.train), len(found.validation), digest(found))


def _of_shards(shards: Shards) -> Material:
    examples, validation = shards.counts
    return Material(None, shards, shards.classes, shards.shape, (), examples, validation, shards.digest)


def for_task(data: Dataset, task: str) -> Dataset:
    """Return a data set whose targets are classes or quantities, as a task wants them.

    Raises:
        BadInput: They cannot be.
    """
    if task == "classification" and data.classes is None:
        raise BadInput("task: classification needs whole numbers or texts as targets, got quantities; leave task out")
    if task != "regression" or data.classes is None:
        return data
    try:
        values = np.array([float(name) for name in data.classes], np.float32)
    except ValueError as error:
        raise BadInput(f"task: regression needs numbers as targets, got {data.classes[0]!r}; leave task out") from error

    def measured(examples: Examples) -> Examples:
        return Examples(examples.x, values[examples.y])

    return replace(
        data,
        train=measured(data.train),
        validation=measured(data.validation),
        test=None if data.test is None else measured(data.test),
        classes=None,
    )
