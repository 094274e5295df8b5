"""What every worker of a training is told, the same for all; it travels in Spark's closure."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.config import TrainJob
from tinderbox.data.shards import Shards
from tinderbox.models.packing import PackedModel


@dataclass(frozen=True)
class Recipe:
    """A training as its workers see it.

    `network` is the model file at the job's `model.path`, None where there is none; `code` is a zip of the user's
    modules. `shape` is that of one example, and `classes` how many there are, None for a regression. `examples` and
    `validation` are how many there are in all, whoever holds them.
    """

    job: TrainJob
    network: PackedModel | None
    code: bytes | None
    shape: tuple[int, ...]
    classes: int | None
    examples: int
    validation: int
    data: str
    """The SHA-256 of the data set."""
    build: bytes | None = None
    """A notebook's own build function, by cloudpickle, in the place of the one that the job names."""
    shards: Shards | None = None
    """The tables of which each worker reads rows of its own, None where all get the whole data set."""
