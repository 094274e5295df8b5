"""What tuning gained: the best model against the default parameters, on data that neither has seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gain:
    """Best and baseline on the same held-out examples, scored once.

    `measure` is `accuracy` or `mean squared error`; `difference` is best minus baseline, with the bounds
    `low` and `high` of its 95 % interval.
    """

    measure: str
    examples: int
    best: float
    baseline: float
    difference: float
    low: float
    high: float
