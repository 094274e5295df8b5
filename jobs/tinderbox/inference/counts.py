"""How often each name occurs: bounded, and made to be merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

KEPT = 10_000
"""How many names are kept."""


@dataclass(frozen=True)
class Counts:
    """The names that occur most, and how often all the others do together.

    While there are no more names than are kept, all counts are exact. Beyond that the sum of all stays exact, and a
    name's own count is the least it can be: what was dropped of it before is among the others.
    """

    kept: Mapping[str, int] = field(default_factory=dict)
    others: int = 0

    @property
    def total(self) -> int:
        """How often all names occur together."""
        return sum(self.kept.values()) + self.others

    def top(self, amount: int) -> Counts:
        """Return the names that occur most, in that order; of those that occur equally often, the first by name."""
        ranked = sorted(self.kept.items(), key=lambda item: (-item[1], item[0]))
        return Counts(dict(ranked[:amount]), self.others + sum(count for _, count in ranked[amount:]))

    def __add__(self, other: Counts) -> Counts:
        both = Counter(self.kept)
        both.update(other.kept)
        return bounded(both, self.others + other.others)


def bounded(kept: Mapping[str, int], others: int = 0) -> Counts:
    """Return counts of no more names than are kept."""
    counts = Counts(dict(kept), others)
    return counts if len(kept) <= KEPT else counts.top(KEPT)


def count(names: pa.ChunkedArray) -> Counts:
    """Return how often each name occurs in an Arrow column; nulls are left out."""
    import pyarrow.compute as pc

    found = pc.value_counts(pc.drop_null(names))
    return bounded(dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)))
