"""Mode synchronous: worker processes that do together what one does, and go on exactly where they were."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from tests.unit.training.working import Door, Told, TwoProcessors, make_recipe, make_work, work_together
from tinderbox.models.building import Task, build_model
from tinderbox.models.state import restore
from tinderbox.training.exchange import share_steps
from tinderbox.training.records import Position
from tinderbox.training.sampling import schedule
from tinderbox.training.synchronous.exchange import Synchronous
from tinderbox.training.worker.process import Work

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 158)
IMAGES = (RNG.random((158, 8, 8, 1)) * 100 + 50 * LABELS[:, None, None, None]).astype(np.uint8)
UNEVEN = {"x_train": IMAGES[:151], "y_train": LABELS[:151], "x_validation": IMAGES[151:], "y_validation": LABELS[151:]}
"""121 to learn from once a fifth is held out, so the fifth step of 30 has one, and 7 for validation."""


def outcomes(*told: Any) -> list[str]:
    """Return how workers ended, and why where not well."""
    return [over.failure.details[-1500:] or over.outcome for over in told]


@pytest.mark.timeout(240)
def test_two_workers_do_what_one_does_with_the_whole_batch(tmp_path: Path) -> None:
    """The same weights and metrics within rounding, though the last step has one example and so one worker has none."""
    wanted = {"epochs": 2, "batch": {"size": 30, "per": "all"}, "checkpoints": {"epochs": 2}}
    recipe, data = make_recipe(
        tmp_path / "data", UNEVEN, optimizer={"name": "adam", "arguments": {"clipnorm": 0.5}}, **wanted
    )
    assert (recipe.examples, recipe.validation) == (121, 7)
    told = {}
    for workers in (1, 2):
        work = make_work(tmp_path / f"by-{workers}", recipe, data)
        assert outcomes(*work_together([work] * workers, workers)) == ["complete"] * workers
        told[workers] = Told(work.code, workers)
    alone, together = told[1], told[2]
    for mine, theirs in zip(alone.model().get_weights(), together.model().get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=2e-6)
    for mine, theirs in zip(alone.history, together.history, strict=True):
        assert set(mine) == {f"{part}{name}" for part in ("", "val_") for name in ("loss", "top1", "top5")}
        assert mine == pytest.approx(theirs, rel=1e-4)
    assert alone.confusion.tolist() == together.confusion.tolist()
    assert alone.confusion.sum() == 7
    assert alone.notes("saves") == together.notes("saves") == [{"epoch": 2, "examples": 0, "step": 10}]
    assert together.notes("saves", 1) == []
    check_counts(together, alone)


@pytest.mark.timeout(240)
def test_replicas_inside_of_workers(tmp_path: Path) -> None:
    """Add up to the same: two workers of two replicas, of which each has a fourth of the batch, the last filled up."""
    wanted = {"batch": {"size": 24, "per": "all"}, "checkpoints": {"steps": 4}}
    arrays = {**UNEVEN, "x_test": IMAGES[:1], "y_test": LABELS[:1], "x_train": IMAGES[:130], "y_train": LABELS[:130]}
    told = {}
    for gpus, door in ((0, Door), (2, TwoProcessors)):
        recipe, data = make_recipe(tmp_path / "data", arrays, gpus=gpus, **wanted)
        folder = tmp_path / f"with-{gpus}"
        folder.mkdir()
        workers = max(gpus, 1)
        works = [Work(recipe, folder, data, door(folder))] * workers
        assert outcomes(*work_together(works, workers)) == ["complete"] * workers
        told[gpus] = Told(folder, workers)
    for mine, theirs in zip(told[0].model().get_weights(), told[2].model().get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=2e-6)
    one, several = told[0].history[0], told[2].history[0]
    for name in one:  # the last step's five examples of each worker count as six in training
        assert several[name] == pytest.approx(one[name], rel=1e-4 if name.startswith("val_") else 0.05), name
    assert told[0].confusion.tolist() == told[2].confusion.tolist()


def check_counts(together: Told, alone: Told) -> None:
    """All examples are counted once, and bytes as a ring of two sends them: the vector, once."""
    reports = [together.notes("reports", rank)[1] for rank in range(2)]
    assert [report["counts"]["examples"] for report in reports] == [61, 60]
    assert [report["train"]["examples"] for report in reports] == [61, 60]
    parameters = sum(weight.size for weight in alone.model().get_weights())
    assert {report["counts"]["sent"] for report in reports} == {5 * 4 * parameters}
    assert all(0 < report["counts"]["sync_seconds"] < report["counts"]["seconds"] for report in reports)
    assert alone.notes("reports")[1]["counts"]["dense"] == 0
    beats = [done for _, done in together.notes("beats")]
    assert sum(done["steps"] for done in beats) == 10
    assert sum(done["sent"] for done in beats) == 10 * 4 * parameters


def noisy(shape: tuple[int, ...], classes: int) -> Any:
    """Return a network whose steps are drawn."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(16, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ]
    )


