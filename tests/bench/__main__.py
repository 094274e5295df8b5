"""Runs the measurements named on the command line, or all, and prints the table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console

from tests.bench import asks, flat, grids, handover, labels, regret, reports, seconds, telling, training, trials
from tests.bench.rows import Row, print_conditions, print_table

PARTS: dict[str, Callable[[], list[Row]]] = {
    "handover": handover.measure,
    "reports": reports.measure,
    "trials": trials.measure,
    "asks": asks.measure,
    "grids": grids.measure,
    "seconds": seconds.measure,
    "regret": regret.measure,
    "labels": labels.measure,
    "flat": flat.measure,
    "telling": telling.measure,
    "training": training.measure,
}


def main(names: list[str]) -> None:
    """Measure and print."""
    console, begun = Console(), time.monotonic()
    print_conditions(console)
    for name in names or PARTS:
        console.print(f"measuring {name} ...")
        print_table(console, PARTS[name]())
    console.print(f"took {time.monotonic() - begun:.0f} s")
    print_conditions(console)


if __name__ == "__main__":
    main(sys.argv[1:])
