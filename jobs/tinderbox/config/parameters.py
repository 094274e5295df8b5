"""The parameters of a sweep: what may vary, between which bounds, and which points a grid takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tinderbox.config.model import Closed

Value = bool | int | float | str
"""One value of a parameter, as the user's function gets it."""

Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""A bound of whole numbers: every number up to here is a float too, and searches compute in floats."""

PointCount = Annotated[int, Field(ge=2, le=1_000_000)]


class Parameter(Closed):
    """What every kind of parameter has.

    `when` names other parameters and the value, or list of values, under which this one exists.
    """

    when: dict[str, Value | Annotated[list[Value], Field(min_length=1)]] = Field(default_factory=dict)

    @property
    def is_numeric(self) -> bool:
        """Whether all its values are numbers."""
        return True


class Number(Parameter):
    """A number from `low` to `high`, both included.

    `log` spreads it evenly over orders of magnitude; `grid` is a count of evenly spread points or the
    points themselves; `default` is the value of the baseline that the best trial is compared with.
    """

    low: float
    high: float
    log: bool = False
    grid: PointCount | Sequence[float] | None = None
    default: float | None = None

    @model_validator(mode="after")
    def _check(self) -> Number:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got low {self.low} and high {self.high}")
        if not math.isfinite(self.high - self.low):
            raise ValueError(f"high - low must be a finite number, got low {self.low} and high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low above 0, got {self.low}")
        if self.default is not None:
            self._check_inside("default", self.default)
        points = [] if self.grid is None or isinstance(self.grid, int) else list(self.grid)
        for point in points:
            self._check_inside("each grid point", point)
        if len(set(points)) < len(points):
            raise ValueError(f"grid points must differ from each other, got {points}")
        return self

    @field_validator("grid")
    @classmethod
    def _check_grid(cls, grid: int | Sequence[float] | None) -> int | Sequence[float] | None:
        if isinstance(grid, Sequence) and not grid:
            raise ValueError(
                "grid must hold at least one point, got an empty list; give points or a count of 2 or more"
            )
        return grid

    def _check_inside(self, what: str, value: float) -> None:
        if not self.low <= value <= self.high:
            raise ValueError(f"{what} must lie between low {self.low} and high {self.high}, got {value}")


class FloatParameter(Number):
    """A real number."""

    type: Literal["float"] = "float"


class IntParameter(Number):
    """A whole number."""

    type: Literal["int"] = "int"
    low: Whole
    high: Whole
    grid: PointCount | Sequence[int] | None = None
    default: int | None = None


class ChoiceParameter(Parameter):
    """One of several values without an order; a grid takes all of them."""

    type: Literal["choice"] = "choice"
    choices: list[Value] = Field(min_length=1)
    default: Value | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether all its values are numbers."""
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in self.choices)

    @model_validator(mode="after")
    def _check(self) -> ChoiceParameter:
        # By equality: true and 1, as Python's, are one choice to Optuna and to conditions.
        if len(set(self.choices)) < len(self.choices):
            raise ValueError(f"choices must differ from each other, got {self.choices}")
        huge = [value for value in self.choices if isinstance(value, int) and abs(value) >= 2**63]
        if huge:
            raise ValueError(f"choices that are whole numbers must lie below 2**63, got {len(str(huge[0]))} digits")
        if self.default is not None and self.default not in self.choices:
            raise ValueError(f"default must be one of {self.choices}, got {self.default!r}")
        return self


AnyParameter = Annotated[FloatParameter | IntParameter | ChoiceParameter, Field(discriminator="type")]
