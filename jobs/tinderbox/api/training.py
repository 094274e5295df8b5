"""A training that can be started."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.config import TrainJob
from tinderbox.data import Dataset
from tinderbox.run import Run
from tinderbox.training.recipe import Recipe


@dataclass(frozen=True)
class TrainPlan:
    """A training that can be started: its job, what every worker is told, its data, and what it depends on.

    `data` is None where workers read their own rows of tables that are too large to be sent to each.
    """

    job: TrainJob
    recipe: Recipe
    data: Dataset | None
    run: Run
