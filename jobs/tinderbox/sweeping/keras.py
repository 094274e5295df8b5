"""The Keras callback that does all of a trial's reporting, saves its whole state, and goes on from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, BinaryIO

from tinderbox.models.state import restore, save_model

if TYPE_CHECKING:
    import keras

    from tinderbox.sweeping.trial import Trial

__all__ = ["keras_callback", "restore", "save_model"]


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
