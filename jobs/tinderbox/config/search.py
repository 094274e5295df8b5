"""How a sweep chooses what to try."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tinderbox.config.model import Closed
from tinderbox.config.parameters import Value


class Search(Closed):
    """How the next parameters are chosen; `startup` trials are random before tpe, cma-es or gp learn from others.

    `start_with` are points to try first, after the baseline and beside the number of trials asked for; what a point
    leaves out takes its default. A grid only moves them to its front. It tries the dearest points first: those with the
    largest values of the numbers named in `cost`, until costs are learnt from the trials that have ended.
    """

    method: Literal["grid", "random", "tpe", "qmc", "cma-es", "gp"]
    startup: int = Field(default=10, ge=1, le=1_000_000)
    start_with: Annotated[list[dict[str, Value]], Field(min_length=1, max_length=10_000)] | None = None
    cost: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _check_cost(self) -> Search:
        if self.cost is not None and self.method != "grid":
            raise ValueError(f"cost is for a grid, whose order is free; leave it out with {self.method}")
        return self
