"""The callback that does all of a trial's reporting, with a real Keras model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.sweeping.keras import keras_callback
from tinderbox.sweeping.trial import TrialStopped


class Notes:
    """A trial that writes down what it is told, takes each state, and stops after two epochs."""

    def __init__(self) -> None:
        self.reports: list[tuple[int, list[str]]] = []
        self.states: list[bytes] = []

    def report(self, epoch: int, checkpoint: Any, **metrics: float) -> None:
        """Take a report."""
        self.reports.append((epoch, sorted(metrics)))
        checkpoint(file := io.BytesIO())
        self.states.append(file.getvalue())
        if epoch == 2:
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