@pytest.mark.timeout(240)
def test_a_run_goes_on_exactly_where_it_was(tmp_path: Path) -> None:
    """From a checkpoint in the middle of an epoch, with Dropout: the same bits of weights, optimizer and metrics."""
    recipe, data = make_recipe(
        tmp_path / "data",
        UNEVEN,
        epochs=3,
        batch=15,
        model={"build": "own:build"},
        optimizer={"name": "adam", "learning_rate": 0.01},
        checkpoints={"steps": 4},
        deterministic=True,
    )
    recipe = replace(recipe, build=by_value(noisy))
    whole = make_work(tmp_path / "whole", recipe, data)
    assert outcomes(*work_together([whole] * 2, 2)) == ["complete"] * 2
    told = Told(whole.code, 2)
    assert [note["step"] for note in told.notes("saves")] == [4, 8, 12]
    rest = make_work(tmp_path / "rest", recipe, data)
    shutil.copy(whole.code / "part-8-0", rest.code)
    resume = told.resume(8)
    assert resume.position == Position(1, 90, 8)
    assert outcomes(*work_together([rest] * 2, 2, resume)) == ["complete"] * 2
    resumed = Told(rest.code, 2)
    expected, model = told.model(), resumed.model()
    for mine, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(model.optimizer.variables, expected.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    assert resumed.history[-1] == told.history[-1]
    assert resumed.history[-2] == pytest.approx(told.history[-2], rel=1e-6)  # sums of both workers, added up before
    fewer = make_work(tmp_path / "fewer", recipe, data)
    shutil.copy(whole.code / "part-8-0", fewer.code)
    assert outcomes(*work_together([fewer], 1, resume, scale=0.5)) == ["complete"]
    last = Told(fewer.code, 1)
    assert [report["train"]["examples"] for report in last.notes("reports")] == [121, 121]
    assert [report["counts"]["examples"] for report in last.notes("reports")] == [31, 121]
    assert [report["step"] for report in last.notes("reports")] == [11, 20]  # 31 examples and 121, 15 in a step
    assert float(last.model().optimizer.learning_rate) == pytest.approx(0.005)


def by_value(function: Any) -> bytes:
    """Return a function of this module as it travels: the workers have no such module."""
    import sys

    module = sys.modules[function.__module__]
    cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(function)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def normalised(shape: tuple[int, ...], classes: int) -> Any:
    """Return a network with BatchNormalization at its beginning."""
    import keras
    from keras import layers

    return keras.Sequential(
        [keras.Input(shape), layers.Flatten(), layers.BatchNormalization(), layers.Dense(classes, activation="softmax")]
    )


@pytest.mark.timeout(240)
def test_moving_statistics_are_means_over_workers(tmp_path: Path) -> None:
    """By their shares of a step; so all have the same variables, as equal metrics of the same examples show."""
    twice = {part: np.concatenate([values] * 2) for part, values in UNEVEN.items() if part.endswith("validation")}
    recipe, data = make_recipe(
        tmp_path / "data",
        {**UNEVEN, **twice},
        batch={"size": 121, "per": "all"},
        model={"build": "own:build"},
        epochs=2,
    )
    work = make_work(tmp_path / "work", replace(recipe, build=by_value(normalised)), data)
    assert outcomes(*work_together([work] * 2, 2)) == ["complete"] * 2
    told = Told(work.code, 2)
    looks = [[report["validation"] for report in told.notes("reports", rank)] for rank in range(2)]
    assert looks[0] == looks[1]
    x = np.load(data / "x_train.npy").reshape(121, -1).astype(np.float64)
    mean, variance = np.zeros(64), np.ones(64)
    for epoch in range(2):
        parts = [x[schedule(121, 121, 2, rank, 0, Position(epoch)).step(0)] for rank in range(2)]
        mean = 0.99 * mean + 0.01 * sum(len(part) / 121 * part.mean(axis=0) for part in parts)
        variance = 0.99 * variance + 0.01 * sum(len(part) / 121 * part.var(axis=0) for part in parts)
    layer = told.model().layers[1]
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-4)


