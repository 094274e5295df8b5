"""What a batch inference is to do: model, labels and preprocessing that fit each other, or one sentence."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from tinderbox.api.ending import KERAS_MODEL
from tinderbox.api.inference import InferPlan, beside, make_infer_plan
from tinderbox.api.trained import write_classes
from tinderbox.config import check_infer
from tinderbox.errors import BadInput
from tinderbox.inference.images import Frame
from tinderbox.models.network import load_model
from tinderbox.process import set_threads
from tinderbox.run import Run
from tinderbox.storage import StudyFolder
from tinderbox.storage.training import TrainFolder

set_threads(1)

MakePlan = Callable[..., InferPlan]
PARTS = ("train", "validation", "test")
SHAPES: dict[str, tuple[tuple[int | None, ...], int]] = {
    "color": ((4, 5, 3), 3),
    "binary": ((4, 5, 3), 1),
    "any": ((None, None, 3), 3),
}
"""Models by what they take and how many numbers they give."""


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with untrained models of a few weights."""
    import keras

    folder = tmp_path_factory.mktemp("models")
    for name, (shape, outputs) in SHAPES.items():
        inputs = keras.Input(shape)
        known = None not in shape
        hidden = keras.layers.Flatten()(inputs) if known else keras.ops.mean(inputs, axis=[1, 2])
        keras.Model(inputs, keras.layers.Dense(outputs)(hidden)).save(folder / f"{name}.keras")
    return folder


