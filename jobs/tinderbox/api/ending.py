"""What a study leaves behind: the winner as a model, what it gained, a report, an export for Optuna's dashboard."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from tinderbox.config import SweepJob
from tinderbox.data import Examples
from tinderbox.errors import TinderboxError
from tinderbox.models.files import is_keras
from tinderbox.models.gain import Gain, compare
from tinderbox.report import export_journal, render, save_pictures
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.study import Study

KERAS_MODEL, OTHER_MODEL, PARAMETERS, GAIN = "best/model.keras", "best/model", "best/parameters.yaml", "best/gain.json"
REPORT, JOURNAL = "report.html", "optuna.log"


def leave_behind(study: Study, job: SweepJob, folder: StudyFolder, test: Examples | None) -> str:
    """Keep the winner, score it once on the test examples if there are any, and write the report.

    Returns why a model could not be scored, empty where nothing went wrong: a study is worth its report all the same.
    """
    trouble = ""
    export_best(study, folder)
    try:
        measure_gain(study, folder, test)
    except TinderboxError as error:
        trouble = str(error)
    write_report(study, job, folder)
    return trouble


def export_best(study: Study, folder: StudyFolder) -> None:
    """Keep the best trial's parameters as YAML, and its checkpoint, if it gave one, as a model."""
    best = study.best
    if best is None:
        return
    values = {name: best.value(name) for name in study.reported}
    told = {"trial": best.number, **values, "seed": best.seed, "parameters": best.parameters}
    folder.write(PARAMETERS, yaml.safe_dump(told, sort_keys=False).encode())
    if best.checkpoint is not None:
        with tempfile.TemporaryDirectory() as scratch:
            source = folder.fetch(best.checkpoint.path, Path(scratch))
            folder.write(KERAS_MODEL if is_keras(source) else OTHER_MODEL, source.read_bytes())


def read_winner(folder: StudyFolder) -> dict[str, Any]:
    """Return the parameters of the best trial that a study has kept."""
    told: dict[str, Any] = yaml.safe_load(folder.read(PARAMETERS))["parameters"]
    return told


def measure_gain(study: Study, folder: StudyFolder, test: Examples | None) -> Gain | None:
    """Score the best model, once, and the baseline's on the test examples, None where one of the three is missing."""
    if folder.has(GAIN) and study.best is not None and json.loads(folder.read(GAIN))["trial"] == study.best.number:
        return read_gain(folder)
    kept = [trial.checkpoint for trial in (study.best, study.baseline) if trial is not None and trial.checkpoint]
    if test is None or study.best is None or len(kept) < 2 or study.best is study.baseline:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        best, baseline = (folder.fetch(checkpoint.path, Path(scratch)) for checkpoint in kept)
        if not (is_keras(best) and is_keras(baseline)):
            return None
        gain = compare(best, baseline, test)
    folder.write(GAIN, json.dumps({"trial": study.best.number, **asdict(gain)}, indent=2).encode())
    return gain


def read_gain(folder: StudyFolder) -> Gain | None:
    """Return what was measured when the study ended, None where nothing was."""
    if not folder.has(GAIN):
        return None
    tree = json.loads(folder.read(GAIN))
    del tree["trial"]  # whose model it was: a budget that is raised later may find a better one
    return Gain(**tree)


def draw_pictures(study: Study, job: SweepJob, folder: StudyFolder) -> list[str]:
    """Write the plots as PNG files and return their paths."""
    with tempfile.TemporaryDirectory() as scratch:
        pictures = save_pictures(study, job, Path(scratch))
        for picture in pictures:
            folder.write(f"plots/{picture.name}", picture.read_bytes())
    return [folder.path(f"plots/{picture.name}") for picture in pictures]


def write_report(study: Study, job: SweepJob, folder: StudyFolder) -> str:
    """Write the report, and the export that optuna-dashboard opens; return the report's path."""
    folder.write(REPORT, render(study, job, folder.read_run(), read_gain(folder)).encode())
    with tempfile.TemporaryDirectory() as scratch:
        journal = Path(scratch) / JOURNAL
        export_journal(study, job, journal)
        folder.write(JOURNAL, journal.read_bytes())
    return folder.path(REPORT)