def one_output(shape: tuple[int, ...], classes: None) -> Any:
    """Return a linear model."""
    import keras

    return keras.Sequential([keras.Input(shape), keras.layers.Dense(1)])


@pytest.mark.timeout(240)
def test_loss_scaling_leaves_out_a_step_on_all_workers(tmp_path: Path) -> None:
    """Where the gradients of one of them are infinite: the scale is halved, and no weight is another, on both."""
    x = RNG.random((50, 2)).astype(np.float32)
    y = np.full(50, 0.01, np.float32)
    held_out = {"x_validation": x[:4], "y_validation": y[:4], "x_test": x[:4], "y_test": y[:4]}
    arrays = {"x_train": x, "y_train": y, **held_out}
    y[schedule(50, 10, 2, 1, 0, Position()).step(2)] = 200.0  # what rank 1 has in the third step
    wanted = {"precision": "float16", "batch": 5, "optimizer": {"name": "sgd", "learning_rate": 1e-3}}
    recipe, data = make_recipe(tmp_path / "data", arrays, model={"build": "own:build"}, **wanted)
    work = make_work(tmp_path / "work", replace(recipe, build=by_value(one_output)), data)
    assert outcomes(*work_together([work] * 2, 2)) == ["complete"] * 2
    told = Told(work.code, 2)
    model = build_model(recipe.job, Task((2,), None), function=one_output)
    restore(model, work.code / "model.keras")  # Keras itself does not load the state of an optimizer in another one
    optimizer = model.optimizer
    assert type(optimizer).__name__ == "LossScaleOptimizer"
    assert float(optimizer.dynamic_scale) == 2.0**14
    assert int(optimizer.iterations) == 4
    assert [report["counts"]["steps"] for report in told.notes("reports")] == [5]
    assert set(told.history[0]) == {"loss", "mae", "mse", "val_loss", "val_mae", "val_mse"}
    looks = [told.notes("reports", rank)[0]["validation"] for rank in range(2)]
    assert sum(look["examples"] for look in looks) == 4
    assert told.notes("confusion") == [None]


@pytest.mark.timeout(240)
def test_a_lost_peer_and_an_attempt_that_is_over(tmp_path: Path) -> None:
    """End a worker, each in its own way."""
    recipe, data = make_recipe(tmp_path / "data", UNEVEN, batch=2, epochs=500)
    work = make_work(tmp_path / "work", recipe, data)
    stale = Work(recipe, work.code, data, Door(work.code, stale_at=40))
    first, second = work_together([work, stale], 2)
    assert (second.outcome, second.failure.cause) == ("stale", "attempt 1 is over")
    assert first.outcome == "peer_lost"


def test_steps_go_through_the_exchange() -> None:
    """The optimizer's own class is what a saved model names."""
    import keras

    given: list[Any] = []

    class Doubling:
        def apply(self, update: Any, gradients: Any, variables: Any) -> None:
            given.append((gradients, variables))
            update([2 * gradient for gradient in gradients])

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    exchange: Any = Doubling()
    share_steps(model.optimizer, exchange)
    model.fit(np.ones((4, 1)), np.zeros(4), batch_size=4, verbose=0)
    assert float(model.get_weights()[0][0, 0]) == 1 - 2 * 2  # the gradient of x squared at 1 is 2, and is doubled
    assert given[0][1][0] is model.trainable_variables[0]
    config = keras.saving.serialize_keras_object(model.optimizer)
    assert (config["class_name"], config["module"]) == ("SGD", "keras.optimizers")


def test_only_the_first_worker_says_what_variables_are_at_the_start() -> None:
    """Others add zeros to it, though a variable of theirs may hold infinity, or no number."""
    import keras

    exchange: Any = object.__new__(Synchronous)
    exchange._rank = 1
    given: list[Any] = []
    exchange._add_up = lambda vector, instance: given.append(np.asarray(vector)) or np.array([3.0, 4.0])
    lost = keras.Variable([np.inf, np.nan])
    exchange._copy([lost])
    assert given[0].tolist() == [0.0, 0.0]
    assert np.asarray(lost).tolist() == [3.0, 4.0]