@pytest.fixture
def plan(models: Path, tmp_path: Path) -> Iterator[MakePlan]:
    """A function that returns the plan of a job in a folder with modules; what was imported is forgotten."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "predicting.py").write_text("def predict(rows): ...\n")
    (tmp_path / "code" / "broken.py").write_text("import no_such_module\n")
    path, loaded = list(sys.path), set(sys.modules)

    def make(model: str | None = "color", /, **changes: Any) -> InferPlan:
        tree: dict[str, Any] = {"kind": "infer", "name": "photos", "input": "photos", "storage": str(tmp_path / "runs")}
        if model is not None:
            tree["model"] = str(models / f"{model}.keras")
        return make_infer_plan(check_infer(tree | changes, "job.yaml"), tmp_path)

    yield make
    sys.path[:] = path
    for name in set(sys.modules) & {"predicting", "broken"} - loaded:
        del sys.modules[name]


def refused(plan: MakePlan, model: str | None = "color", /, **changes: Any) -> str:
    """Return the sentence with which a job is refused."""
    with pytest.raises(BadInput) as refusal:
        plan(model, **changes)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def answers(found: InferPlan, *shape: int) -> Any:
    """Return what the model of a plan gives for a row of zeros but for its first number."""
    assert found.model is not None
    row = np.zeros((1, *shape), np.float32)
    row.flat[0] = 1
    return load_model(found.model)(row).numpy().tolist()


def test_a_model_at_a_path_is_planned_whole(plan: MakePlan, models: Path, tmp_path: Path) -> None:
    """What the job does not say, the model does."""
    found = plan()
    assert found.job.input.path == str(tmp_path / "photos")
    assert found.model is not None
    assert (found.model.form, found.recipe.model) == ("keras", found.model.digest)
    assert found.recipe.frame == Frame(4, 5, 3, "bilinear", "stretch", 100_000_000, 64 << 20)
    assert (found.recipe.labels, found.recipe.is_plain, found.width) == ((), True, 3)
    assert (found.run.name, found.run.code, found.code) == ("photos", found.model.digest, None)


def test_relative_paths_start_from_the_job(models: Path, plan: MakePlan, tmp_path: Path) -> None:
    """The model, its labels and the input lie beside the job file, wherever the command is called."""
    (tmp_path / "here.keras").write_bytes((models / "color.keras").read_bytes())
    (tmp_path / "labels.txt").write_text("a\nb\nc")
    assert plan(None, model="here.keras", labels="./labels.txt", input="../x/*.jpg").job.input.path == str(
        tmp_path.parent / "x" / "*.jpg"
    )
    for path in ("/data/x", "s3a://bucket/x", "file:/data/x"):
        assert beside(tmp_path, path) == path


def test_a_model_at_a_url(models: Path, plan: MakePlan) -> None:
    """It is brought here, packed, and the same as if it had lain here."""
    with fsspec.open("memory://models/far.keras", "wb") as file:
        file.write((models / "color.keras").read_bytes())
    with fsspec.open("memory://models/labels.txt", "wb") as file:
        file.write(b"a\nb\nc\n")
    found = plan(None, model="memory://models/far.keras", labels="memory://models/labels.txt")
    assert found.recipe.labels == ("a", "b", "c")
    assert answers(found, 4, 5, 3) == answers(plan(), 4, 5, 3)
    fsspec.filesystem("memory").store.clear()


def test_an_architecture_and_its_weights(models: Path, plan: MakePlan, tmp_path: Path) -> None:
    """Both are named beside the job."""
    import keras

    model = keras.saving.load_model(models / "color.keras")
    (tmp_path / "m.json").write_text(model.to_json())
    model.save_weights(tmp_path / "m.weights.h5")
    found = plan(None, model={"path": "m.json", "weights": "m.weights.h5"})
    assert answers(found, 4, 5, 3) == answers(plan(), 4, 5, 3)
    assert "needs the HDF5 file of its weights" in refused(plan, None, model={"path": "m.json"})


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_a_winner_of_a_study(kind: str, models: Path, plan: MakePlan, tmp_path: Path) -> None:
    """It is found by the study's name, in the job's storage or another one, wherever that is."""
    storage = str(tmp_path / "studies") if kind == "local" else "memory://studies"
    study = StudyFolder(storage, "digits")
    study.write_job({"kind": "sweep"}, Run("digits", "", "", "", "", {}))
    source = {"study": "digits", "storage": storage}
    assert "study 'digits' has no winner with a Keras model yet; let it end" in refused(plan, None, model=source)
    study.write(KERAS_MODEL, (models / "color.keras").read_bytes())
    assert answers(plan(None, model=source), 4, 5, 3) == answers(plan(), 4, 5, 3)
    assert plan(None, model={"study": "digits"}, storage=storage).version == plan().version
    assert "there is no study 'letters' in" in refused(plan, None, model={**source, "study": "letters"})
    fsspec.filesystem("memory").store.clear()


def test_the_model_of_a_training(models: Path, plan: MakePlan, tmp_path: Path) -> None:
    """It is found by the run's name; its classes are the labels where the job gives none, and there are as many."""
    storage = str(tmp_path / "studies")
    run = TrainFolder(storage, "lenet")
    run.write_job({"kind": "train"}, Run("lenet", "", "", "", "", {}))
    source = {"run": "lenet", "storage": storage}
    assert "training 'lenet' has no model yet; let it end" in refused(plan, None, model=source)
    run.write("model.keras", (models / "color.keras").read_bytes())
    assert answers(plan(None, model=source), 4, 5, 3) == answers(plan(), 4, 5, 3)
    assert plan(None, model={"run": "lenet"}, storage=storage).version == plan(logits=True).version
    write_classes(run, ["cat", "dog", "a/b"])
    assert plan(None, model=source).recipe.labels == ("cat", "dog", "a_b")
    (tmp_path / "labels.txt").write_text("one\ntwo\nthree\n")
    assert plan(None, model=source, labels="labels.txt").recipe.labels == ("one", "two", "three")
    assert plan(None, model=source, task="regression").recipe.labels == ()
    assert plan(None, model=source).recipe.logits
    assert not plan(None, model=source, logits=False).recipe.logits
    write_classes(run, ["cat", "dog"])
    assert plan(None, model=source).recipe.labels == ()
    assert "there is no training 'net' in" in refused(plan, None, model={**source, "run": "net"})


@pytest.mark.parametrize("end", ["softmax", "sigmoid", "linear"])
def test_how_a_trainings_model_ends(end: str, plan: MakePlan, tmp_path: Path) -> None:
    """Says whether it gives logits; one that ends in probabilities needs no softmax."""
    import keras

    run = TrainFolder(str(tmp_path / "studies"), "net")
    run.write_job({"kind": "train"}, Run("net", "", "", "", "", {}))
    model = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(3, end)])
    model.save(run.path("model.keras"))
    made = plan(None, model={"run": "net", "storage": str(tmp_path / "studies")})
    assert made.recipe.logits is (end == "linear")


def test_labels_are_lines(plan: MakePlan, tmp_path: Path) -> None:
    """Other systems' line ends, a mark at the beginning, other alphabets and empty lines at the end do no harm."""
    (tmp_path / "labels.txt").write_bytes("\ufeffzwölf\r\nspotted\u2028cat, big\r\n猫\r\n\r\n".encode())
    assert plan(labels="labels.txt").recipe.labels == ("zwölf", "spotted\u2028cat, big", "猫")
    (tmp_path / "labels.txt").write_text("no\nyes\n")
    assert plan("binary", labels="labels.txt").recipe.labels == ("no", "yes")


