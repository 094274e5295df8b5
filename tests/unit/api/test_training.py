"""Plans of trainings: what is to be done, or one sentence, before anything is started."""

from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tinderbox.api.beginning import Size
from tinderbox.api.plan import describe_job
from tinderbox.api.training import TrainPlan, check_train_continues, make_train_plan
from tinderbox.config import check_train
from tinderbox.data import from_arrays
from tinderbox.errors import BadInput
from tinderbox.models.packing import pack_loaded
from tinderbox.process import set_threads
from tinderbox.run import Run
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder

set_threads(1)

MakePlan = Callable[..., TrainPlan]
CODE = """
import keras


def build(shape, classes, width=4, deep=False):
    layers = [keras.layers.Dense(width, "relu") for _ in range(2 if deep else 1)]
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(classes or 1)])


def compiled(shape, classes):
    model = build(shape, classes)
    model.compile(keras.optimizers.Adam(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class Own(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1

    def get_config(self):
        return {}


def scheduled(shape, classes):
    model = build(shape, classes)
    model.compile(keras.optimizers.SGD(Own()), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def unfit(shape, classes):
    model = build(shape, classes)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    return model


def raises(shape, classes):
    raise ValueError("no such\\nlayer")


def number(shape, classes):
    return 3


def rows():
    return {"x": [[float(n), 1.0] for n in range(40)], "y": [n % 4 for n in range(40)]}
"""
ROWS = {"source": "function", "function": "planned_network:rows"}


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[MakePlan]:
    """A function that returns the plan of a job in a folder with modules; what was imported is forgotten."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "planned_network.py").write_text(CODE)
    path, loaded = list(sys.path), set(sys.modules)

    def make(given: dict[str, Any] | None = None, /, **keys: Any) -> TrainPlan:
        tree: dict[str, Any] = {
            "kind": "train",
            "name": "net",
            "model": {"build": "planned_network:build"},
            "data": ROWS,
            "code": "code",
            "batch": 4,
            "epochs": 2,
            "storage": str(tmp_path / "runs"),
            **keys,
        }
        job = check_train({key: value for key, value in tree.items() if value is not None}, "test")
        return make_train_plan(job, tmp_path, **(given or {}))

    yield make
    sys.path[:] = path
    for name in set(sys.modules) - loaded:
        if name.startswith("planned_"):
            del sys.modules[name]


def refused(plan: MakePlan, *given: Any, **keys: Any) -> str:
    """Return the one sentence with which a job is refused."""
    with pytest.raises(BadInput) as refusal:
        plan(*given, **keys)
    assert "\\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_plan_says_what_workers_are_told(plan: MakePlan) -> None:
    """Shape, classes and numbers of examples; the code travels, and the function by its name."""
    made = plan()
    recipe = made.recipe
    assert (recipe.shape, recipe.classes, recipe.examples, recipe.validation) == ((2,), 4, 24, 8)
    assert (made.classes, made.batch, made.steps) == (("0", "1", "2", "3"), 8, 3)
    assert (recipe.network, recipe.build, recipe.shards) == (None, None, None)
    assert recipe.code is not None
    assert recipe.data == made.run.data
    assert made.data is not None
    assert len(made.data.test or ()) == 8


def test_the_size_of_the_model(plan: MakePlan) -> None:
    """What is learnt, and what is kept with it: Adam has two numbers more for each, its rate and its step."""
    learnt = 2 * 4 + 4 + 4 * 4 + 4
    assert plan().size == Size(learnt, learnt + 2)
    assert plan(optimizer="adam").size == Size(learnt, 3 * learnt + 2)
    assert plan(model={"build": "planned_network:compiled"}).size.kept == 3 * learnt + 2


def test_a_plan_draws_nothing(plan: MakePlan) -> None:
    """Python's and NumPy's random numbers are a notebook's own, whatever seed a model is built with."""
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), float(np.random.random())  # noqa: S311 - no secrets
    random.seed(5)
    np.random.seed(5)
    plan(seed=1)
    assert (random.random(), float(np.random.random())) == expected  # noqa: S311


def test_the_batch_of_all(plan: MakePlan) -> None:
    """It is that of a step, however many workers share it."""
    made = plan(batch={"size": 10, "per": "all"}, workers=3)
    assert (made.batch, made.steps) == (10, 3)


