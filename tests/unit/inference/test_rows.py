"""What comes out: each path with what was predicted for it, and what is broken with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tinderbox.inference.blocks import Block, Mistake
from tinderbox.inference.engine import Predictions
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import make_batch, schema, tell

SCORES = np.array([[0.75, 0.25], [0.5, 0.375]], np.float32)
CLASSES = np.array([[2, 0], [1, 2]], np.int32)
PLACE = {"model": "m" * 64, "node": "node-a"}


def block(paths: list[Any], *mistakes: Mistake) -> Block:
    """Return a block whose values do not matter any more."""
    return Block(paths, np.zeros((len(paths), 1)), list(mistakes))


def test_classes_are_called_by_their_labels() -> None:
    """Each row has its best label beside all of them, the best first."""
    assert tell(Predictions(SCORES, CLASSES), Recipe("m", labels=("cat", "dog", "fox")))["labels"] == [
        ["fox", "cat"],
        ["dog", "fox"],
    ]
    told = tell(Predictions(SCORES, CLASSES), Recipe("m"))
    assert told["label"] == ["2", "1"]
    assert told["probability"] == [0.75, 0.5]


def test_rows_of_a_classification() -> None:
    """Predictions come first, then mistakes, each with its path; what was not predicted is null."""
    told = tell(Predictions(SCORES, CLASSES), Recipe("m"))
    some = block(["/x/a.png", "/y/b.png"], Mistake("/x/c.png", "empty", "the file is empty"))
    made = make_batch(schema(regression=False), some, told, 0.3, PLACE, [b"jpeg", None], truth=True)
    assert made.schema == schema(regression=False)
    shared = {**PLACE, "milliseconds": np.float32(100.0)}
    best = {"label": "2", "probability": 0.75, "labels": ["2", "0"], "probabilities": [0.75, 0.25]}
    second = {"label": "1", "probability": 0.5, "labels": ["1", "2"], "probabilities": [0.5, 0.375]}
    right = {"error": None, "reason": None}
    wrong = {"error": "the file is empty", "reason": "empty", **dict.fromkeys(best)}
    assert made.to_pylist() == [
        {"path": "/x/a.png", **best, "truth": "x", **right, **shared, "thumbnail": b"jpeg"},
        {"path": "/y/b.png", **second, "truth": "y", **right, **shared, "thumbnail": None},
        {"path": "/x/c.png", "truth": "x", **wrong, **shared, "thumbnail": None},
    ]


def test_rows_of_a_regression() -> None:
    """Values take the place of labels, and numbers that are not finite stay what they are."""
    scores = np.array([[1, np.inf], [2, -4]], np.float32)
    told = tell(Predictions(scores, None), Recipe("m", regression=True))
    made = make_batch(schema(regression=True), block(["a", "b"]), told, 0.0, PLACE)
    assert made.column("values").to_pylist() == [[1, float("inf")], [2, -4]]
    assert "label" not in made.schema.names


def test_rows_of_a_block_in_which_all_is_broken() -> None:
    """Nothing was predicted, and the columns are the same."""
    empty: dict[str, list[Any]] = {"label": [], "probability": [], "labels": [], "probabilities": []}
    made = make_batch(schema(False), block([], Mistake("a", "empty", "it is empty")), empty, 1.0, PLACE)
    assert made.column("error").to_pylist() == ["it is empty"]
    assert make_batch(schema(False), block([]), empty, 1.0, PLACE).num_rows == 0


def test_columns_of_ones_own() -> None:
    """They stand beside path and error, in the place of predictions."""
    own = pa.schema({"count": pa.int32(), "words": pa.list_(pa.string())})
    told: dict[str, list[Any]] = {"count": [3, None], "words": [["a"], []]}
    made = make_batch(schema(False, own), block(["a", "b"], Mistake("c", "failed", "no")), told, 1.0, PLACE)
    assert made.schema.names[:3] == ["path", "count", "words"]
    assert made.column("count").to_pylist() == [3, None, None]
    assert made.column("words").to_pylist() == [["a"], [], None]


def test_a_path_may_be_null_or_not_utf_8() -> None:
    """A key may be null in a table, and names in archives are any bytes: no task fails for it."""
    some = block([None, "caf\udce9/é.png"], Mistake("x\udcff.png", "failed", "predict: ValueError: \udcff"))
    told = tell(Predictions(SCORES, CLASSES), Recipe("m"))
    made = make_batch(schema(False), some, told, 1.0, PLACE, truth=True)
    assert made.column("path").to_pylist() == [None, "caf?/é.png", "x?.png"]
    assert made.column("truth").to_pylist() == [None, "caf?", ""]
    assert made.column("error").to_pylist()[-1] == "predict: ValueError: ?"
