"""Which images could not be labelled: counted by reason, with a few examples of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinderbox.inference.counts import Counts, count

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = 5
"""How many examples a reason has: the first ones by path."""
REASONS = 100
"""How many reasons have examples; ours are fewer, but a user's own function may give any."""
UNNAMED = "failed"
"""The reason of an error that has none."""


@dataclass(frozen=True, order=True)
class Example:
    """An image that could not be labelled, and the sentence why."""

    path: str
    error: str


@dataclass(frozen=True)
class Failures:
    """How many images could not be labelled by reason, and examples of each reason."""

    reasons: Counts = field(default_factory=Counts)
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)

    def __add__(self, other: Failures) -> Failures:
        reasons = self.reasons + other.reasons
        examples = {
            reason: tuple(sorted([*self.examples.get(reason, ()), *other.examples.get(reason, ())])[:EXAMPLES])
            for reason in reasons.top(REASONS).kept
        }
        return Failures(reasons, examples)


def collect(table: pa.Table) -> Failures:
    """Return the failures among rows with the columns path, error and reason: a row that has an error failed."""
    import pyarrow.compute as pc

    failed = table.filter(pc.is_valid(table["error"])).select(["path", "error", "reason"])
    failed = failed.set_column(2, "reason", pc.fill_null(failed["reason"], UNNAMED))
    reasons = count(failed["reason"])
    return Failures(reasons, {reason: _examples(failed, reason) for reason in reasons.top(REASONS).kept})


def _examples(failed: pa.Table, reason: str) -> tuple[Example, ...]:
    import pyarrow.compute as pc

    rows = failed.filter(pc.equal(failed["reason"], reason)).select(["path", "error"])
    first = pc.select_k_unstable(rows, EXAMPLES, [("path", "ascending"), ("error", "ascending")])
    return tuple(Example(**row) for row in rows.take(first).to_pylist())
