"""Optimizers, schedules and losses by their names, and what is said where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from tinderbox.config.network import Optimizer
from tinderbox.errors import BadInput
from tinderbox.models.compiling import (
    check_outputs,
    last_activation,
    make_loss,
    make_metrics,
    make_optimizer,
    rescale,
)


def test_optimizers_by_name() -> None:
    """With arguments, in any spelling, and with a learning rate that is scaled."""
    adam = make_optimizer(Optimizer(name="AdamW", learning_rate=0.1, arguments={"beta_1": 0.5, "clipnorm": 2.0}), 0.5)
    assert (type(adam).__name__, adam.beta_1, adam.clipnorm) == ("AdamW", 0.5, 2.0)
    assert float(adam.learning_rate) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("schedule", "first", "last"),
    [
        ({"name": "CosineDecay", "decay_steps": 10}, 0.05, 0.0),
        ({"name": "cosine_decay", "initial_learning_rate": 0.0, "decay_steps": 10, "warmup_target": 1.0,
          "warmup_steps": 10}, 0.0, 0.5),
        ({"name": "PolynomialDecay", "decay_steps": 10, "end_learning_rate": 0.02}, 0.05, 0.01),
        ({"name": "PolynomialDecay", "decay_steps": 10}, 0.05, 5e-5),
    ],
)  # fmt: skip
def test_schedules_by_name(schedule: dict[str, Any], first: float, last: float) -> None:
    """All their learning rates are scaled; one of a decay is the optimizer's, where it has none of its own."""
    given = {} if "initial_learning_rate" in schedule else {"learning_rate": 0.1}
    optimizer = make_optimizer(Optimizer(name="sgd", schedule=schedule, **given), 0.5)
    rate = optimizer._learning_rate
    assert float(rate(0)) == pytest.approx(first)
    assert float(rate(10)) == pytest.approx(last, abs=1e-6)


def test_schedules_with_rates_of_their_own() -> None:
    """Are scaled likewise, and a learning rate beside them is refused."""
    steps = {"name": "PiecewiseConstantDecay", "boundaries": [5], "values": [1.0, 0.2]}
    rate = make_optimizer(Optimizer(schedule=steps), 0.5)._learning_rate
    assert (float(rate(0)), float(rate(10))) == (pytest.approx(0.5), pytest.approx(0.1))
    with pytest.raises(BadInput) as caught:
        make_optimizer(Optimizer(learning_rate=0.1, schedule=steps))
    assert str(caught.value) == (
        "optimizer: learning_rate has no effect beside schedule PiecewiseConstantDecay, which has rates of its own, "
        "got 0.1; leave it out"
    )


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"name": "sdg"}, "optimizer: Keras has no 'sdg', but Adadelta, Adafactor, "),
        ({"name": "sgd", "arguments": {"momentun": 0.9}}, "optimizer: SGD does not take momentun=0.9: "),
        ({"schedule": {"name": "Cosine"}}, "schedule: Keras has no 'Cosine', but CosineDecay, CosineDecayRestarts, "),
        ({"schedule": {"name": "CosineDecay", "steps": 3}}, "schedule: CosineDecay does not take steps=3, "),
    ],
)
def test_what_keras_has_not(wanted: dict[str, Any], sentence: str) -> None:
    """Is refused with what there is, or with what Keras says."""
    with pytest.raises(BadInput) as caught:
        make_optimizer(Optimizer(**wanted))
    assert str(caught.value).startswith(sentence)