@pytest.mark.parametrize(
    ("model", "content", "sentence"),
    [
        ("color", b"a\nb\n", "labels must name the model's 3 classes, one a line, got 2"),
        ("color", b"a\nb\nc\nd", "labels must name the model's 3 classes, one a line, got 4"),
        ("binary", b"a", "labels must name the model's 2 classes, one a line, got 1"),
        ("color", b" \n\n", "labels must be a text with one label a line, got labels.txt, which is empty"),
        ("color", b"\xff\xfe\x00", "labels must be a UTF-8 text with one label a line, got labels.txt: "),
        ("color", None, "labels.txt is not there; give a path or URL that is"),
    ],
)
def test_labels_that_are_none(model: str, content: bytes | None, sentence: str, plan: MakePlan, tmp_path: Path) -> None:
    """A label too few or too many would put a wrong name to each class."""
    if content is not None:
        (tmp_path / "labels.txt").write_bytes(content)
    assert sentence in refused(plan, model, labels="labels.txt")


@pytest.mark.parametrize(
    ("model", "changes", "sentence"),
    [
        (None, {"model": "gone.keras"}, "gone.keras is not there; give a path or URL that is"),
        (None, {"model": "nonsense://gone.keras"}, "nonsense://gone.keras cannot be opened: "),
        (None, {"model": "code/broken.py"}, "is no whole model of a kind known here"),
        (
            "color",
            {"code": "code", "preload": ["broken"]},
            "preload: module broken does not import: ModuleNotFoundError",
        ),
        ("color", {"preload": ["no_such_module"]}, "preload: module no_such_module does not import"),
        ("color", {"code": "nowhere"}, "code must name a folder with your modules"),
        (
            "color",
            {"input": {"source": "data", "data": {"source": "digits"}, "part": "validation"}, "code": "nowhere"},
            "code must name a folder with your modules",
        ),
    ],
)
def test_mistakes_are_told_before_anything_starts(
    model: str | None, changes: dict[str, Any], sentence: str, plan: MakePlan
) -> None:
    """One sentence names both sides of what does not fit."""
    assert sentence in refused(plan, model, **changes)


@pytest.mark.parametrize(
    ("changes", "frame"),
    [
        ({}, None),
        ({"preprocess": {"size": [4, 5]}}, Frame(4, 5, 3)),
        ({"preprocess": {"size": [4, 5], "channels": "gray"}}, Frame(4, 5, 1)),
    ],
)
def test_a_function_of_ones_own(changes: dict[str, Any], frame: Frame | None, plan: MakePlan) -> None:
    """It gets files as they are, or images where the job says how large, and its code is its identity."""
    found = plan(None, code="code", predict="predicting:predict", columns={"size": "int"}, **changes)
    assert (found.model, found.recipe.predict, found.recipe.frame) == (None, "predicting:predict", frame)
    assert found.code is not None
    assert len(found.version) == 64


@pytest.mark.parametrize(
    ("predict", "sentence"),
    [
        ("predicting:guess", "module predicting has no function guess"),
        ("broken:predict", "module broken does not import: ModuleNotFoundError"),
    ],
)
def test_a_function_that_is_not_there(predict: str, sentence: str, plan: MakePlan) -> None:
    """It is looked for before anything starts."""
    assert sentence in refused(plan, None, code="code", predict=predict, columns={"size": "int"})


def test_layers_of_ones_own_are_registered_before_the_model_is_loaded(plan: MakePlan, tmp_path: Path) -> None:
    """Their code is part of the version: the model's file has only their names."""
    import keras

    layer = (
        "import keras\n"
        "@keras.saving.register_keras_serializable('mine')\n"
        "class Twice(keras.layers.Layer):\n"
        "    def call(self, x): return x * 2\n"
    )
    (tmp_path / "code" / "layers_of_mine.py").write_text(layer)
    sys.path.insert(0, str(tmp_path / "code"))
    from layers_of_mine import Twice  # type: ignore[import-not-found]

    keras.Sequential([keras.Input((4, 5, 3)), Twice(), keras.layers.Flatten()]).save(tmp_path / "mine.keras")
    del sys.modules["layers_of_mine"]
    keras.saving.get_custom_objects().clear()
    job: dict[str, Any] = {"model": "mine.keras", "code": "code"}
    assert "which Keras does not know" in refused(plan, None, **job)
    version = plan(None, **job, preload=["layers_of_mine"]).version
    (tmp_path / "code" / "layers_of_mine.py").write_text(layer.replace("* 2", "* 3"))
    assert plan(None, **job, preload=["layers_of_mine"]).version != version
    keras.saving.get_custom_objects().clear()
    del sys.modules["layers_of_mine"]


