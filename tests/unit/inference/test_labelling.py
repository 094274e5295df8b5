"""Rows in, rows out, in one process: the model loaded once, and each row with its own label."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tinderbox.inference import labelling
from tinderbox.inference.blocks import Block, Mistake, Picture, number_blocks, picture_blocks
from tinderbox.inference.engine import Engine
from tinderbox.inference.images import Frame
from tinderbox.inference.labelling import Labeller, find_labeller
from tinderbox.inference.recipe import Recipe
from tinderbox.models.network import Network, PackedModel, load_model, pack_model

FRAME = Frame(2, 2, 1)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    """A Keras model that doubles the sum of two numbers."""
    import keras

    dense = keras.layers.Dense(1, kernel_initializer="ones", use_bias=False)
    path = tmp_path_factory.mktemp("models") / "double.keras"
    keras.Sequential([keras.Input((2,)), dense, keras.layers.Rescaling(2.0)]).save(path)
    return pack_model(path)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """No process has loaded anything yet."""
    labelling._LOADED.clear()
    yield
    labelling._LOADED.clear()


def picks(shape: tuple[int, ...]) -> Network:
    """Return a network of 256 classes, whose class is the value of an image's first pixel."""
    import tensorflow as tf

    return Network(shape, "float32", 256, lambda batch: tf.one_hot(tf.cast(batch[:, 0, 0, 0], tf.int32), 256))


@pytest.mark.parametrize("xla", [False, True])
def test_each_path_is_labelled_by_its_own_image(
    xla: bool, picture: Callable[[int], Picture], threads: ThreadPoolExecutor
) -> None:
    """Over many blocks, with threads, broken images in between and a last block that is not full."""
    pictures = [Picture(f"{n}", b"no image") if n % 9 == 4 else picture(n) for n in range(250)]
    labeller = Labeller(Engine(picks((2, 2, 1)), Recipe("m", frame=FRAME, top=1, batch=16, xla=xla)))
    rows = [
        row
        for table in labeller.label(picture_blocks(pictures, FRAME, 16, threads), "node-a")
        for row in table.to_pylist()
    ]
    assert sorted(row["path"] for row in rows) == sorted(one.path for one in pictures)
    for row in rows:
        assert row["path"] == (f"/images/{row['label']}.png" if row["error"] is None else row["path"])
        assert (row["error"] is None) == row["path"].startswith("/images/")
    assert sum(row["error"] is not None for row in rows) == sum(n % 9 == 4 for n in range(250))


def test_a_worker_shows_a_few_images_of_each_label(
    picture: Callable[[int], Picture], threads: ThreadPoolExecutor
) -> None:
    """The report has samples of each label; no more are made than it needs, whatever the number of tasks."""
    labeller = Labeller(Engine(picks((2, 2, 1)), Recipe("m", frame=FRAME, top=1, batch=4, samples=3)))
    shown = []
    for _ in range(2):
        for table in labeller.label(picture_blocks(map(picture, [7, 8] * 5), FRAME, 4, threads), "node-a"):
            shown += [row["label"] for row in table.to_pylist() if row["thumbnail"]]
    assert sorted(shown) == ["7"] * 3 + ["8"] * 3


def test_a_model_answers_rows_of_numbers(packed: PackedModel) -> None:
    """A regression has values, in rows with a digest, a node and a time; broken rows have none."""
    table = pa.RecordBatch.from_pydict(
        {"path": ["a", "b", "c"], "x": [1.0, None, 5.0], "y": [2.0, 3.0, 6.0]},
        pa.schema({"path": pa.string(), "x": pa.float32(), "y": pa.float32()}),
    )
    labeller = find_labeller(Recipe("m", regression=True, features=("x", "y"), batch=2), lambda: packed)
    rows = [row for made in labeller.label(number_blocks([table], ["x", "y"], 2), "node-a") for row in made.to_pylist()]
    assert [(row["path"], row["values"], row["reason"]) for row in rows] == [
        ("a", [6.0], None),
        ("b", None, "wrong_values"),
        ("c", [22.0], None),
    ]
    assert {(row["model"], row["node"], row["milliseconds"] > 0) for row in rows} == {("m", "node-a", True)}


def test_an_answer_that_is_no_number_is_a_mistake(packed: PackedModel) -> None:
    """A row that overflows the network says so, and the others of its batch keep their own answers."""
    schema = pa.schema({"path": pa.string(), "x": pa.float32(), "y": pa.float32()})
    table = pa.RecordBatch.from_pydict({"path": ["a", "b", "c"], "x": [1.0, 3e38, 5.0], "y": [2.0, 3e38, 6.0]}, schema)
    labeller = find_labeller(Recipe("m", regression=True, features=("x", "y"), batch=3), lambda: packed)
    rows = [row for made in labeller.label(number_blocks([table], ["x", "y"], 3), "n") for row in made.to_pylist()]
    assert [(row["path"], row["values"], row["reason"]) for row in rows] == [
        ("a", [6.0], None),
        ("c", [22.0], None),
        ("b", None, "failed"),
    ]
    assert rows[2]["error"].startswith("the model's answer is no finite number")


def test_no_rows_and_blocks_of_broken_rows() -> None:
    """Nothing comes of nothing, and the network is not asked about a block in which all is broken."""
    labeller = Labeller(Engine(picks((2, 2, 1)), Recipe("m", frame=FRAME)))
    labeller.engine = None  # type: ignore[assignment]
    assert list(labeller.label([], "node-a")) == []
    broken = Block([], np.empty((0, 2, 2, 1), np.uint8), [Mistake("a", "empty", "it is empty")])
    (made,) = labeller.label([broken], "node-a")
    assert made.column("label").to_pylist() == [None]


def test_a_model_is_loaded_once_for_each_recipe(packed: PackedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that gets another task keeps its model, and one that gets another recipe has one model, not two."""
    loads: list[Any] = []

    def count(model: PackedModel) -> Network:
        loads.append(model)
        return load_model(model)

    monkeypatch.setattr(labelling, "load_model", count)
    recipe, other = (Recipe("m", regression=True, features=("x", "y"), batch=batch) for batch in (2, 3))
    first = find_labeller(recipe, lambda: packed)
    assert find_labeller(Recipe("m", regression=True, features=("x", "y"), batch=2), lambda: packed) is first
    assert find_labeller(other, lambda: packed) is not first
    assert (len(loads), list(labelling._LOADED)) == (2, [other])


def test_modules_of_the_users_are_imported_before_a_model_is_loaded(
    packed: PackedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They register layers."""
    (tmp_path / "registering.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    def check(model: PackedModel) -> Network:
        assert "registering" in sys.modules
        return load_model(model)

    monkeypatch.setattr(labelling, "load_model", check)
    find_labeller(Recipe("m", regression=True, features=("x", "y"), preload=("registering",)), lambda: packed)
    del sys.modules["registering"]
