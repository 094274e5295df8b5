"""How the numbers are spread that a regression gives: bounded, and made to be merged without loss."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BINS = 64
"""How many bins there are at most; unless all values are nearly the same, there are more than 32."""
_FINEST = -149
"""The exponent of the smallest number that a float32 can hold."""
_DIGITS = 20
"""No bin is finer than this many binary digits of the largest value; a float32 has 24."""


@dataclass(frozen=True)
class Values:
    """The spread of finite values.

    Bin `index` counts the values from index * 2**exponent up to, not including, (index + 1) * 2**exponent. Edges are
    the same whatever came first, two bins make exactly one of twice the width, and the exponent is given by the lowest
    and the highest value alone. So histograms merge without loss, in any order, and what was merged has the bins that
    it would have if it had been counted at once.
    """

    count: int = 0
    not_finite: int = 0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    exponent: int = _FINEST
    bins: Mapping[int, int] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """The mean of the finite values, NaN where there are none."""
        return self.total / self.count if self.count else math.nan

    @property
    def histogram(self) -> list[tuple[float, int]]:
        """The lower edge of every bin from the lowest to the highest, empty ones too, and how many values it holds."""
        width = 2.0**self.exponent
        places = range(min(self.bins), max(self.bins) + 1) if self.bins else range(0)
        return [(place * width, self.bins.get(place, 0)) for place in places]

    def __add__(self, other: Values) -> Values:
        low, high = min(self.low, other.low), max(self.high, other.high)
        exponent = _exponent(low, high)
        bins: Counter[int] = Counter()
        for part in (self, other):
            for index, amount in part.bins.items():
                bins[index >> (exponent - part.exponent)] += amount
        return Values(
            count=self.count + other.count,
            not_finite=self.not_finite + other.not_finite,
            total=self.total + other.total,
            low=low,
            high=high,
            exponent=exponent,
            bins=dict(bins),
        )


def spread(numbers: pa.ChunkedArray) -> Values:
    """Return the spread of an Arrow column of numbers; nulls are left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    given = pc.drop_null(numbers).cast(pa.float64())
    finite = given.filter(pc.is_finite(given))
    not_finite = len(given) - len(finite)
    if not len(finite):
        return Values(not_finite=not_finite)
    low, high = pc.min(finite).as_py(), pc.max(finite).as_py()
    exponent = _exponent(low, high)
    found = pc.value_counts(pc.floor(pc.divide(finite, 2.0**exponent)).cast(pa.int64()))
    return Values(
        count=len(finite),
        not_finite=not_finite,
        total=pc.sum(finite).as_py(),
        low=low,
        high=high,
        exponent=exponent,
        bins=dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)),
    )


def _exponent(low: float, high: float) -> int:
    """Return the exponent of the finest width with which a range takes no more than `BINS` bins.

    It never falls when a range grows, so that bins are only ever made coarser.
    """
    if low > high:
        return _FINEST
    largest = max(abs(low), abs(high))
    exponent = max(_FINEST, math.frexp(largest)[1] - _DIGITS) if largest else _FINEST
    while math.floor(high / 2.0**exponent) - math.floor(low / 2.0**exponent) >= BINS:
        exponent += 1
    return exponent
