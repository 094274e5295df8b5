"""What a study compares its trials by: objectives, and bounds that they have to keep."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from tinderbox.config.model import Closed

COLUMNS = ("trial", "state", "baseline", "epoch", "seconds", "attempts", "cause")
"""What the table of trials says of each trial, beside its metrics and its parameters: names that these cannot have."""

_ARGUMENTS = ("self", "epoch", "checkpoint")


def _check_name(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError(f"a metric's name is a text on one line, got {name!r}")
    if name in _ARGUMENTS:
        raise ValueError(f"{name} is an argument of trial.report itself; give the metric another name")
    if name in COLUMNS:
        raise ValueError(f"{name} is a column of the table of trials itself; give the metric another name")
    return name


MetricName = Annotated[str, AfterValidator(_check_name)]
"""The name of a metric, as `trial.report` takes it."""


class Metric(Closed):
    """The value that `trial.report` must carry and that decides which trial is best.

    A trial's value is its last report, not its luckiest one.
    """

    name: MetricName
    direction: Literal["minimize", "maximize"]

    @property
    def sign(self) -> int:
        """What a value is multiplied by so that less is better: 1 or -1."""
        return 1 if self.direction == "minimize" else -1


class Constraint(Closed):
    """A bound, `max` or `min`, that the last report of a trial must keep for the trial to be feasible."""

    name: MetricName
    max: float | None = None
    min: float | None = None

    @model_validator(mode="after")
    def _check_bound(self) -> Constraint:
        if (self.max is None) == (self.min is None):
            got = "neither" if self.max is None else f"max {self.max} and min {self.min}"
            raise ValueError(f"{self.name} needs either max or min, got {got}; a range is two constraints")
        return self

    @property
    def bound(self) -> str:
        """What it allows, in words."""
        return f"at most {self.max:.10g}" if self.min is None else f"at least {self.min:.10g}"

    def excess(self, value: float) -> float:
        """Return by how much a value is beyond the bound; 0 or less where it keeps it."""
        return self.min - value if self.min is not None else value - (self.max or 0.0)
