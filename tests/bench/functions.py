"""What the bench's trials run; each tells when it began and when it took its last step, on this machine's clock."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from tinderbox import Trial

BATCH = 32


def nothing(trial: Trial) -> None:
    """Report and return."""
    trial.report(1, loss=float(trial.params["x"]))


def plain(trial: Trial) -> None:
    """Keep one core busy for a while."""
    line = time.monotonic()
    while time.monotonic() < line + float(trial.params["length"]):
        pass
    note(trial, line, line, time.monotonic())
    trial.report(1, loss=(float(trial.params["x"]) - 0.3) ** 2)


def fit(trial: Trial) -> None:
    """Train a small Keras network."""
    line = time.monotonic()
    import keras

    from tinderbox import keras_callback

    x, y = trial.data.train.x, trial.data.train.y
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callbacks = [stamps(trial, line), keras_callback(trial)]
    model.fit(x, y, batch_size=BATCH, epochs=trial.epochs, callbacks=callbacks, verbose=0)


def stamps(trial: Trial, line: float) -> keras.callbacks.Callback:
    """Return a callback that notes the ends of the first and of the last step before the last report is made."""
    import keras

    class Stamps(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        first = last = 0.0

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            self.last = time.monotonic()
            self.first = self.first or self.last

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            if epoch + 1 == trial.epochs:
                note(trial, line, self.first, self.last)

    return Stamps()


def note(trial: Trial, line: float, first_step: float, last_step: float) -> None:
    """Add the times of a trial to the file that its parameters name."""
    text = f"{line!r} {first_step!r} {last_step!r}\n"
    file = os.open(str(trial.params["times"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(file, text.encode())
    os.close(file)


def sleep(trial: Trial) -> None:
    """Take as long as a trial of the Databricks study would, in proportion, and no core."""
    time.sleep(float(trial.params["scale"]) * cost(int(trial.params["width"])))
    trial.report(1, loss=float(trial.params["learning_rate"]))


def cost(width: int) -> float:
    """Return what a trial of the Databricks study costs at a width, with that of its default, 512, as 1."""
    return 0.6 + 0.4 * width / 512


def second(trial: Trial) -> None:
    """Take one second and no core."""
    time.sleep(1.0)
    trial.report(1, loss=float(trial.params["x"]))


def digits(trial: Trial) -> None:
    """Train the Databricks network and report test accuracies beside Keras's logs, for a table.

    The second half of what it is given to validate on is the test: a trial never gets a study's own test examples.
    """
    import keras

    from tinderbox.data.dataset import Examples
    from tinderbox.models.batches import keras_batches
    from tinderbox.models.lenet import BATCH as SIZE
    from tinderbox.models.lenet import build

    data = trial.data
    keras.utils.set_random_seed(trial.seed)
    batches = keras_batches(data.train, SIZE)
    width, rate = int(trial.params["width"]), float(trial.params["learning_rate"])
    model = build(data.train.x.shape[1:], len(data.classes), width, rate, 0.95, len(batches))

    half = len(data.validation) // 2
    first, second = (
        keras_batches(Examples(data.validation.x[rows], data.validation.y[rows]), SIZE)
        for rows in (slice(half), slice(half, None))
    )

    class Report(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            tested = model.evaluate(second, verbose=0, return_dict=True)
            trial.report(epoch + 1, test_accuracy=tested["accuracy"], **(logs or {}))

    model.fit(batches, epochs=trial.epochs, validation_data=first, callbacks=[Report()], shuffle=False, verbose=0)