def test_identity(plan: MakePlan) -> None:
    """Data, code, configuration and what builds the model each have a digest, which is the same for the same."""
    first = plan().run
    assert plan().run == first
    assert all(len(digest) == 64 for digest in (first.data, first.code, first.model, first.configuration))
    wider = plan(model={"build": "planned_network:build", "parameters": {"width": 5}}).run
    assert (wider.model != first.model, wider.code) == (True, first.code)
    other = plan(data={**ROWS, "split": {"seed": 1}}).run
    assert (other.data != first.data, other.model) == (True, first.model)
    built_in = plan(model="lenet5", data={"source": "digits"}, code=None).run
    assert (built_in.code, len(built_in.model)) == ("", 64)


def test_a_notebooks_own(plan: MakePlan) -> None:
    """Data, function and model at hand take the place of what the job names."""
    data = from_arrays({"x": np.zeros((40, 3), np.float32), "y": np.arange(40) % 2})

    def build(shape: Any, classes: Any) -> Any:
        import keras

        return keras.Sequential([keras.Input(shape), keras.layers.Dense(classes)])

    made = plan({"data": data, "build": build}, code=None, model={"build": "notebook:build"})
    assert (made.recipe.shape, made.classes, made.recipe.code) == ((3,), ("0", "1"), None)
    assert pickle.loads(made.recipe.build or b"").__name__ == "build"  # noqa: S301 - ours
    assert made.size.learnt == 8
    network = pack_loaded(build((3,), 2))
    made = plan({"data": data, "network": network}, code=None, model={"path": "in memory"})
    assert (made.recipe.network, made.run.model, made.size.learnt) == (network, network.digest, 8)


