"""What a long history costs: the time to propose a trial, and the hand-over between two trials of a long study."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.handover import run_study
from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.studies import SlotHost, finished, plan_study
from tinderbox.sweeping.past import look
from tinderbox.sweeping.study import Study

GOAL = 1.3
HISTORIES = (0, 1_000, 10_000)
PROPOSALS = 5
REPETITIONS = 3


def measure() -> list[Row]:
    """Measure both."""
    return [*(ask(method) for method in ("random", "grid", "tpe")), *hand_over()]


def ask(method: str) -> Row:
    """Return the row of one search method."""
    found: dict[int, list[float]] = {}
    for history in HISTORIES:
        plan = plan_study("nothing", {}, search=method, budget={"trials": 20_000})
        study = Study("loss", "minimize")
        for event in finished(plan, history):
            study.apply(event)
        plan.proposer.propose(history, look(study, ()))
        for _ in range(PROPOSALS):
            begin = time.perf_counter()
            plan.proposer.propose(history, look(study, ()))
            found.setdefault(history, []).append(1e3 * (time.perf_counter() - begin))
    times = [statistics.median(found[history]) for history in HISTORIES]
    return Row(
        f"{method}: ask after {HISTORIES[-1]:,} trials",
        spread(found[HISTORIES[-1]], "ms", 2),
        f"after {HISTORIES[0]}: {times[0]:.2f} ms, after {HISTORIES[1]:,}: {times[1]:.2f} ms",
    )


def hand_over() -> list[Row]:
    """Return the rows of a slot's hand-over with TPE, process isolation and reuse, in turns."""
    found: dict[tuple[str, int], list[float]] = {}
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        host = SlotHost(Path(scratch))
        try:
            for repetition in range(REPETITIONS):
                for isolation in ("process", "reuse"):
                    for history in (HISTORIES[0], HISTORIES[-1]):
                        folder = Path(scratch) / f"{isolation}-{history}-{repetition}"
                        pairs = run_study(host, folder, "plain", 15, history, isolation=isolation, search="tpe")
                        gap = quantile([1e3 * (after[0] - before[2]) for before, after in pairs], 0.5)
                        found.setdefault((isolation, history), []).append(gap)
        finally:
            host.close()
    return [compare(isolation, found) for isolation in ("process", "reuse")]


def compare(isolation: str, found: dict[tuple[str, int], list[float]]) -> Row:
    """Return the row of a long history against none."""
    empty, long = (found[isolation, history] for history in (HISTORIES[0], HISTORIES[-1]))
    growth = ratios(long, empty)
    return Row(
        f"hand-over with TPE after {HISTORIES[-1]:,} trials, {isolation}, p50",
        spread(long, "ms", 1),
        f"after none: {spread(empty, 'ms', 1)}",
        spread(growth, "x", 2),
        f"<= {GOAL}x",
        quantile(growth, 0.5) <= GOAL,
    )
