"""The report of a training as one HTML file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tinderbox import checkpoint
from tinderbox.config import TrainJob, check_train
from tinderbox.report import attempts, headline
from tinderbox.report.confusion import Confusion, confusion
from tinderbox.report.curves import plots
from tinderbox.report.template import fill
from tinderbox.run import Run
from tinderbox.storage.training import CLASSES, CONFUSION, MODEL, REPORT, TEST, TrainFolder
from tinderbox.training.history import Training, rebuild


@dataclass(frozen=True)
class Result:
    """What a training has left: the SHA-256 of its model file, its metrics on test examples, and its confusion.

    The confusion is shown as `confusion` makes it; what is not there is empty.
    """

    model: str = ""
    test: Mapping[str, float] = field(default_factory=dict)
    confusion: Confusion | None = None


def write_training_report(folder: TrainFolder) -> None:
    """Write the report of a training that has ended, or runs, or was stopped, from what it has left.

    Raises:
        BadInput: Its job or its identity is missing or damaged.
        TinderboxError: Its record is damaged.
    """
    job = check_train(folder.read_job(), f"training {folder.name}")
    training = rebuild(folder.log().read())
    folder.write(REPORT, render_training(training, job, folder.read_run(), read_result(folder)).encode())


def read_result(folder: TrainFolder) -> Result:
    """Return what a training has left besides its record."""
    counts, classes = _read(folder, CONFUSION, []), _read(folder, CLASSES, [])
    return Result(_digest(folder), _read(folder, TEST, {}), confusion(counts, classes))


def _read(folder: TrainFolder, name: str, missing: Any) -> Any:
    return json.loads(folder.read(name)) if folder.has(name) else missing


def _digest(folder: TrainFolder) -> str:
    if not folder.has(MODEL):
        return ""
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
        sha256, _ = checkpoint.digest(folder.fetch(MODEL, Path(scratch)))
    return sha256


def render_training(training: Training, job: TrainJob, run: Run, result: Result) -> str:
    """Return the page; it can be rendered at any time, also of a training that runs or of which no epoch has ended."""
    state, sentence = headline.standing(training)
    return fill(
        "training.html.j2",
        job=job,
        state=state,
        sentence=sentence,
        facts=headline.facts(job),
        tiles=headline.tiles(training, job, result.test),
        scores=headline.scores(training, job),
        test=headline.told(result.test),
        plots=plots(training, job),
        attempts=attempts.rows(training),
        details=attempts.details(training),
        confusion=result.confusion,
        configuration=yaml.safe_dump(job.model_dump(mode="json", exclude_none=True), sort_keys=False),
        identity=_identity(job, run, result),
    )


def _identity(job: TrainJob, run: Run, result: Result) -> list[tuple[str, str]]:
    """Return what the result depends on, by name, and its own digest."""
    return [
        ("run", run.name),
        ("configuration, SHA-256", run.configuration or "none"),
        ("data, SHA-256", run.data or "none"),
        ("code, SHA-256", run.code or "none: nothing was shipped"),
        ("model at the start, SHA-256", run.model or "none"),
        ("model file, SHA-256", result.model or "none yet"),
        ("seed", str(job.seed)),
        ("Python", run.python),
        *run.versions.items(),
    ]
