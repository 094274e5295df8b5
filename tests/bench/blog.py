"""What Databricks' article of 2016 shows, from a run of our own: sensitivity, default against best, time by slots.

`make reproduce-blog` runs the 50 points of jobs/sweep-mnist.yaml. MNIST's four files are in the folder that
TINDERBOX_DATA names, or beside the job. The default against the best: chosen on the 5,000 validation images, scored
once on the 10,000 test images, with a 95 % interval over these. One run with one seed does not tell luck in the
training from a gain; the article's did not either.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.grids import makespan
from tests.bench.trials import seconds_of
from tinderbox.api.plan import make_plan
from tinderbox.api.sweep import run
from tinderbox.config import SweepJob, read_sweep
from tinderbox.data import Dataset, Examples
from tinderbox.report import save_pictures
from tinderbox.spark.session import open_session
from tinderbox.sweeping.study import Study

JOB = Path(__file__).parents[2] / "jobs" / "sweep-mnist.yaml"
ARTICLE = {1: "11,000 s", 2: "7,000 s", 13: "1,500 s"}
"""As read off the article's chart, on its nodes: 1.6x and 7.3x."""


def main() -> None:
    """Reproduce the article and print its tables."""
    options = parser().parse_args()
    folder = Path(options.to)
    studies = {slots: sweep(options, slots, folder) for slots in options.slots}
    study, job = next(iter(studies.values()))
    pictures = save_pictures(study, job, folder / "plots")
    text = "\n".join([*tell_conditions(options), "", *tell_gain(folder, job, study), "", *tell_times(studies), ""])
    (folder / "blog.md").write_text(text)
    curves = [{"parameters": trial.parameters, "curve": trial.reports} for trial in study.trials.values()]
    (folder / "curves.json").write_text(json.dumps(curves) + "\n")
    print(text)  # noqa: T201 - what the command is for
    print("\n".join(map(str, [folder / "blog.md", *pictures])))  # noqa: T201


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    top = argparse.ArgumentParser(prog="make reproduce-blog")
    top.add_argument("--epochs", type=int, default=10, help="of each trial; 2 is a smoke setting")
    top.add_argument("--points", type=int, default=50, help="of the 50, a random choice")
    top.add_argument("--images", type=int, default=60_000, help="of MNIST's training images, the first ones")
    top.add_argument("--slots", type=int, nargs="+", default=[2], help="run it once on each number of slots")
    top.add_argument("--cores", type=int, default=1, help="of each slot")
    top.add_argument("--to", default="build/blog", help="folder for studies, table and pictures")
    return top


def sweep(options: argparse.Namespace, slots: int, folder: Path) -> tuple[Study, SweepJob]:
    """Run the study on so many slots and return its record."""
    data = Path(os.environ.get("TINDERBOX_DATA", JOB.parent), "mnist").resolve()
    changes = {
        "name": f"blog-{slots}",
        "epochs": options.epochs,
        "slots": slots,
        "cores": options.cores,
        "budget.trials": options.points,
        "data.folder": str(data),
        "storage": str(folder / "studies"),
    }
    job = read_sweep(JOB, [f"{key}={value}" for key, value in changes.items()])
    plan = make_plan(job, JOB.parent)
    if options.images < 60_000:
        plan = make_plan(job, JOB.parent, data=shorten(plan.data, options.images))
    spark = open_session(job, f"local[{slots * options.cores}]", pod=None)
    try:
        return run(plan, spark).record, job
    finally:
        spark.stop()


def shorten(data: Dataset, images: int) -> Dataset:
    """Return the first images of each part, in proportion."""
    share = images / 60_000

    def first(part: Examples | None) -> Examples | None:
        count = 0 if part is None else max(round(share * len(part)), 1)
        return None if part is None else Examples(np.asarray(part.x[:count]), np.asarray(part.y[:count]))

    train, validation = first(data.train), first(data.validation)
    assert train is not None
    assert validation is not None
    return Dataset(train, validation, first(data.test), data.classes)


def tell_conditions(options: argparse.Namespace) -> list[str]:
    """Say what was run, on what."""
    return [
        "# Databricks' study of 2016, run again",
        "",
        f"{options.points} of 50 points, {options.epochs} epochs each, {options.images:,} training images of which a "
        f"twelfth is for validation; {os.cpu_count()} cores, {options.cores} for each slot.",
    ]


def tell_gain(folder: Path, job: SweepJob, study: Study) -> list[str]:
    """Say what tuning gained on the test images."""
    from tinderbox.api.result import open_study

    gain = open_study(job.name, str(folder / "studies")).gain
    best = study.best
    if gain is None or best is None:
        return ["No gain: the best point is the default one."]
    rows: Sequence[tuple[str, Any]] = [
        ("default", f"{100 * gain.baseline:.2f} %"),
        (f"best, {best.parameters}", f"{100 * gain.best:.2f} %"),
        ("gain in points", f"{100 * gain.difference:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f})"),
        ("fewer errors", f"{(gain.best - gain.baseline) / max(1 - gain.baseline, 1e-9):.0%}"),
        ("the article", "99.20 % to 99.47 %, 34 % fewer errors"),
    ]
    return ["| test accuracy | |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]


def tell_times(studies: dict[int, tuple[Study, SweepJob]]) -> list[str]:
    """Say how long the study takes: where it was run so, measured, and else from the lengths of its trials."""
    study, _ = next(iter(studies.values()))
    lengths = [trial.seconds for trial in study.ended]
    lines = ["| slots | measured | longest first, from the trials' lengths | the article |", "|---|---|---|---|"]
    for slots in sorted({*ARTICLE, *studies}):
        measured = f"{seconds_of(studies[slots][0]):,.0f} s" if slots in studies else "not run"
        ideal = makespan(sorted(lengths, reverse=True), slots)
        lines.append(
            f"| {slots} | {measured} | {ideal:,.0f} s, {sum(lengths) / ideal:.1f}x | {ARTICLE.get(slots, '')} |"
        )
    return [*lines, "", f"A trial took {statistics.median(lengths):,.0f} s (median)."]


if __name__ == "__main__":
    main()
