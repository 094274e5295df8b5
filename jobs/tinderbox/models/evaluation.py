"""How a trained model does on examples: by its own loss, and by the metrics of a history."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from tinderbox.models.compiling import make_metrics
from tinderbox.models.gain import open_model

if TYPE_CHECKING:
    from tinderbox.data.dataset import Examples

_BATCH = 256


def evaluate(path: Path, examples: Examples) -> dict[str, float] | None:
    """Return loss, top1 and top5 of labels, or loss, mae and mse of quantities, as a history calls them.

    The loss is the one that the model was trained with, which its file names. None where that cannot be had, as it is
    with a loss of the user's own, or where the model cannot be loaded, or does not fit the examples.
    """
    try:
        found = _evaluate(open_model(path), _read_loss(path), examples)
    except Exception:  # of whatever kind a user's model raises: `score` asks for less, and says what is wrong
        return None
    return found if all(map(math.isfinite, found.values())) else None


def _evaluate(model: Any, loss: Any, examples: Examples) -> dict[str, float]:
    labels = examples.y.ndim == 1 and examples.y.dtype.kind in "biu"
    outputs = int(model.output_shape[-1])
    metrics = make_metrics(max(outputs, 2) if labels else None, outputs)
    model.compile(loss=loss, weighted_metrics=metrics)
    found = model.evaluate(examples.x, examples.y, batch_size=_BATCH, verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}


def _read_loss(path: Path) -> Any:
    """Return the loss that a model's file names, with its arguments, one of Keras's own."""
    import keras

    with ZipFile(path) as file:
        return keras.losses.get(json.loads(file.read("config.json"))["compile_config"]["loss"])
