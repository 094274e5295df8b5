"""What a long history costs: the time to propose a trial, and the hand-over between two trials of a long study."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.handover import run_study
from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.studies import SlotHost, finished, plan_study
from tinderbox.api.opening import rules_for
from tinderbox.api.plan import Plan
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.messages import Ask, Report
from tinderbox.sweeping.past import look
from tinderbox.sweeping.study import Study

GOAL = 1.3
HISTORIES = (1_000, 100_000)
LONG = 10_000
PROPOSALS = 101
REPORTS = 500
REPETITIONS = 3


def measure() -> list[Row]:
    """Measure both."""
    methods = ("random", "grid", "tpe")
    plans = {method: plan_study("nothing", {}, search=method, budget={"trials": 200_000}) for method in methods}
    studies = [study_of(plans["random"], history) for history in HISTORIES]
    asks = [grown(f"{method}: ask", *(ask(plans[method], study) for study in studies)) for method in methods]
    return [*asks, grown("report and its decision", *map(report, studies)), *hand_over()]


def study_of(plan: Plan, history: int) -> Study:
    """Return a study in which so many trials have ended."""
    study = Study("loss", "minimize")
    for event in finished(plan, history):
        study.apply(event)
    return study


def ask(plan: Plan, study: Study) -> list[float]:
    """Return the milliseconds of some proposals."""
    number, found = len(study.ended), []
    plan.proposer.propose(number, look(study, ()))
    for _ in range(PROPOSALS):
        begin = time.perf_counter()
        plan.proposer.propose(number, look(study, ()))
        found.append(1e3 * (time.perf_counter() - begin))
    return found


def report(study: Study) -> list[float]:
    """Return the milliseconds of a trial's reports, each decided on."""
    plan = plan_study("nothing", {}, search="random", budget={"trials": 200_000}, epochs=REPORTS)
    coordinator = Coordinator(study, rules_for(plan.job, plan.proposer), lambda event: None, 0.0)
    coordinator.propose({"x": 0.5, "lr": 0.1}, len(study.ended), False, 0.0)
    lease = coordinator.lease(Ask(slot="slot-0", node="here", request=1), 0.0).lease
    assert lease is not None
    found = []
    for epoch in range(1, REPORTS + 1):
        told = Report(
            slot="slot-0", attempt=lease.attempt, epoch=epoch, metrics={"loss": 1.0}, last=False, can_save=False
        )
        begin = time.perf_counter()
        coordinator.report(lease.trial, told, 0.0)
        found.append(1e3 * (time.perf_counter() - begin))
    return found


def grown(what: str, few: list[float], many: list[float]) -> Row:
    """Return the row of something after many trials against after few."""
    growth = statistics.median(many) / statistics.median(few)
    return Row(
        f"{what} after {HISTORIES[-1]:,} trials",
        spread(many, "ms", 3),
        f"after {HISTORIES[0]:,}: {spread(few, 'ms', 3)}",
        f"{growth:.2f}x",
        f"<= {GOAL}x",
        growth <= GOAL,
    )


def hand_over() -> list[Row]:
    """Return the rows of a slot's hand-over with TPE, process isolation and reuse, in turns."""
    found: dict[tuple[str, int], list[float]] = {}
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        host = SlotHost(Path(scratch))
        try:
            for repetition in range(REPETITIONS):
                for isolation in ("process", "reuse"):
                    for history in (0, LONG):
                        folder = Path(scratch) / f"{isolation}-{history}-{repetition}"
                        pairs = run_study(host, folder, "plain", 15, history, isolation=isolation, search="tpe")
                        gap = quantile([1e3 * (after[0] - before[2]) for before, after in pairs], 0.5)
                        found.setdefault((isolation, history), []).append(gap)
        finally:
            host.close()
    return [compare(isolation, found) for isolation in ("process", "reuse")]


def compare(isolation: str, found: dict[tuple[str, int], list[float]]) -> Row:
    """Return the row of a long history against none."""
    empty, long = (found[isolation, history] for history in (0, LONG))
    growth = ratios(long, empty)
    return Row(
        f"hand-over with TPE after {LONG:,} trials, {isolation}, p50",
        spread(long, "ms", 1),
        f"after none: {spread(empty, 'ms', 1)}",
        spread(growth, "x", 2),
        f"<= {GOAL}x",
        quantile(growth, 0.5) <= GOAL,
    )