def test_compiled_optimizers_are_scaled() -> None:
    """With everything else that they have; a schedule by the rates it has, if it has some."""
    import keras

    sgd = keras.optimizers.SGD(0.2, momentum=0.9)
    assert rescale(sgd, 1.0) is sgd
    half = rescale(sgd, 0.5)
    assert (float(half.learning_rate), half.momentum) == (pytest.approx(0.1), 0.9)
    decay = keras.optimizers.schedules.ExponentialDecay(0.2, 10, 0.5)
    assert float(rescale(keras.optimizers.Adam(decay), 0.5)._learning_rate(10)) == pytest.approx(0.05)

    @keras.saving.register_keras_serializable("tests")
    class Odd(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras ships no types
        def __call__(self, step: Any) -> Any:
            return 0.1

        def get_config(self) -> dict[str, Any]:
            return {}

    with pytest.raises(BadInput, match="schedule Odd has no learning rate that could be scaled"):
        rescale(keras.optimizers.Adam(Odd()), 0.5)

    class Steady(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras ships no types
        def __init__(self, initial_learning_rate: float) -> None:
            self.rate = initial_learning_rate

        def __call__(self, step: Any) -> Any:
            return self.rate

        def get_config(self) -> dict[str, Any]:
            return {"initial_learning_rate": self.rate}

    own = rescale(keras.optimizers.Adam(Steady(0.2)), 0.5)  # Keras does not know its class by a name
    assert float(own._learning_rate(10)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "classes", "outputs", "activation", "kind", "logits"),
    [
        (None, 10, 10, "linear", "SparseCategoricalCrossentropy", True),
        (None, 10, 10, "softmax", "SparseCategoricalCrossentropy", False),
        (None, 10, 10, "log_softmax", "SparseCategoricalCrossentropy", True),
        (None, 2, 1, "sigmoid", "BinaryCrossentropy", False),
        (None, None, 3, "linear", "MeanSquaredError", None),
        ("sparse_categorical_crossentropy", 3, 3, "softmax", "SparseCategoricalCrossentropy", False),
        ("Huber", None, 1, "linear", "Huber", None),
    ],
)
def test_losses(
    name: str | None, classes: int | None, outputs: int, activation: str, kind: str, logits: bool | None
) -> None:
    """Fit the targets or have a name; cross-entropy knows whether it gets logits."""
    loss = make_loss(name, classes, outputs, activation)
    assert type(loss).__name__ == kind
    assert loss.get_config().get("from_logits") is logits


def test_short_names_of_losses() -> None:
    """Are Keras's functions, and others are refused."""
    import keras

    assert make_loss("mae", None, 1, "linear") is keras.losses.mean_absolute_error
    with pytest.raises(BadInput, match="loss: Keras has no 'l3', but BinaryCrossentropy, "):
        make_loss("l3", None, 1, "linear")


def test_metrics_have_the_names_of_a_history() -> None:
    """The best five of three classes are all of them."""
    assert [metric.name for metric in make_metrics(10, 10)] == ["top1", "top5"]
    assert make_metrics(10, 10)[1].get_config()["k"] == 5
    assert make_metrics(3, 3)[1].get_config()["k"] == 3
    assert [metric.name for metric in make_metrics(2, 1)] == ["top1"]
    assert [metric.name for metric in make_metrics(None, 4)] == ["mae", "mse"]


@pytest.mark.parametrize(
    ("shape", "classes", "target", "activation", "sentence"),
    [
        ((5,), 4, (), "linear", r"outputs of shape \(5,\) do not fit 4 classes"),
        ((1,), 3, (), "sigmoid", r"do not fit 3 classes"),
        ((1,), 2, (), "linear", "one output for two classes must end in a sigmoid, got linear"),
        ((4, 4, 2), 2, (), "softmax", "do not fit 2 classes"),
        ((2,), None, (3,), "linear", r"outputs of shape \(2,\) do not fit targets of shape \(3,\)"),
        ((None, 3), None, (3,), "linear", "do not fit targets"),
        ((2, 3), None, (6,), "linear", r"outputs of shape \(2, 3\) do not fit targets of shape \(6,\)"),
        ((4,), None, (1, 4), "linear", "do not fit targets"),
    ],
)
def test_outputs_that_do_not_fit(
    shape: tuple[int, ...], classes: int | None, target: tuple[int, ...], activation: str, sentence: str
) -> None:
    """Are refused before anything is trained."""
    with pytest.raises(BadInput, match=sentence):
        check_outputs(shape, classes, target, activation)


def test_outputs_that_fit() -> None:
    """One for each class, one for two classes, or the shape of a target."""
    assert check_outputs((4,), 4, (), "linear") == 4
    assert check_outputs((1,), 2, (), "sigmoid") == 1
    assert check_outputs((2,), 2, (), "softmax") == 2
    assert check_outputs((1,), None, (), "linear") == 1
    assert check_outputs((3, 2), None, (3, 2), "linear") == 6
    assert check_outputs((3, 1), None, (3,), "linear") == 3
    assert check_outputs((3,), None, (3, 1), "linear") == 3


def test_what_a_model_ends_in() -> None:
    """Its last layer's activation, whatever shape or type its outputs are made into behind it."""
    import keras
    from keras import layers

    def ends(*last: Any) -> str:
        return last_activation(keras.Sequential([keras.Input((4,)), *last]))

    assert ends(layers.Dense(3)) == "linear"
    assert ends(layers.Dense(3, activation="softmax")) == "softmax"
    assert ends(layers.Dense(3), layers.Softmax()) == "softmax"
    assert ends(layers.Dense(3, activation="softmax"), layers.Activation("linear", dtype="float32")) == "softmax"
    assert ends(keras.Sequential([layers.Dense(2), layers.Activation("sigmoid")])) == "sigmoid"
    assert ends(layers.Dense(3, activation="softmax"), layers.Dense(2)) == "linear"
    assert ends(layers.Flatten()) == "linear"