def test_a_model_file(plan: MakePlan, tmp_path: Path) -> None:
    """Beside the job, as a whole or as an architecture, whose weights are new."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    model.save(tmp_path / "net.keras")
    (tmp_path / "net.json").write_text(model.to_json())
    whole, drawn = plan(model="net.keras"), plan(model="net.json")
    assert whole.recipe.network is not None
    assert drawn.recipe.network is not None
    assert (whole.recipe.network.form, drawn.recipe.network.form) == ("keras", "architecture")
    assert whole.run.model == whole.recipe.network.digest
    assert "net.h5 is not there" in refused(plan, model="net.h5")
    assert "precision: bfloat16 is for new layers" in refused(plan, model="net.keras", precision="bfloat16")


def test_a_winners_parameters(plan: MakePlan, tmp_path: Path) -> None:
    """They are those of the study's best trial; the job's own come before them."""
    study = StudyFolder(str(tmp_path / "studies"), "digits")
    model = {"build": "planned_network:build", "study": "digits", "storage": str(tmp_path / "studies")}
    assert "there is no study 'digits' in " in refused(plan, model=model)
    study.write_job({"kind": "sweep"}, Run("digits", "", "", "", "", {}))
    assert refused(plan, model=model) == "model: study 'digits' has no winner yet; let it end"
    study.write("best/parameters.yaml", yaml.safe_dump({"trial": 1, "parameters": {"width": 7, "deep": True}}).encode())
    made = plan(model=model)
    assert made.job.model.parameters == made.recipe.job.model.parameters == {"width": 7, "deep": True}
    assert made.size.learnt == 2 * 7 + 7 + 7 * 7 + 7 + 7 * 4 + 4
    narrow = plan(model={**model, "parameters": {"width": 2}})
    assert narrow.job.model.parameters == {"width": 2, "deep": True}


def test_a_regression_of_whole_numbers(plan: MakePlan) -> None:
    """Where the task says so, targets are the numbers that they are, and no classes."""
    made = plan(task="regression")
    assert made.data is not None
    assert (made.classes, made.recipe.classes, made.data.classes) == (None, None, None)
    whole = plan().data
    assert whole is not None
    assert (made.data.train.y == whole.train.y).all()
    assert made.data.train.y.dtype == np.float32
    assert made.data.test is not None
    assert len(made.data.test) == 8


def test_tables_in_shards(plan: MakePlan, tmp_path: Path) -> None:
    """Not a row of them is in the plan; the classes are."""
    rows = "".join(f"{n},{n % 3},{'ab'[n % 2]}\n" for n in range(40))
    (tmp_path / "rows.csv").write_text(f"u,v,kind\n{rows}")
    made = plan(data={"source": "shards", "path": "rows.csv", "target": "kind", "validation": 0.25})
    assert (made.data, made.classes, made.recipe.shape) == (None, ("a", "b"), (2,))
    assert made.recipe.shards is not None
    assert made.recipe.examples + made.recipe.validation == 40
    assert made.run.data == made.recipe.shards.digest


OR = "or of these with val_ before it, got"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"model": {"build": "planned_network:bild"}}, "planned_network:bild: module planned_network has no function"),
        ({"model": {"build": "planned_net:build"}}, "planned_net:build: module planned_net does not import: "),
        (
            {"model": {"build": "planned_network:raises"}},
            "model: planned_network:raises cannot be built: ValueError: no such",
        ),
        (
            {"model": {"build": "planned_network:number"}},
            "model: planned_network:number must return a Keras model, got int",
        ),
        (
            {"model": {"build": "planned_network:build", "parameters": {"wide": 3}}},
            "model: cannot be built with parameters {'wide': 3}: got an unexpected keyword argument 'wide'",
        ),
        ({"model": "lenet5"}, "model: lenet5 needs labelled images of shape (height, width, channels), got shape (2,)"),
        ({"optimizer": "sdg"}, "optimizer: Keras has no 'sdg', but "),
        (
            {"model": {"build": "planned_network:scheduled"}},
            "optimizer: schedule Own has no learning rate that could be",
        ),
        ({"model": {"build": "planned_network:unfit"}}, "loss: categorical_crossentropy does not fit outputs of shape"),
        (
            {"loss": "categorical_crossentropy"},
            "loss: categorical_crossentropy does not fit outputs of shape (4,) and classes as whole numbers: ",
        ),
        (
            {"loss": "mean_squared_error"},
            "mean_squared_error does not fit outputs of shape (4,) and classes as whole numbers: Incompatible shapes: ",
        ),
        ({"loss": "hinges"}, "loss: Keras has no 'hinges', but "),
        ({"preload": ["planned_nothing"]}, "preload: "),
        ({"code": "cod"}, "planned_network:rows: module planned_network does not import: "),
        ({"data": {"source": "npz", "path": "no.npz"}}, "no.npz"),
        ({"data": {"source": "memory", "digest": "x"}}, "memory: holds arrays of a notebook, which are gone"),
        ({"data": {"source": "shards", "path": "no", "target": "y"}}, "no is not there"),
        (
            {"batch": 13},
            "batch: a step has 26 examples, 13 on each of 2 workers, and there are 24 to train on; make it smaller",
        ),
        (
            {"batch": {"size": 25, "per": "all"}},
            "batch: a step has 25 examples, and there are 24 to train on; make it smaller",
        ),
        (
            {"gpus": 5},
            "batch: a worker's 4 examples do not give each of its 5 GPUs one; make it larger",
        ),
        (
            {"early_stopping": {"metric": "val_mae"}},
            f"early_stopping: metric of a model of 4 outputs is one of loss, top1, top5, {OR} val_mae",
        ),
        (
            {"early_stopping": {"metric": "top1"}, "task": "regression"},
            f"early_stopping: metric of a regression is one of loss, mae, mse, {OR} top1",
        ),
        ({"storage": "nope://x"}, "storage 'nope://x' cannot be opened"),
    ],
)
def test_what_cannot_be_run(plan: MakePlan, keys: dict[str, Any], sentence: str) -> None:
    """The thing, the rule, what was got, and what to do."""
    assert sentence in refused(plan, **keys)


def test_tasks_that_targets_do_not_fit(plan: MakePlan) -> None:
    """Quantities are no classes, and texts no quantities."""
    quantities = from_arrays({"x": np.zeros((40, 2)), "y": np.linspace(0, 1, 40)})
    texts = from_arrays({"x": np.zeros((40, 2)), "y": np.array(["cat", "dog"] * 20)})
    assert refused(plan, {"data": quantities}, task="classification") == (
        "task: classification needs whole numbers or texts as targets, got quantities; leave task out"
    )
    assert refused(plan, {"data": texts}, task="regression") == (
        "task: regression needs numbers as targets, got 'cat'; leave task out"
    )


def test_one_output_for_two_classes_has_no_top5(plan: MakePlan, tmp_path: Path) -> None:
    """So training cannot stop early by it."""
    import keras

    network = pack_loaded(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")]))
    data = from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})
    given, keys = {"data": data, "network": network}, {"model": {"path": "in memory"}}
    assert plan(given, early_stopping={"metric": "val_top1"}, **keys).recipe.classes == 2
    told = refused(plan, given, early_stopping={"metric": "val_top5"}, **keys)
    assert told.startswith("early_stopping: metric of a model of 1 outputs is one of loss, top1, or of these with val_")


def test_losses_and_schedules_that_fit(plan: MakePlan) -> None:
    """Are those that can be had of two examples, however many classes there are, and of one rate for all workers."""
    keys: list[dict[str, Any]] = [
        {"loss": "mean_squared_error", "task": "regression"},
        {"model": {"build": "planned_network:unfit"}, "loss": "sparse_categorical_crossentropy"},
        {"model": {"build": "planned_network:scheduled"}, "attempts": {"scaling": "none"}},
        {"model": {"build": "planned_network:scheduled"}, "batch": {"size": 4, "per": "all"}},
        {"model": {"build": "planned_network:scheduled"}, "mode": "averaging"},
        {"model": {"build": "planned_network:scheduled"}, "workers": 1},
    ]
    assert all(plan(**each).size.learnt for each in keys)
    two = from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})
    told = refused(plan, {"data": two}, loss="mean_squared_error")
    assert told.startswith("loss: mean_squared_error does not fit outputs of shape (2,) and classes as whole numbers: ")


# Going on


@pytest.fixture
def begun(plan: MakePlan, tmp_path: Path) -> TrainFolder:
    """A training that was begun with the plan as it is."""
    made = plan()
    folder = TrainFolder(made.job.storage, "net")
    folder.write_job(describe_job(made.job), made.run)
    return folder


def test_a_training_goes_on(plan: MakePlan, begun: TrainFolder) -> None:
    """With the same job, with more epochs, and with what has no effect changed."""
    changes: list[dict[str, Any]] = [
        {},
        {"epochs": 5},
        {"attempts": {"most": 3}, "checkpoints": {"steps": 10}, "epochs": 3},
    ]
    for keys in changes:
        made = plan(**keys)
        check_train_continues(begun, made.job, made.run)


@pytest.mark.parametrize(
    ("keys", "differing"),
    [
        ({"batch": 6}, "batch"),
        ({"workers": 3}, "workers"),
        ({"mode": "averaging", "seed": 2}, "mode and seed"),
        ({"attempts": {"scaling": "none", "most": 3}}, "attempts.scaling"),
        ({"epochs": 1}, "epochs; epochs may only be raised"),
        ({"optimizer": "adam"}, "optimizer"),
        ({"model": {"build": "planned_network:build", "parameters": {"width": 5}}}, "model"),
        ({"data": {**ROWS, "split": {"seed": 3}}}, "data"),
    ],
)
def test_another_training_of_the_same_name(
    plan: MakePlan, begun: TrainFolder, keys: dict[str, Any], differing: str
) -> None:
    """Is refused with what differs, and what to do."""
    made = plan(**keys)
    with pytest.raises(BadInput) as refusal:
        check_train_continues(begun, made.job, made.run)
    assert str(refusal.value) == (
        f"training 'net' exists and was begun with another {differing}; "
        "give this one another name, or start over with --fresh, in a notebook fresh=True"
    )


def test_other_code_is_another_training(plan: MakePlan, begun: TrainFolder, tmp_path: Path) -> None:
    """Though its job is the same, word for word."""
    with (tmp_path / "code" / "planned_network.py").open("a") as file:
        file.write("CHANGED = True\n")
    made = plan()
    with pytest.raises(BadInput, match="was begun with another code and model; give this one another name"):
        check_train_continues(begun, made.job, made.run)


@pytest.mark.parametrize("kind", [StudyFolder, RowsFolder])
def test_a_name_of_another_kind(plan: MakePlan, kind: type[StudyFolder | RowsFolder]) -> None:
    """Is taken."""
    made = plan()
    other = kind(made.job.storage, "net")
    other.write(other.job_file, b"kind: x")
    with pytest.raises(BadInput, match=rf"^name 'net' is a {kind.kind}'s in .*; give the training one of its own$"):
        check_train_continues(TrainFolder(made.job.storage, "net"), made.job, made.run)
