"""How often labels are what the truth says, and what is taken for what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinderbox.inference.counts import Counts, count

if TYPE_CHECKING:
    import pyarrow as pa

_BETWEEN = "\x1f"
"""Stands between truth and label in the name of a pair: the unit separator, which the name of no class needs."""


@dataclass(frozen=True)
class Agreement:
    """Labels beside the truth: `known` rows have both, in `right` ones they are the same.

    `truths` counts the truths of known rows, and `pairs` truth and label of those that are wrong.
    """

    known: int = 0
    right: int = 0
    truths: Counts = field(default_factory=Counts)
    pairs: Counts = field(default_factory=Counts)

    @property
    def accuracy(self) -> float | None:
        """The share of right labels where the truth is known; None where it is known of no row."""
        return self.right / self.known if self.known else None

    def confused(self, amount: int) -> list[tuple[str, str, int]]:
        """Return truth, label and count of the mistakes that are made most often."""
        found = self.pairs.top(amount).kept
        return [(truth, label, found[pair]) for pair in found for truth, _, label in [pair.partition(_BETWEEN)]]

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            known=self.known + other.known,
            right=self.right + other.right,
            truths=self.truths + other.truths,
            pairs=self.pairs + other.pairs,
        )


def compare(table: pa.Table) -> Agreement:
    """Return how rows with the columns truth and label agree.

    Nothing is known where all labels are classes' numbers, for want of names, and no truth is one.
    """
    import pyarrow.compute as pc

    both = table.filter(pc.and_(pc.is_valid(table["truth"]), pc.is_valid(table["label"])))
    if pc.all(_is_number(both["label"])).as_py() and not pc.any(_is_number(both["truth"])).as_py():
        both = both.slice(0, 0)
    wrong = both.filter(pc.not_equal(both["truth"], both["label"]))
    return Agreement(
        known=len(both),
        right=len(both) - len(wrong),
        truths=count(both["truth"]),
        pairs=count(pc.binary_join_element_wise(wrong["truth"], wrong["label"], _BETWEEN)),
    )


def _is_number(names: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.match_substring_regex(names, "^[0-9]+$")
