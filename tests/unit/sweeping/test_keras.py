"""The callback that does all of a trial's reporting, with a real Keras model."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.errors import BadInput
from tinderbox.sweeping.keras import keras_callback, restore, save_model
from tinderbox.sweeping.trial import TrialStopped


class Notes:
    """A trial that writes down what it is told, takes each state, and stops after some epochs."""

    def __init__(self, stop: int = 2) -> None:
        self.stop = stop
        self.checkpoint: Path | None = None
        self.epoch = 0
        self.reports: list[tuple[int, list[str]]] = []
        self.states: list[bytes] = []

    def report(self, epoch: int, checkpoint: Any, **metrics: float) -> None:
        """Take a report."""
        self.reports.append((epoch, sorted(metrics)))
        checkpoint(file := io.BytesIO())
        self.states.append(file.getvalue())
        if epoch == self.stop:
            raise TrialStopped


@pytest.mark.timeout(120)
def test_each_epoch_is_reported_with_the_model(tmp_path: Path) -> None:
    """Epochs count from 1, metrics are Keras's own, the state is a whole model, and a stop ends the fit."""
    import keras

    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)
    notes: Any = Notes()
    with pytest.raises(TrialStopped):
        model.fit(x, y, validation_data=(x, y), epochs=5, verbose=0, callbacks=[keras_callback(notes)])
    assert notes.reports == [(epoch, ["loss", "mae", "val_loss", "val_mae"]) for epoch in (1, 2)]
    assert notes.states[0] != notes.states[1]
    (tmp_path / "model.keras").write_bytes(notes.states[1])
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert int(again.optimizer.iterations) == 2


@pytest.mark.timeout(240)
def test_a_fit_goes_on_where_it_was_cut_short(tmp_path: Path) -> None:
    """With the weights, optimizer, seeds of Dropout and generators that it had: the rest of it is the same."""
    import keras

    def build() -> Any:
        layers = [keras.layers.Input((4,)), keras.layers.Dropout(0.5, seed=3), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile(keras.optimizers.Adam(0.1), "mse")
        return model

    class Noise(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.layers[-1].bias.assign_add(np.random.normal(size=1) + random.random())  # noqa: S311 - no secret

    def fit(notes: Any) -> Any:
        keras.utils.set_random_seed(5)
        model, x = build(), np.random.default_rng(1).random((16, 4)).astype(np.float32)
        callbacks = [keras_callback(notes), Noise()]
        model.fit(x, x[:, :1], epochs=4, batch_size=4, shuffle=False, verbose=0, callbacks=callbacks)
        return model

    whole: Any = Notes(stop=5)
    expected = fit(whole)
    rest: Any = Notes(stop=5)
    rest.checkpoint, rest.epoch = tmp_path / "state", 2
    rest.checkpoint.write_bytes(whole.states[1])
    resumed = fit(rest)
    assert [epoch for epoch, _ in rest.reports] == [3, 4]
    for mine, theirs in zip(resumed.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert int(resumed.optimizer.iterations) == int(expected.optimizer.iterations) == 16
    done: Any = Notes(stop=5)
    done.checkpoint, done.epoch = tmp_path / "state", 4
    done.checkpoint.write_bytes(whole.states[3])
    restored = fit(done)  # lost after its last epoch, it has nothing left to train or report
    assert done.reports == []
    np.testing.assert_array_equal(restored.get_weights()[0], expected.get_weights()[0])


def test_a_state_of_another_model(tmp_path: Path) -> None:
    """Is refused in a sentence, as is a model that has no weights yet."""
    import keras

    def model(units: int, *first: Any) -> Any:
        made = keras.Sequential([*first, keras.layers.Dense(units)])
        made.compile("sgd", "mse")
        return made

    path = tmp_path / "state"
    with path.open("wb") as file:
        save_model(model(1, keras.layers.Input((2,))), file)
    with pytest.raises(BadInput, match="the model is not the one that was saved: "):
        restore(model(2, keras.layers.Input((2,))), path)
    with pytest.raises(BadInput, match="a model must be built before fit"):
        restore(model(1), path)
