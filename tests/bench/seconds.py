"""Two thousand trials of one second on 16 slots: what is lost between them, and what the driver pays for each."""

from __future__ import annotations

import resource
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.rows import Row
from tests.bench.studies import plan_study
from tests.bench.trials import seconds_of
from tinderbox.api.sweep import run
from tinderbox.spark.session import open_session

GOAL = 1.05
SLOTS, TRIALS = 16, 2_000


def measure() -> list[Row]:
    """Measure both in one study."""
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        options = {"slots": SLOTS, "budget": {"trials": TRIALS}, "preload": [], "isolation": "reuse"}
        plan = plan_study("second", {}, storage=str(Path(scratch, "studies")), **options)
        spark = open_session(plan.job, f"local[{SLOTS}]", pod=None)
        try:
            before = cpu()
            seconds = seconds_of(run(plan, spark).record)
            spent = cpu() - before
        finally:
            spark.stop()
    ideal = TRIALS / SLOTS
    return [
        Row(
            f"{TRIALS:,} trials of a second on {SLOTS} slots, reuse",
            f"{seconds:.1f} s; {1e3 * spent / TRIALS:.1f} ms of the driver's CPU per trial, its report included",
            f"without any overhead: {ideal:.1f} s",
            f"{seconds / ideal:.3f}x",
            f"<= {GOAL}x",
            seconds / ideal <= GOAL,
        )
    ]


def cpu() -> float:
    """Return the CPU seconds that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
