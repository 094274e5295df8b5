"""How good the model of a training is on test examples, which no epoch has seen."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tinderbox.data import Examples
from tinderbox.errors import TinderboxError
from tinderbox.models.evaluation import evaluate
from tinderbox.models.gain import score
from tinderbox.storage.training import MODEL, TEST, TrainFolder

_NAMES = {"accuracy": "top1", "mean squared error": "mse"}
"""What a history calls the measures of a model."""


def score_test(folder: TrainFolder, test: Examples | None) -> str:
    """Score a training's model, once, on the test examples if there are any, and keep the metrics for the report.

    These are loss, top1 and top5, or loss, mae and mse; only one of them where the model's loss is the user's own.
    Returns why it could not be scored, empty where nothing went wrong: a training is worth its report all the same.
    """
    folder.remove(TEST)  # of another model, where training has gone on
    if test is None or not folder.has(MODEL):
        return ""
    try:
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            found = _measure(folder.fetch(MODEL, Path(scratch)), test)
    except TinderboxError as error:
        return str(error)
    folder.write(TEST, json.dumps(found).encode())
    return ""


def _measure(path: Path, test: Examples) -> dict[str, float]:
    if (found := evaluate(path, test)) is not None:
        return found
    measure, scores = score(path, test)
    return {_NAMES[measure]: float(scores.mean())}
