"""The Keras callback that does all of a trial's reporting, saves its whole state, and goes on from it."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import keras

    from tinderbox.sweeping.trial import Trial

WEIGHTS, GENERATORS = "model.weights.h5", "generators.json"
"""Members of a checkpoint: Keras's own, with the optimizer in it, and ours beside it."""


def keras_callback(trial: Trial, examples: int | None = None) -> keras.callbacks.Callback:
    """Return a callback that reports Keras's logs after each epoch, with the model as the checkpoint.

    Where the trial goes on from a checkpoint, `fit` begins with its state and in the epoch after it. For the
    dashboards it counts steps, and `examples` for each epoch, all of the training data unless told otherwise; what
    comes from a generator of unknown length counts when its epoch ends.
    """
    import keras

    whole = len(trial.data.train) if examples is None else examples

    class Report(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            if trial.checkpoint is not None:
                restore(self.model, trial.checkpoint)
                self.model._initial_epoch = trial.epoch  # as Keras's own BackupAndRestore does

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            self._began, self._done, self._told = time.monotonic(), 0, 0

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            now, steps = time.monotonic(), self.params.get("steps")
            # With steps_per_execution it is called for several batches together, the last time as if all were there.
            done = min(batch + 1, steps or batch + 1)
            told = whole * done // steps if steps else 0
            trial.count(told - self._told, now - self._began, done - self._done)
            self._began, self._done, self._told = now, done, told

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            if not self.params.get("steps"):
                trial.count(whole, 0.0, steps=0)
            trial.report(epoch + 1, checkpoint=self._save, **(logs or {}))

        def _save(self, file: BinaryIO) -> None:
            save_model(self.model, file)

    return Report()


def save_model(model: Any, file: BinaryIO) -> None:
    """Write a model in Keras's own format, with weights, optimizer and random generators, into an open file."""
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(GENERATORS, json.dumps(_generators(model)))
        with path.open("rb") as source:
            shutil.copyfileobj(source, file)


def restore(model: Any, path: Path) -> None:
    """Put a saved state into a model of the same shape, its random layers, and Python's and NumPy's generators.

    Raises:
        BadInput: The model is not built, so it has no weights yet, or it has others.
    """
    if not model.built:
        raise BadInput(
            "a model must be built before fit, so that it can go on from a checkpoint; begin it with an Input"
        )
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)  # or it would have no state to load into
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder, zipfile.ZipFile(path) as archive:
        try:
            model.load_weights(archive.extract(WEIGHTS, folder))
        except ValueError as error:
            raise BadInput(f"the model is not the one that was saved: {error}; build it from params alone") from error
        _set_generators(model, json.loads(archive.read(GENERATORS)))


def _seeds(model: Any) -> list[Any]:
    """Return the variables of a model's random layers, such as Dropout, which Keras does not save."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _generators(model: Any) -> dict[str, Any]:
    """Return the state of Python's, NumPy's and the model's generators as plain values."""
    seeds = [variable.numpy().tolist() for variable in _seeds(model)]
    version, numbers, gauss = random.getstate()
    name, key, *rest = np.random.get_state()
    numpy = [name, np.asarray(key).tolist(), *rest]
    return {"model": seeds, "python": [version, list(numbers), gauss], "numpy": numpy}


def _set_generators(model: Any, state: dict[str, Any]) -> None:
    for variable, value in zip(_seeds(model), state["model"], strict=True):
        variable.assign(value)
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    name, key, *rest = state["numpy"]
    np.random.set_state((name, np.array(key, np.uint32), *rest))
