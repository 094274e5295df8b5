"""The time between two trials on one slot: from the last step of one to the next function, and to its first step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.studies import SlotHost, plan_study, served

GOAL_MS = 30.0
REPETITIONS = 3
SKIPPED = 2
"""Trials of each study that find the engine still warming up."""


@dataclass
class Gaps:
    """Milliseconds between trials, one list for each repetition."""

    to_line: list[list[float]] = field(default_factory=list)
    to_step: list[list[float]] = field(default_factory=list)


def measure() -> list[Row]:
    """Measure process isolation against reuse, with a plain function and with Keras."""
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        host = SlotHost(Path(scratch))
        try:
            plain = alternate(host, Path(scratch), "plain", trials=20, epochs=1)
            keras = alternate(host, Path(scratch), "fit", trials=8, epochs=4)
        finally:
            host.close()
    return [
        compare("hand-over: last step to next function's first line", plain, "to_line", GOAL_MS),
        compare("the same with Keras, which ends its own epoch and fit in this time", keras, "to_line", None),
        compare("last step to end of next first step, with Keras", keras, "to_step", None),
    ]


def alternate(host: SlotHost, scratch: Path, function: str, trials: int, epochs: int) -> dict[str, Gaps]:
    """Run a function's studies in turns, one isolation after the other."""
    found = {"process": Gaps(), "reuse": Gaps()}
    for repetition in range(REPETITIONS):
        for isolation, gaps in found.items():
            folder = scratch / f"{function}-{isolation}-{repetition}"
            lines = run_study(host, folder, function, trials, isolation=isolation, epochs=epochs)
            gaps.to_line.append([1e3 * (after[0] - before[2]) for before, after in lines])
            gaps.to_step.append([1e3 * (after[1] - before[2]) for before, after in lines])
    return found


def run_study(
    host: SlotHost, folder: Path, function: str, trials: int, history: int = 0, seconds: float = 0.2, **options: object
) -> list[tuple[list[float], list[float]]]:
    """Run a study on one slot and return the times (first line, first step, last step) of each pair of neighbours."""
    folder.mkdir()
    times = folder / "times"
    budget = {"trials": history + trials + SKIPPED}
    plan = plan_study(function, {"times": str(times), "length": seconds}, budget=budget, **options)
    with served(plan, folder, history) as study:
        host.run(study)
    noted = sorted([float(text) for text in line.split()] for line in times.read_text().splitlines())
    if len(noted) != trials + SKIPPED:
        raise RuntimeError(f"{len(noted)} trials noted their times, not {trials + SKIPPED}")
    return list(zip(noted[SKIPPED - 1 :], noted[SKIPPED:], strict=False))


def compare(what: str, found: dict[str, Gaps], which: str, goal: float | None) -> Row:
    """Return the row of process isolation against reuse."""
    process, reuse = (getattr(found[isolation], which) for isolation in ("process", "reuse"))
    medians = [[quantile(gaps, 0.5) for gaps in side] for side in (process, reuse)]
    return Row(
        what,
        f"process isolation: p50 {spread(medians[0], 'ms', 1)}, p90 {p90(process):.1f}",
        f"reuse: p50 {spread(medians[1], 'ms', 1)}, p90 {p90(reuse):.1f}",
        spread(ratios(*medians), "x", 2),
        "" if goal is None else f"p50 <= {goal:.0f} ms",
        None if goal is None else quantile(medians[0], 0.5) <= goal,
    )


def p90(repetitions: list[list[float]]) -> float:
    """Return the time that nine of ten hand-overs stay below, all repetitions together."""
    return quantile([gap for gaps in repetitions for gap in gaps], 0.9)
