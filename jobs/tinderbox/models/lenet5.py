"""BigDL's LeNet-5, for images of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

_MEAN, _DEVIATION = 0.13066047740239506, 0.3081078
"""Of MNIST's training pixels between 0 and 1, as BigDL has them."""

_SMALLEST = 16
"""Pixels of a side that two convolutions of 5 without padding, each halved, leave something of."""


def build(shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return the network, not compiled, for images of `shape` (height, width, channels) with values from 0 to 255.

    Its outputs are logits: BigDL ends in log-softmax, which cross-entropy of logits has inside. They are float32
    whatever other layers compute in. Smaller images than 16 pixels are padded, so that something is left of them.
    Weights and biases begin uniform within 1 / sqrt(inputs), as in Torch and BigDL. Source: BigDL,
    models/lenet/LeNet5.scala and Utils.scala.
    """
    import keras
    from keras import layers

    height, width, channels = shape
    padding = "valid" if min(height, width) >= _SMALLEST else "same"
    first, second = 25 * channels, 25 * 6
    front = [
        layers.Rescaling(1 / (255 * _DEVIATION), offset=-_MEAN / _DEVIATION),
        layers.Conv2D(6, 5, padding=padding, activation="tanh", name="conv1_5x5", **_start(first)),
        layers.MaxPooling2D(2),
        layers.Conv2D(12, 5, padding=padding, activation="tanh", name="conv2_5x5", **_start(second)),
        layers.MaxPooling2D(2),
        layers.Flatten(),
    ]
    flat = keras.Sequential([keras.Input(shape), *front]).output_shape[-1]
    return keras.Sequential(
        [
            keras.Input(shape),
            *front,
            layers.Dense(100, activation="tanh", name="fc1", **_start(flat)),
            layers.Dense(classes, name="fc2", dtype="float32", **_start(100)),
        ],
        name="lenet5",
    )


def _start(inputs: int) -> dict[str, Any]:
    """Return new initializers for a layer whose neurons have so many inputs."""
    import keras

    bound = inputs**-0.5
    uniform = keras.initializers.RandomUniform
    return {"kernel_initializer": uniform(-bound, bound), "bias_initializer": uniform(-bound, bound)}
