"""The network is BigDL's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinderbox.models.lenet5 import build


@pytest.fixture(scope="module")
def model() -> Any:
    """The network for MNIST."""
    return build((28, 28, 1), 10)


def test_layers_have_bigdls_sizes(model: Any) -> None:
    """Weights of two convolutions, 100 neurons behind 12 x 4 x 4 values, and ten outputs: 22,278 numbers."""
    assert [tuple(weight.shape) for weight in model.trainable_weights] == [
        *[(5, 5, 1, 6), (6,), (5, 5, 6, 12), (12,)],
        *[(192, 100), (100,), (100, 10), (10,)],
    ]
    assert model.count_params() == 22_278
    tanh = [layer.name for layer in model.layers if getattr(layer, "activation", None).__class__.__name__ == "function"]
    assert tanh == ["conv1_5x5", "conv2_5x5", "fc1", "fc2"]
    assert [layer.activation.__name__ for layer in model.layers if layer.name in tanh] == ["tanh"] * 3 + ["linear"]


def test_weights_and_biases_start_as_in_bigdl(model: Any) -> None:
    """Uniform within 1 / sqrt(inputs), with a deviation of that over sqrt(3)."""
    weights = [np.asarray(weight) for weight in model.trainable_weights]
    for inputs, kernel, bias in zip((25, 150, 192, 100), weights[::2], weights[1::2], strict=True):
        bound = inputs**-0.5
        assert max(abs(kernel).max(), abs(bias).max()) <= bound
        assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.2)
        assert len(np.unique(bias)) == len(bias)


def test_bytes_are_normalised_as_in_bigdl(model: Any) -> None:
    """(x / 255 - 0.13066) / 0.30811: BigDL's mean and deviation of MNIST's training images."""
    found = np.asarray(model.layers[0](np.array([0.0, 255.0])))
    assert found == pytest.approx([-0.13066047 / 0.3081078, (1 - 0.13066047) / 0.3081078], rel=1e-5)


@pytest.mark.parametrize(("size", "flat"), [(8, 48), (15, 108), (16, 12), (28, 192), (32, 300)])
def test_images_of_other_sizes(size: int, flat: int) -> None:
    """Small ones are padded, so that convolutions leave something of them."""
    model = build((size, size, 3), 4)
    assert model.output_shape == (None, 4)
    assert model.get_layer("fc1").kernel.shape == (flat, 100)
