"""The network is the study's network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinderbox.models.lenet import build


@pytest.fixture(scope="module")
def model() -> Any:
    """The network for MNIST at the study's default width, 512."""
    return build((28, 28, 1), 10, 512, 0.01, 0.95, 860)


def test_layers_have_the_sizes_of_the_study(model: Any) -> None:
    """Weights of two convolutions, a hidden layer behind 7 x 7 x 64 values, and ten outputs."""
    assert [tuple(weight.shape) for weight in model.trainable_weights] == [
        *[(5, 5, 1, 32), (32,), (5, 5, 32, 64), (64,)],
        *[(3136, 512), (512,), (512, 10), (10,)],
    ]
    assert [layer.rate for layer in model.layers if hasattr(layer, "rate")] == [0.5]


def test_weights_start_as_in_the_study(model: Any) -> None:
    """Weights are cut off at two deviations of 0.1; biases are 0 in the first layer and 0.1 in the others."""
    weights = [np.asarray(weight) for weight in model.trainable_weights]
    for kernel in weights[::2]:
        assert abs(kernel).max() <= 0.2
        assert kernel.std() == pytest.approx(0.088, rel=0.15)
    assert [float(np.unique(bias).item()) for bias in weights[1::2]] == pytest.approx([0, 0.1, 0.1, 0.1])
    assert not np.array_equal(weights[4].ravel()[:100], weights[6].ravel()[:100])


def test_inputs_are_centred(model: Any) -> None:
    """Bytes become numbers from -0.5 to 0.5: (x - 127.5) / 255."""
    scaled = np.asarray(model.layers[0](np.array([0.0, 127.5, 255.0])))
    np.testing.assert_allclose(scaled, [-0.5, 0, 0.5], atol=1e-6)


def test_penalty_is_on_both_dense_layers(model: Any) -> None:
    """The penalty is 5e-4 times half the sum of squares of dense weights and biases."""
    dense = [np.asarray(weight) for weight in model.trainable_weights[4:]]
    wanted = sum(5e-4 * (weight**2).sum() / 2 for weight in dense)
    assert float(sum(model.losses)) == pytest.approx(wanted, rel=1e-4)


def test_learning_rate_falls_once_for_each_epoch(model: Any) -> None:
    """The rate is the same for all steps of an epoch and then multiplied by the decay; momentum is 0.9."""
    rate = model.optimizer._learning_rate
    assert [float(rate(step)) for step in (0, 859, 860, 1720)] == pytest.approx([0.01, 0.01, 0.0095, 0.009025])
    assert model.optimizer.momentum == 0.9


def test_small_images_fit_too() -> None:
    """Digits of 8 x 8 pixels go through the same layers, and outputs are logits, not probabilities."""
    small = build((8, 8, 1), 3, 16, 0.01, 0.95, 1)
    outputs = small.predict(np.full((2, 8, 8, 1), 255, np.uint8), verbose=0)
    assert outputs.shape == (2, 3)
    assert not np.allclose(outputs.sum(axis=1), 1)
