"""What tuning gained: the best model against the default parameters, on data that neither has seen."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import TinderboxError
from tinderbox.models.files import is_keras

if TYPE_CHECKING:
    from tinderbox.data.dataset import Examples

_RESAMPLES = 9_999
_BATCH = 256


@dataclass(frozen=True)
class Gain:
    """Best and baseline on the same held-out examples, scored once.

    `measure` is `accuracy` or `mean squared error`; `difference` is best minus baseline, with the bounds
    `low` and `high` of its 95 % interval.
    """

    measure: str
    examples: int
    best: float
    baseline: float
    difference: float
    low: float
    high: float


def compare(best: Path, baseline: Path, test: Examples) -> Gain:
    """Return what the best model gained over the baseline, both files in Keras's own format.

    Raises:
        TinderboxError: A model cannot be loaded, or does not fit the examples.
    """
    measure, ours = score(best, test)
    other, theirs = score(baseline, test)
    if measure != other:
        raise TinderboxError(f"{best} and {baseline} cannot be compared: one is scored by {measure}, one by {other}")
    low, high = interval(ours - theirs)
    best_mean, baseline_mean = float(ours.mean()), float(theirs.mean())
    return Gain(measure, len(test), best_mean, baseline_mean, best_mean - baseline_mean, low, high)


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean; resampling differences keeps examples paired."""
    from scipy.stats import bootstrap

    if np.ptp(differences) == 0:
        return float(differences[0]), float(differences[0])
    # In batches, because all resamples of 10,000 examples at once would take 800 MB.
    found = bootstrap((differences,), np.mean, n_resamples=_RESAMPLES, batch=100, method="percentile", rng=0)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def score(model_path: Path, examples: Examples) -> tuple[str, NDArray[np.float64]]:
    """Return how a model is measured and one number for each example.

    `accuracy`, 1 for right and 0 for wrong, where targets are labels and the model has one output for each class, or
    one sigmoid for two classes; `mean squared error` where targets are quantities.

    Raises:
        TinderboxError: The model cannot be loaded, or its outputs fit neither.
    """
    outputs = _predict(model_path, examples.x)
    y = examples.y
    labels = y.ndim == 1 and y.dtype.kind in "biu"
    if labels and outputs.ndim == 2 and outputs.shape[1] > 1:
        return "accuracy", (outputs.argmax(axis=1) == y).astype(np.float64)
    if labels and outputs.size == len(y) and y.max() <= 1 and outputs.min() >= 0 and outputs.max() <= 1:
        return "accuracy", ((outputs.reshape(len(y)) > 0.5) == y).astype(np.float64)
    if y.dtype.kind == "f" and outputs.size == y.size:
        errors = (outputs.reshape(y.shape).astype(np.float64) - y) ** 2
        return "mean squared error", errors.reshape(len(y), -1).mean(axis=1)
    raise TinderboxError(
        f"{model_path}: outputs of shape {outputs.shape} do not fit targets of shape {y.shape} and type {y.dtype}; "
        f"give labels one output for each class, or one sigmoid for two classes, and quantities their own shape"
    )


def _predict(path: Path, x: NDArray[Any]) -> NDArray[Any]:
    """Return a model's outputs, of shape (examples, ...) and finite."""
    try:
        outputs = open_model(path).predict(x, batch_size=_BATCH, verbose=0)
    except TinderboxError:
        raise
    except Exception as error:
        reason, _, _ = str(error).partition("\n")
        raise TinderboxError(f"{path}: cannot predict the test examples: {type(error).__name__}: {reason}") from error
    if not isinstance(outputs, np.ndarray) or len(outputs) != len(x):
        raise TinderboxError(f"{path}: must have one output for each example; score a model with several by hand")
    if not np.isfinite(outputs).all():
        raise TinderboxError(f"{path}: predicts NaN or infinity, so it cannot be scored")
    return outputs


def open_model(path: Path) -> Any:
    """Return the model in a file, not compiled.

    Raises:
        TinderboxError: It is none in Keras's own format.
    """
    if not is_keras(path):
        raise TinderboxError(f"{path}: is no model in Keras's own format; save it by model.save with a name in .keras")
    import keras

    # Keras opens only what is called .keras; a checkpoint in a study's folder need not be.
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder:
        link = Path(folder) / "model.keras"
        link.symlink_to(path.resolve())
        return keras.saving.load_model(link, compile=False)
