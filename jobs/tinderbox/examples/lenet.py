"""The Databricks study as a user's function: a small convolutional network for images of digits."""

from __future__ import annotations

from tinderbox.errors import BadInput
from tinderbox.models.batches import keras_batches
from tinderbox.models.lenet import BATCH, build
from tinderbox.sweeping.trial import Trial


def train(trial: Trial) -> None:
    """Train on labelled images with `learning_rate`, `width` and, where the space has it, `decay`.

    Raises:
        BadInput: The data is no set of labelled images.
    """
    import keras

    from tinderbox.sweeping.keras import keras_callback

    data = trial.data
    if data.classes is None or data.train.x.ndim != 4:
        raise BadInput(
            "this network needs labelled images, x of shape (images, height, width, channels), "
            f"got {data.train.x.shape} and {'no classes' if data.classes is None else f'{len(data.classes)} classes'}"
        )
    keras.utils.set_random_seed(trial.seed)
    batches = keras_batches(data.train, BATCH)
    model = build(
        data.train.x.shape[1:],
        len(data.classes),
        int(trial.params["width"]),
        float(trial.params["learning_rate"]),
        float(trial.params.get("decay", 0.95)),
        len(batches),
    )
    model.fit(
        batches,
        epochs=trial.epochs,
        validation_data=keras_batches(data.validation, BATCH),
        shuffle=False,
        callbacks=[keras_callback(trial)],
        verbose=0,
    )
