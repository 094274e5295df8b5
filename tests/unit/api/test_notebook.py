"""`tinderbox.train`: what it makes of what a notebook has at hand; nothing is run here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinderbox
from tinderbox.api import notebook
from tinderbox.api.training import TrainPlan
from tinderbox.errors import BadInput
from tinderbox.process import set_threads

set_threads(1)

DATA = {"x": np.zeros((40, 3), np.float32), "y": np.arange(40) % 2}


def build(shape: tuple[int, ...], classes: int, width: int = 4) -> Any:
    """Return a small network."""
    import keras

    dense = keras.layers.Dense
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), dense(width), dense(classes)])


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[TrainPlan, dict[str, Any]]]:
    """The plans that would be run, and their options."""
    calls: list[tuple[TrainPlan, dict[str, Any]]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notebook, "run_train", lambda plan, **options: calls.append((plan, options)))
    return calls


def test_a_function_and_arrays(planned: list[tuple[TrainPlan, dict[str, Any]]]) -> None:
    """They are taken as they are; options are keys of a job file, NumPy's numbers too."""
    batch = {"size": np.int64(8), "per": "all"}
    tinderbox.train(build, data=DATA, epochs=2, parameters={"width": np.int64(5)}, batch=batch, seed=3, fresh=True)
    ((plan, options),) = planned
    assert (plan.job.model.build, plan.job.model.parameters) == ("notebook:build", {"width": 5})
    assert (plan.job.data.source, plan.job.name, plan.job.workers, plan.job.seed) == ("memory", "notebook", 2, 3)
    assert (plan.batch, plan.recipe.shape, plan.classes) == (8, (3,), ("0", "1"))
    assert plan.recipe.build is not None
    assert plan.size.learnt == 3 * 5 + 5 + 5 * 2 + 2
    assert options == {"spark": None, "fresh": True}


def test_a_model_object(planned: list[tuple[TrainPlan, dict[str, Any]]]) -> None:
    """It is packed as a file of its own would be."""
    tinderbox.train(build((3,), 2), data=DATA, epochs=1, batch=8, mode={"name": "averaging", "frequency": 2})
    plan = planned[0][0]
    assert plan.recipe.network is not None
    assert (plan.recipe.network.form, plan.job.model.path, plan.job.mode.name) == ("keras", "in memory", "averaging")
    assert plan.recipe.build is None


def test_names_and_paths(planned: list[tuple[TrainPlan, dict[str, Any]]], tmp_path: Path) -> None:
    """A built-in network by its name, others by their path from here; a mapping is as in a job file."""
    build((8, 8, 1), 10).save(tmp_path / "net.keras")
    for model in ("lenet5", "net.keras", {"name": "convnet", "parameters": {"width": 16}}):
        tinderbox.train(model, data="digits", epochs=1, batch=8)
    tinderbox.train("convnet", epochs=1, data={"source": "digits"}, batch=8, parameters={"width": 16})
    told = [(plan.job.model.name, plan.job.model.path) for plan, _ in planned]
    assert told == [("lenet5", None), (None, "net.keras"), ("convnet", None), ("convnet", None)]
    assert planned[2][0].run == planned[3][0].run


def test_code_that_is_no_function() -> None:
    """A callable object is built by, and named after its kind."""

    class Builder:
        def __call__(self, shape: Any, classes: Any) -> Any:
            return build(shape, classes)

    named, function, network = notebook.speak_model(Builder(), None)
    assert (named, network) == ({"build": "notebook:Builder"}, None)
    assert function is not None
    assert notebook.speak_model(lambda shape, classes: None, None)[0] == {"build": "notebook:lambda"}


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (build, {"kind": "train"}, "tinderbox.train: kind is always train; leave it out, got 'train'"),
        (3, {}, "tinderbox.train: model must be a build function, a Keras model, a name, a path or a mapping, got int"),
        (build, {"data": [1, 2]}, "tinderbox.train: data must be a name, a mapping of arrays, a mapping as in a job"),
        (build, {"data": {"x": [[1.0]]}}, "data: has no y, got x; inputs x and targets y come in pairs"),
        (build, {"data": DATA, "target": "y"}, "tinderbox.train: target names columns of a DataFrame; leave it out"),
        (build, {"data": DATA, "features": ["x"]}, "tinderbox.train: features names columns of a DataFrame; leave"),
        (build, {"data": DATA, "worker": 2}, "tinderbox.train: unknown key 'worker' in the job; did you mean workers?"),
        (build, {"data": DATA}, "batch: a step has 128 examples, 64 on each of 2 workers, and there are 24 to train"),
        ("no.keras", {}, "no.keras is not there"),
        ("lenet5", {"parameters": {"width": 3}}, "model: cannot be built with parameters {'width': 3}"),
        (
            SimpleNamespace(trainable_variables=[]),
            {},
            "model: must be a Keras model, a path, a URL or a mapping, got SimpleNamespace",
        ),
    ],
)
def test_what_cannot_be_run(
    planned: list[tuple[TrainPlan, dict[str, Any]]], model: Any, options: dict[str, Any], sentence: str
) -> None:
    """Is one sentence, and nothing is started."""
    with pytest.raises(BadInput) as refusal:
        tinderbox.train(model, epochs=1, **options)
    assert sentence in str(refusal.value)
    assert planned == []
