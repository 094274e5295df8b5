"""The Keras callback that does all of a trial's reporting."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import keras

    from tinderbox.sweeping.trial import Trial


def keras_callback(trial: Trial) -> keras.callbacks.Callback:
    """Return a callback that reports Keras's logs after each epoch, with the model as the checkpoint."""
    import keras

    class Report(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            trial.report(epoch + 1, checkpoint=self._save, **(logs or {}))

        def _save(self, file: BinaryIO) -> None:
            save_model(self.model, file)

    return Report()


def save_model(model: Any, file: BinaryIO) -> None:
    """Write a model in Keras's own format, with weights, optimizer and seed generators, into an open file."""
    with tempfile.TemporaryDirectory(prefix="tinderbox-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with path.open("rb") as source:
            shutil.copyfileobj(source, file)