def test_a_version_is_all_that_an_answer_depends_on(plan: MakePlan, tmp_path: Path) -> None:
    """Rows of another model or preprocessing are not mixed with these; how fast they are made does not matter."""
    (tmp_path / "labels.txt").write_text("a\nb\nc")
    same = [
        plan(),
        plan(batch=7, xla=True, cores=2, slots=3),
        plan(input="other"),
        plan(output={"mode": "overwrite"}),
        plan(name="another"),
        plan(limits={"rows": 5}),
        plan(preprocess={"size": [4, 5], "channels": "rgb", "scale": 1}),
    ]
    assert len({one.version for one in same}) == 1
    other = [
        plan("binary"),
        plan(labels="labels.txt"),
        plan(top=2),
        plan(logits=True),
        plan(truth="folder"),
        plan(task="regression"),
        plan(preprocess={"scale": 2}),
        plan(preprocess={"channels": "bgr"}),
        plan(preprocess={"fit": "crop"}),
        plan(limits={"pixels": 5}),
        plan(output={"format": "csv"}),
    ]
    assert len({same[0].version, *(one.version for one in other)}) == len(other) + 1


def test_images_of_a_data_set(plan: MakePlan) -> None:
    """The part that is held out comes as files whose folders are its true labels, in tables of so many rows."""
    import pyarrow as pa

    digits = {"source": "data", "data": {"source": "digits"}}
    found = plan("any", input=digits, preprocess={"size": [8, 8]}, truth="folder")
    assert found.held is not None
    tables = list(found.held(100))
    assert {len(table) for table in tables[:-1]} == {100}
    rows = pa.concat_tables(tables)
    assert rows["path"][0].as_py().startswith("test/")
    assert len(set(rows["path"].to_pylist())) == len(rows)
    assert rows["content"][0].as_py().startswith(b"\x89PNG")
    cut = plan("any", input=digits, preprocess={"size": [8, 8]}, truth="folder", limits={"rows": 5})
    assert cut.version != found.version


def test_other_data_or_another_kind_of_input_is_another_version(plan: MakePlan, tmp_path: Path) -> None:
    """Micro-batches of changed arrays must not pass for done, nor tars be read on as if they were images."""

    def held(first: int) -> str:
        images = np.arange(first, first + 10 * 4 * 5 * 3).astype(np.uint8).reshape(10, 4, 5, 3)
        np.savez(
            tmp_path / "data.npz", x_train=images, y_train=np.arange(10) % 2, x_test=images, y_test=np.arange(10) % 2
        )
        return plan(input={"source": "data", "data": {"source": "npz", "path": "data.npz"}}).version

    assert held(0) == held(0) != held(1)
    kinds = ("images", "tar", "tfrecord")
    assert len({plan(input={"source": kind, "path": "in"}).version for kind in kinds}) == len(kinds)


def test_code_travels(plan: MakePlan) -> None:
    """Executors get the modules of the folder, the same bytes for the same files."""
    first, second = (plan(code="code").code for _ in range(2))
    assert first is not None
    assert second is not None
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_a_data_set_names_the_classes(plan: MakePlan, tmp_path: Path) -> None:
    """In the model's order, where it tells as many apart and the job gives no labels; truths are called the same."""

    def write(targets: Any) -> None:
        x = np.zeros((3, 4, 5, 3), np.uint8)
        arrays = {f"{axis}_{part}": x if axis == "x" else targets for axis in "xy" for part in PARTS}
        np.savez(tmp_path / "data.npz", **arrays)

    write(np.array(["n/a", "cat", "."]))
    held: dict[str, Any] = {"source": "data", "data": {"source": "npz", "path": "data.npz"}}
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    found = plan(input=held, truth="folder")
    assert found.recipe.labels == ("_", "cat", "n_a")
    assert found.held is not None
    folders = {Path(path).parent.name for table in found.held(10) for path in table["path"].to_pylist()}
    assert folders == {"_", "cat", "n_a"}
    assert plan(input=held, labels="labels.txt").recipe.labels == ("a", "b", "c")
    assert plan("binary", input=held).recipe.labels == ()
    assert plan(input=held, task="regression").recipe.labels == ()
    write(np.arange(7, 10))
    assert plan(input=held).recipe.labels == ("7", "8", "9"), "classes that do not count from zero"
