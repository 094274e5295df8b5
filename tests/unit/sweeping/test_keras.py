"""The callback that does all of a trial's reporting, with a real Keras model."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinderbox.errors import BadInput
from tinderbox.sweeping.keras import keras_callback, restore, save_model
from tinderbox.sweeping.trial import TrialStopped


class Notes:
    """A trial on seventy examples that writes down what it is told, takes each state, and stops after some epochs."""

    def __init__(self, stop: int = 2) -> None:
        self.stop = stop
        self.data = SimpleNamespace(train=range(70))
        self.counted: list[tuple[int, float, int]] = []
        self.seconds = 0.0
        self.checkpoint: Path | None = None
        self.epoch = 0
        self.reports: list[tuple[int, list[str]]] = []
        self.states: list[bytes] = []

    def count(self, examples: float, seconds: float, steps: int = 1) -> None:
        """Write down after how many reports so many examples and steps were told."""
        assert seconds >= 0
        self.seconds += seconds
        self.counted.append((len(self.reports), examples, steps))

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


def sums(notes: Notes) -> list[tuple[float, int]]:
    """Return how many examples and steps were counted in each epoch."""
    return [
        (
            sum(found for at, found, _ in notes.counted if at == epoch),
            sum(n for at, _, n in notes.counted if at == epoch),
        )
        for epoch in range(len(notes.reports))
    ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("together", "calls", "options", "expected"),
    [
        (1, 8, {}, (70, 8)),
        (3, 3, {}, (70, 8)),
        (1, 4, {"steps_per_epoch": 4}, (70, 4)),
        (1, 3, {"halt": 2}, (70 * 3 // 8, 3)),
    ],
)
def test_steps_and_examples_are_counted(
    together: int, calls: int, options: dict[str, int], expected: tuple[int, int]
) -> None:
    """All of each epoch, of a fit that takes several steps at a time or ends early as well; validation is no step."""
    import keras

    class Halt(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.model.stop_training = batch == options.get("halt")

    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=together)
    x = np.ones((70, 2), np.float32)
    notes: Any = Notes(stop=9)
    callbacks, steps = [Halt(), keras_callback(notes)], options.get("steps_per_epoch")
    model.fit(x, x[:, :1], 9, 2, verbose=0, callbacks=callbacks, validation_data=(x, x[:, :1]), steps_per_epoch=steps)
    assert sums(notes) == [expected] * len(notes.reports)
    assert len(notes.counted) == calls * len(notes.reports)
    assert notes.seconds > 0


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_examples_of_a_generator_are_counted_when_their_epoch_ends() -> None:
    """Nobody knows before how many steps there are; how many examples that is may be told."""
    import keras

    def generate() -> Iterator[tuple[Any, Any]]:
        while True:
            yield np.ones((10, 2), np.float32), np.ones((10, 1), np.float32)

    def finite() -> Iterator[tuple[Any, Any]]:
        for _, pair in zip(range(7 * 2), generate(), strict=False):
            yield pair

    for source, steps in ((generate(), 7), (finite(), None)):
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        notes: Any = Notes(stop=9)
        callbacks = [keras_callback(notes, examples=700)]
        model.fit(source, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=callbacks)
        assert sums(notes) == [(700, 7 if steps else 14)]


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
