"""How good the model of a training is on test examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.api.test_compare import save, train
from tinderbox.api.scoring import score_test
from tinderbox.data import Examples
from tinderbox.storage.training import MODEL, TEST, TrainFolder

TEN = Examples(np.zeros((10, 3), np.float32), np.array([4] * 7 + [5] * 3))


def keep(folder: TrainFolder, scratch: Path, model: Any) -> None:
    """Keep a model as what a training has left."""
    model.save(scratch / "model.keras")
    folder.write(MODEL, (scratch / "model.keras").read_bytes())


def biased(loss: Any, bias: list[float], activation: str = "softmax") -> Any:
    """Return a compiled model of three inputs that says the same of all examples."""
    import keras

    dense = keras.layers.Dense(len(bias), activation, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((3,)), dense])
    dense.set_weights([np.zeros((3, len(bias))), np.array(bias)])
    model.compile("adam", loss)
    return model


def test_a_model_is_scored_by_what_the_history_knows(tmp_path: Path) -> None:
    """Loss, top1 and top5: the mean over examples, in batches of which the last is smaller."""
    folder, bias = train(tmp_path, "one"), [0.0, 0.0, 0.0, 1.0, 3.0, 2.0, -1.0, 0.5, 0.6, 0.0]
    keep(folder, tmp_path, biased("sparse_categorical_crossentropy", bias))
    labels = np.array([4] * 150 + [5] * 100 + [6] * 50)
    assert score_test(folder, Examples(np.zeros((300, 3), np.float32), labels)) == ""
    likely = np.exp(bias) / np.exp(bias).sum()
    wanted = {"loss": -np.log(likely[labels]).mean(), "top1": 150 / 300, "top5": 250 / 300}
    assert json.loads(folder.read(TEST)) == pytest.approx(wanted, rel=1e-4)


def test_the_loss_is_the_one_that_was_trained_with(tmp_path: Path) -> None:
    """With its arguments, as the file names it; here of outputs that are no probabilities."""
    import keras

    folder, bias = train(tmp_path, "one"), [0.0, 2.0, 1.0]
    keep(folder, tmp_path, biased(keras.losses.SparseCategoricalCrossentropy(from_logits=True), bias, "linear"))
    assert score_test(folder, Examples(np.zeros((2, 3), np.float32), np.array([1, 1]))) == ""
    found = json.loads(folder.read(TEST))
    assert found["loss"] == pytest.approx(-np.log(np.exp(2) / np.exp(bias).sum()), rel=1e-4)
    assert (found["top1"], found["top5"]) == (1.0, 1.0)


def test_one_output_for_two_classes(tmp_path: Path) -> None:
    """Has no top5."""
    folder = train(tmp_path, "one")
    keep(folder, tmp_path, biased("binary_crossentropy", [1.0], "sigmoid"))
    assert score_test(folder, Examples(np.zeros((4, 3), np.float32), np.array([1, 1, 1, 0]))) == ""
    assert json.loads(folder.read(TEST)) == pytest.approx({"loss": 0.3133 + 1 / 4, "top1": 0.75}, rel=1e-3)


def test_quantities_are_scored_by_their_errors(tmp_path: Path) -> None:
    """Loss, mae and mse."""
    folder = train(tmp_path, "one")
    keep(folder, tmp_path, biased("mean_absolute_error", [1.0, 2.0], "linear"))
    wanted = np.array([[1.0, 4.0], [0.0, 2.0]])
    assert score_test(folder, Examples(np.zeros((2, 3)), wanted)) == ""
    assert json.loads(folder.read(TEST)) == pytest.approx({"loss": 0.75, "mae": 0.75, "mse": 1.25})


def test_a_loss_of_the_users_own_is_left_out(tmp_path: Path) -> None:
    """The file does not bring its code, so what can be said without it is said."""
    folder = train(tmp_path, "one")

    def own(wanted: Any, found: Any) -> Any:
        return found[:, 0] * 0

    keep(folder, tmp_path, biased(own, [0.0, 3.0]))
    assert score_test(folder, Examples(np.zeros((4, 3), np.float32), np.array([1, 1, 1, 0]))) == ""
    assert json.loads(folder.read(TEST)) == {"top1": pytest.approx(0.75)}


def test_a_model_of_layers_that_nobody_knows_is_told(tmp_path: Path) -> None:
    """In a sentence, for the training has ended well."""
    import keras

    class Own(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
        def call(self, x: Any) -> Any:
            return x

    model = keras.Sequential([keras.Input((3,)), Own()])
    model.compile("adam", "sparse_categorical_crossentropy")
    folder = train(tmp_path, "one")
    keep(folder, tmp_path, model)
    assert "cannot predict the test examples: TypeError" in score_test(folder, TEN)
    assert not folder.has(TEST)


def test_a_model_that_was_not_compiled_is_scored_by_what_is_right(tmp_path: Path) -> None:
    """As the share of it, which the history calls Top 1."""
    folder = train(tmp_path, "one")
    save(folder, tmp_path, (3,), 4)
    assert score_test(folder, TEN) == ""
    assert json.loads(folder.read(TEST)) == {"top1": pytest.approx(0.7)}


def test_a_regression_is_scored_by_its_errors(tmp_path: Path) -> None:
    """The mean of their squares."""
    folder = train(tmp_path, "one")
    save(folder, tmp_path, (3,), 4)
    wanted = np.full((2, 10), 0.5, np.float32)
    assert score_test(folder, Examples(np.zeros((2, 3), np.float32), wanted)) == ""
    assert list(json.loads(folder.read(TEST))) == ["mse"]


def test_what_cannot_be_scored_has_no_score(tmp_path: Path) -> None:
    """Without a model, without examples, or with a model that does not fit; a score of an earlier model goes."""
    folder = train(tmp_path, "one")
    folder.write(TEST, b'{"top1": 1.0}')
    assert score_test(folder, TEN) == ""
    assert not folder.has(TEST)
    folder.write(MODEL, b"no model")
    assert score_test(folder, None) == ""
    assert "is no model in Keras's own format" in score_test(folder, TEN)
    assert not folder.has(TEST)
