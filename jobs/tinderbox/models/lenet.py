"""The network of the Databricks study, for images of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

BATCH = 64
"""Examples of one step."""

_PENALTY = 5e-4 / 2
"""Keras sums squares where the study's code halves that sum."""


def build(
    shape: tuple[int, ...], classes: int, width: int, learning_rate: float, decay: float, steps_per_epoch: int
) -> keras.Model:
    """Return a compiled network for images of `shape` (height, width, channels) with values from 0 to 255.

    `width` is the number of neurons of the hidden layer; the learning rate is multiplied by `decay` after each epoch.
    Its outputs are logits, in float32 whatever other layers compute in. Source: TensorFlow 0.6,
    models/image/mnist/convolutional.py.
    """
    import keras
    from keras import layers

    dense = {"kernel_regularizer": keras.regularizers.L2(_PENALTY), "bias_regularizer": keras.regularizers.L2(_PENALTY)}
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Rescaling(1 / 255, offset=-0.5),
            layers.Conv2D(32, 5, padding="same", activation="relu", kernel_initializer=_weights()),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(64, 5, padding="same", activation="relu", **_start()),
            layers.MaxPooling2D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(width, activation="relu", **_start(), **dense),
            layers.Dropout(0.5),
            layers.Dense(classes, dtype="float32", **_start(), **dense),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(learning_rate, steps_per_epoch, decay, staircase=True)
    model.compile(
        optimizer=keras.optimizers.SGD(rate, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def _weights() -> keras.Initializer:
    """Return an initializer of its own for each layer: one shared would give all of them the same numbers."""
    import keras

    return keras.initializers.TruncatedNormal(stddev=0.1)


def _start() -> dict[str, Any]:
    import keras

    return {"kernel_initializer": _weights(), "bias_initializer": keras.initializers.Constant(0.1)}
