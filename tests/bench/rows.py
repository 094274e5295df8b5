"""One line of the bench's table, and the numbers in it: medians with their spread."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One measurement; `met` is None where there is no goal."""

    what: str
    measured: str
    against: str = ""
    ratio: str = ""
    goal: str = ""
    met: bool | None = None


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies, interpolated."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def spread(values: Sequence[float], unit: str, digits: int = 0) -> str:
    """Return the median of repetitions with the smallest and the largest of them."""
    numbers = [f"{value:,.{digits}f}" for value in (statistics.median(values), min(values), max(values))]
    return f"{numbers[0]} {unit}".strip() + (f" ({numbers[1]}..{numbers[2]})" if len(values) > 1 else "")


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return the ratio of each pair of repetitions, which were measured one right after the other."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def print_conditions(console: Console) -> None:
    """Print what the machine had to give, and what others took of it."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(f"{os.cpu_count()} cores, load average {load}; medians (smallest..largest of the repetitions)")


def print_table(console: Console, rows: Iterable[Row]) -> None:
    """Print the measurements."""
    table = Table("what", "measured", "against", "ratio", "goal", "met", show_lines=True)
    for row in rows:
        met = "" if row.met is None else "yes" if row.met else "NO"
        table.add_row(row.what, row.measured, row.against, row.ratio, row.goal, met)
    console.print(table)
