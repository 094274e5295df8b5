"""The model of a training: what a job can name, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.config import TrainJob, check_train
from tinderbox.errors import BadInput
from tinderbox.models.building import Task, build_model
from tinderbox.models.packing import pack_model

DIGITS = Task((8, 8, 1), 10, steps=7)
POINTS = Task((3,), 2)


def job(**tree: Any) -> TrainJob:
    """Return a job with a build function, or what else is said."""
    return check_train(
        {"kind": "train", "name": "small", "epochs": 1, "workers": 1, "model": {"build": "own:build"}, **tree}, "test"
    )


def dense(units: int, optimizer: Any = None, loss: str = "mse", **more: Any) -> Callable[..., Any]:
    """Return a build function of one layer, which compiles its model where it gets an optimizer."""

    def build(shape: tuple[int, ...], classes: int | None) -> Any:
        import keras

        model = keras.Sequential([keras.Input(shape), keras.layers.Dense(units, **more)])
        if optimizer is not None:
            model.compile(optimizer, loss)
        return model

    return build


def test_built_in_networks() -> None:
    """BigDL's, with what the job says or nothing of its optimizer, and the study's, with its own."""
    lenet5 = build_model(job(model="lenet5"), DIGITS)
    assert (type(lenet5.optimizer).__name__, float(lenet5.optimizer.learning_rate)) == ("SGD", pytest.approx(0.01))
    assert lenet5.loss.get_config()["from_logits"]
    convnet = build_model(job(model={"name": "convnet", "parameters": {"width": 16}}), DIGITS)
    assert convnet.layers[-1].kernel.shape == (16, 10)
    assert convnet.optimizer.momentum == 0.9
    assert float(convnet.optimizer._learning_rate(7)) == pytest.approx(0.01 * 0.95)  # an epoch of seven steps later
    other = build_model(job(model="convnet", optimizer="adam"), DIGITS)
    assert type(other.optimizer).__name__ == "Adam"
    scaled = build_model(job(model="convnet"), Task((8, 8, 1), 10, steps=7, scale=0.5))
    assert float(scaled.optimizer._learning_rate(0)) == pytest.approx(0.005)


def test_new_weights_are_those_of_the_seed() -> None:
    """The same for the same one, on whatever worker."""
    first, second, other = (build_model(job(model="lenet5", seed=seed), DIGITS).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(first, second, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_what_a_job_says_comes_before_what_a_model_was_compiled_with() -> None:
    """Each of optimizer and loss by itself."""
    import keras

    def build() -> Callable[..., Any]:
        return dense(1, keras.optimizers.RMSprop(0.25), "huber", activation="sigmoid")

    kept = build_model(job(), POINTS, function=build())
    assert (type(kept.optimizer).__name__, kept.loss) == ("RMSprop", "huber")
    changed = build_model(job(optimizer="adam", loss="binary_crossentropy"), POINTS, function=build())
    assert (type(changed.optimizer).__name__, type(changed.loss).__name__) == ("Adam", "BinaryCrossentropy")
    assert changed.optimizer.built


@pytest.mark.parametrize(("precision", "computed"), [("bfloat16", "bfloat16"), ("float16", "float16")])
def test_precision(precision: str, computed: str) -> None:
    """Is that of new layers, whose variables stay float32; float16 has its loss scaled; later layers are as ever."""
    import keras

    model = build_model(job(precision=precision, loss="mse"), Task((3,), None, (2,)), function=dense(2))
    assert (model.layers[-1].compute_dtype, model.layers[-1].kernel.dtype) == (computed, "float32")
    assert (type(model.optimizer).__name__ == "LossScaleOptimizer") == (precision == "float16")
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("network", ["lenet5", "convnet"])
def test_built_in_networks_learn_in_16_bits(network: str, precision: str) -> None:
    """Though top5 needs outputs in 32."""
    model = build_model(job(model=network, precision=precision), DIGITS)
    assert model.layers[1].compute_dtype == precision
    model.jit_compile = False  # a step, and not how quickly it is taken
    history = model.fit(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert set(history) == {"loss", "top1", "top5"}


def test_outputs_in_16_bits() -> None:
    """Of several classes are refused, with what to do, which helps."""
    with pytest.raises(BadInput) as caught:
        build_model(job(precision="bfloat16"), POINTS, function=dense(2))
    assert str(caught.value) == (
        "model: outputs must be float32 where layers compute in bfloat16, got bfloat16; "
        "end it in a layer with dtype='float32'"
    )
    model = build_model(job(precision="bfloat16"), POINTS, function=dense(2, dtype="float32"))
    model.evaluate(np.zeros((2, 3)), np.arange(2), verbose=0)


def test_a_models_own_float16_where_its_loss_scale_cannot_be_shared() -> None:
    """Is refused as the job's would be."""
    import keras

    def build(shape: tuple[int, ...], classes: int) -> Any:
        keras.config.set_dtype_policy("mixed_float16")
        return keras.Sequential([keras.Input(shape), keras.layers.Dense(classes, dtype="float32")])

    build_model(job(), POINTS, function=build)
    for mode in ("threshold", "averaging"):
        with pytest.raises(BadInput, match=f"in float16 and scales its loss, which mode {mode} cannot share; make it"):
            build_model(job(mode=mode), POINTS, function=build)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_losses_that_are_no_means(reduction: str) -> None:
    """Are refused where several workers, or GPUs, have parts of a step."""
    import keras

    def build(shape: tuple[int, ...], classes: int) -> Any:
        loss: Any = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
        return dense(classes, "sgd", loss)(shape, classes)

    build_model(job(), POINTS, function=build)
    for keys in ({"workers": 2}, {"gpus": 2}):
        with pytest.raises(BadInput, match=f"Crossentropy is compiled with reduction '{reduction}', and what workers"):
            build_model(job(**keys), POINTS, function=build)
    build_model(job(workers=2, loss="sparse_categorical_crossentropy"), POINTS, function=build)


