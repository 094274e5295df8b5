"""How a sweep chooses what to try."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tinderbox.config.model import Closed
from tinderbox.config.parameters import Value


class Zoom(Closed):
    """Rounds, each in a space that is narrowed to where the best trials of the earlier ones lie; they share the trials.

    A number with `log` goes beyond an end of its bounds where its best value lies, for orders of magnitude seldom end
    for a reason; with `outward: false` none does, which is for a function that cannot take more. Other numbers never
    do: a share of more than 1, or a momentum, would be a mistake.
    """

    rounds: int = Field(default=3, ge=2, le=100)
    outward: bool = True


class WarmStart(Closed):
    """An earlier study whose trials are known from the start, as far as this space has their points.

    It is in the `storage` of this one unless another is given. What it knew when this one began is kept with this one.
    """

    study: str
    storage: str | None = None


class Search(Closed):
    """How the next parameters are chosen; `startup` trials are random before tpe, cma-es or gp learn from others.

    `start_with` are points to try first, after the baseline and beside the number of trials asked for; what a point
    leaves out takes its default. A grid only moves them to its front. It tries the dearest points first: those with the
    largest values of the numbers named in `cost`, until costs are learnt from the trials that have ended. `zoom` is for
    a search that does not narrow by itself, as cma-es and gp do.
    """

    method: Literal["grid", "random", "tpe", "qmc", "cma-es", "gp"]
    startup: int = Field(default=10, ge=1, le=1_000_000)
    start_with: Annotated[list[dict[str, Value]], Field(min_length=1, max_length=10_000)] | None = None
    cost: Annotated[list[str], Field(min_length=1)] | None = None

    zoom: Zoom | None = None
    warm_start: WarmStart | None = None

    @model_validator(mode="after")
    def _check(self) -> Search:
        if self.cost is not None and self.method != "grid":
            raise ValueError(f"cost is for a grid, whose order is free; leave it out with {self.method}")
        if self.zoom is not None and self.method in ("cma-es", "gp"):
            raise ValueError(f"zoom is for grid, random, qmc and tpe; {self.method} narrows by itself, so leave it out")
        if self.warm_start is not None and self.zoom is None and self.method in ("grid", "random", "qmc"):
            raise ValueError(
                f"warm_start is for tpe, cma-es, gp and zoom; {self.method} learns nothing, so leave it out"
            )
        return self
