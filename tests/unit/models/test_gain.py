"""What tuning gained: scores, intervals, and models that cannot be scored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.data import Examples
from tinderbox.errors import TinderboxError
from tinderbox.models.gain import Gain, compare, interval, score

# Keras saves weights through TensorFlow's __array__, which does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Save = Callable[..., Path]

ROWS = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
"""Inputs that a model without weights hands on as its outputs: the classes 1, 0, 1, 0."""


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Save a model of some outputs of its two inputs, under a name that Keras itself would not open."""

    def save(name: str, outputs: int = 2, scale: float = 1.0, reverse: bool = False) -> Path:
        import keras

        inputs = keras.Input((2,))
        dense = keras.layers.Dense(outputs, use_bias=False)
        model = keras.Model(inputs, dense(inputs))
        kernel = scale * np.eye(2, outputs)
        dense.set_weights([kernel[::-1] if reverse else kernel])
        model.save(tmp_path / f"{name}.keras")
        return (tmp_path / f"{name}.keras").rename(tmp_path / name)

    return save


def test_labels_are_scored_by_the_largest_output(save: Save) -> None:
    """With one output for each class an example counts 1 where the largest is its label."""
    measure, numbers = score(save("model"), Examples(ROWS, np.array([1, 0, 0, 0])))
    assert measure == "accuracy"
    assert numbers.tolist() == [1, 1, 0, 1]


def test_one_sigmoid_is_scored_by_its_half(save: Save) -> None:
    """With one output from 0 to 1 and two classes, more than a half means class 1."""
    measure, numbers = score(save("model", outputs=1), Examples(ROWS, np.array([0, 1, 1, 1])))
    assert measure == "accuracy"
    assert numbers.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("y", [np.array([0.0, 1, 0, 1]), np.array([[0.0], [1], [0], [1]])])
def test_quantities_are_scored_by_squared_error(save: Save, y: np.ndarray) -> None:
    """One output for one quantity, with or without an axis of its own."""
    measure, numbers = score(save("model", outputs=1), Examples(ROWS, y))
    assert measure == "mean squared error"
    np.testing.assert_allclose(numbers, [0.01, 0.04, 0.09, 0.16], rtol=1e-5)


def test_several_quantities_are_averaged(save: Save) -> None:
    """Each example has one number, the mean over its quantities."""
    _, numbers = score(save("model"), Examples(ROWS, ROWS + np.array([1.0, 2.0])))
    np.testing.assert_allclose(numbers, [2.5] * 4, rtol=1e-5)


@pytest.mark.parametrize(
    ("outputs", "scale", "y"),
    [
        (1, 1.0, np.array([0, 1, 2, 0])),
        (1, 9.0, np.array([0, 1, 1, 0])),
        (2, 1.0, np.array([0.5, 1, 2, 0])),
        (2, 1.0, np.array([[0, 1], [1, 0], [0, 1], [1, 0]])),
    ],
)
def test_model_that_fits_neither_is_refused(save: Save, outputs: int, scale: float, y: np.ndarray) -> None:
    """One output for three classes, a logit, and outputs of another shape than the quantities are not scored."""
    with pytest.raises(TinderboxError, match=r"model: outputs of shape \(4, .\) do not fit targets of shape"):
        score(save("model", outputs=outputs, scale=scale), Examples(ROWS, y))


def test_model_that_predicts_nan_is_refused(save: Save) -> None:
    """NaN has no largest output, though NumPy would name one."""
    with pytest.raises(TinderboxError, match="model: predicts NaN or infinity"):
        score(save("model", scale=np.nan), Examples(ROWS, np.array([1, 0, 0, 0])))


def test_model_for_other_inputs_is_refused(save: Save) -> None:
    """What Keras raises for inputs of another shape is told in one line."""
    with pytest.raises(TinderboxError, match="model: cannot predict the test examples: ") as caught:
        score(save("model"), Examples(np.zeros((4, 5), np.float32), np.array([1, 0, 0, 0])))
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """A checkpoint of another library is no Keras model."""
    (tmp_path / "model").write_bytes(b"a pickle, perhaps")
    with pytest.raises(TinderboxError, match="model: is no model in Keras's own format"):
        score(tmp_path / "model", Examples(ROWS, np.zeros(4, int)))


def test_best_is_compared_with_the_baseline(save: Save) -> None:
    """The gain holds both scores, their difference and an interval around it."""
    y = np.tile([1, 0, 1, 1], 25)
    gain = compare(save("best"), save("baseline", reverse=True), Examples(np.tile(ROWS, (25, 1)), y))
    assert (gain.measure, gain.examples, gain.best, gain.baseline, gain.difference) == (
        "accuracy",
        100,
        0.75,
        0.25,
        0.5,
    )
    assert 0.3 < gain.low < 0.45
    assert 0.55 < gain.high < 0.7


def test_model_gains_nothing_over_itself(save: Save) -> None:
    """Where the default parameters are the best, the gain is 0 and certain."""
    path = save("model")
    y = np.array([1, 0, 0, 0])
    assert compare(path, path, Examples(ROWS, y)) == Gain("accuracy", 4, 0.75, 0.75, 0.0, 0.0, 0.0)


def test_different_measures_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accuracy minus an error means nothing."""
    measures = iter([("accuracy", np.ones(2)), ("mean squared error", np.ones(2))])
    monkeypatch.setattr("tinderbox.models.gain.score", lambda *_: next(measures))
    with pytest.raises(
        TinderboxError, match="best and base cannot be compared: one is scored by accuracy, one by mean"
    ):
        compare(Path("best"), Path("base"), Examples(ROWS, ROWS))


def test_interval_is_that_of_a_mean() -> None:
    """For many differences it is close to the normal one: mean plus and minus 1.96 standard errors."""
    differences = np.random.default_rng(0).normal(0.1, 1, 2000)
    error = 1.96 * differences.std() / np.sqrt(2000)
    low, high = interval(differences)
    assert low == pytest.approx(differences.mean() - error, abs=0.01)
    assert high == pytest.approx(differences.mean() + error, abs=0.01)
    assert interval(differences) == (low, high)


@pytest.mark.parametrize("differences", [[0.0] * 5, [0.1] * 3, [1.0]])
def test_equal_differences_leave_no_doubt(differences: list[Any]) -> None:
    """Where all examples differ alike, even a single one, the interval is that difference, without warning or NaN."""
    assert interval(np.array(differences)) == (differences[0], differences[0])