def test_model_files(tmp_path: Path) -> None:
    """Go on from their weights and their optimizer; an architecture begins with the weights of the seed."""
    saved = dense(2, "adam", "sparse_categorical_crossentropy", activation="softmax")((3,), 2)
    saved.save(tmp_path / "model.keras")
    for name in ("model.keras", "model.h5"):
        if name.endswith("h5"):
            saved.save_weights(tmp_path / "model.weights.h5")
        packed = pack_model(tmp_path / "model.keras")
        model = build_model(job(model=str(tmp_path / name)), POINTS, network=packed)
        assert type(model.optimizer).__name__ == "Adam"
        np.testing.assert_array_equal(model.get_weights()[0], saved.get_weights()[0])
    (tmp_path / "model.json").write_text(saved.to_json())
    bare = pack_model(tmp_path / "model.json", new_weights=True)
    first, second = (build_model(job(model="model.json", seed=seed), POINTS, network=bare) for seed in (1, 2))
    assert not np.array_equal(first.get_weights()[0], second.get_weights()[0])
    again = build_model(job(model="model.json", seed=1), POINTS, network=bare)
    np.testing.assert_array_equal(first.get_weights()[0], again.get_weights()[0])
    with pytest.raises(BadInput, match="precision: float16 is for new layers"):
        build_model(job(model="model.json", precision="float16"), POINTS, network=bare)
    with pytest.raises(BadInput, match="which needs the HDF5 file of its weights"):
        pack_model(tmp_path / "model.json")


def test_a_savedmodel_cannot_learn(tmp_path: Path) -> None:
    """And says what can."""
    model = dense(2)((3,), 2)
    model.export(tmp_path / "saved", verbose=False)
    with pytest.raises(BadInput, match=r"is a SavedModel, which can predict and not learn; name a \.keras"):
        build_model(job(model="saved"), POINTS, network=pack_model(tmp_path / "saved"))


@pytest.mark.parametrize(
    ("function", "task", "sentence"),
    [
        (lambda shape, classes: "no model", POINTS, "own:build must return a Keras model, got str"),
        (
            lambda shape: None,
            POINTS,
            "cannot be built with parameters {}: too many positional arguments; it takes shape",
        ),
        (dense(3), POINTS, "outputs of shape (3,) do not fit 2 classes"),
        (dense(1), Task((3,), None, (2,)), "outputs of shape (1,) do not fit targets of shape (2,)"),
    ],
)
def test_what_is_no_model_of_the_task(function: Callable[..., Any], task: Task, sentence: str) -> None:
    """Is refused in a sentence."""
    with pytest.raises(BadInput) as caught:
        build_model(job(), task, function=function)
    assert sentence in str(caught.value)


def test_built_in_networks_need_images() -> None:
    """With labels; parameters are theirs."""
    with pytest.raises(BadInput, match="lenet5 needs labelled images of shape"):
        build_model(job(model="lenet5"), POINTS)
    with pytest.raises(BadInput, match=r"convnet needs labelled images .* got shape .* and quantities"):
        build_model(job(model="convnet"), Task((8, 8, 1), None))
    with pytest.raises(BadInput, match="got an unexpected keyword argument 'depth'"):
        build_model(job(model={"name": "lenet5", "parameters": {"depth": 2}}), DIGITS)


def test_examples_of_another_shape(tmp_path: Path) -> None:
    """Do not fit a model file; a model that is not built yet is built for them."""
    import keras

    dense(2)((5,), 2).save(tmp_path / "model.keras")
    with pytest.raises(BadInput, match=r"not take examples of shape \(3,\): .*; give it an input of that shape"):
        build_model(job(model="model.keras"), POINTS, network=pack_model(tmp_path / "model.keras"))
    model = build_model(job(), POINTS, function=lambda shape, classes: keras.Sequential([keras.layers.Dense(2)]))
    assert model.layers[0].kernel.shape == (3, 2)
