"""Rows of a data frame as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from tinderbox.data import from_arrays
from tinderbox.data.frames import choose_columns, from_table, width_of
from tinderbox.errors import BadInput

TABLE = pa.table(
    {
        "a": pa.array([1, 2, None], pa.int64()),
        "b": pa.array([True, False, True]),
        "c": pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], pa.list_(pa.float32())),
        "kind": pa.array(["cat", "dog", "cat"]),
    }
)


def test_numbers_and_lists_stand_one_after_the_other() -> None:
    """As 32-bit numbers; one that is missing is NaN."""
    found = from_table(pa.concat_tables([TABLE, TABLE]), "kind", ["a", "b", "c"], "frame")
    assert (found["x"].shape, found["x"].dtype) == ((6, 4), np.float32)
    assert found["x"][:2].tolist() == [[1, 1, 1, 2], [2, 0, 3, 4]]
    assert np.isnan(found["x"][2, 0])
    assert found["y"].tolist() == ["cat", "dog", "cat"] * 2


def test_bytes_stay_bytes() -> None:
    """As those of images."""
    table = pa.table({"x": pa.array([[1, 255], [0, 7]], pa.list_(pa.uint8())), "y": [0.5, 1.5]})
    found = from_table(table, "y", ["x"], "frame")
    assert (found["x"].dtype, found["x"].tolist(), found["y"].tolist()) == (np.uint8, [[1, 255], [0, 7]], [0.5, 1.5])


def test_targets_say_what_is_learnt() -> None:
    """Texts, truth values and whole numbers are classes, real numbers quantities."""
    x = [float(n) for n in range(40)]
    targets = {
        "text": ["a", "b"] * 20,
        "whole": pa.array([1, 2] * 20, pa.int32()),
        "truth": [True, False] * 20,
        "real": x,
    }
    learnt = {
        name: from_arrays(from_table(pa.table({"x": x, "y": y}), "y", ["x"], "frame")).classes
        for name, y in targets.items()
    }
    assert learnt == {"text": ["a", "b"], "whole": ["1", "2"], "truth": ["False", "True"], "real": None}


def test_columns_are_chosen() -> None:
    """All but the target, or those that are named, in their order."""
    names = ["a", "y", "b"]
    assert choose_columns(names, "y", None, "frame") == ["a", "b"]
    assert choose_columns(names, "y", ["b", "a"], "frame") == ["b", "a"]


@pytest.mark.parametrize(
    ("names", "target", "features", "sentence"),
    [
        (["a", "y"], None, None, "frame: target must name the column to predict, one of a, y"),
        (["a", "y"], "z", None, "frame: has no column 'z'; it has a, y"),
        (["a", "y"], "y", ["b"], "frame: has no column 'b'; it has a, y"),
        (["a", "y"], "y", ["a", "y"], "frame: features must not list the target 'y', or there is nothing to learn"),
        (["y"], "y", None, "frame: has no column but the target 'y'; add features to learn from"),
        (["a", "y"], "y", [], "frame: has no column but the target 'y'; add features to learn from"),
    ],
)
def test_columns_that_are_not_there(
    names: list[str], target: str | None, features: Sequence[str] | None, sentence: str
) -> None:
    """One sentence says which are."""
    with pytest.raises(BadInput) as refusal:
        choose_columns(names, target, features, "frame")
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (pa.array(["1", "2"]), "frame: feature 'x' must hold numbers, got string; turn it into numbers first"),
        (pa.array([{"v": 1}, {"v": 2}]), "frame: feature 'x' must hold numbers, got struct<v: int64>; turn it"),
        (pa.array([[1, 2], [3]]), "frame: feature 'x' must have 2 numbers in every row, and row 2 has 1"),
    ],
)
def test_features_that_are_no_numbers(column: pa.Array, sentence: str) -> None:
    """Texts, structures, and lists of different lengths."""
    with pytest.raises(BadInput) as refusal:
        from_table(pa.table({"x": column, "y": [1, 2]}), "y", ["x"], "frame")
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (pa.array([1, None]), "frame: target 'y' must have a value in every row, and 1 of 2 have none; fill or remove"),
        (pa.array([[1], [2]]), "frame: target 'y' must hold numbers or texts, got list<item: int64>"),
    ],
)
def test_targets_that_cannot_be(target: pa.Array, sentence: str) -> None:
    """A missing one, and what no model predicts."""
    with pytest.raises(BadInput) as refusal:
        from_table(pa.table({"x": [1.0, 2.0], "y": target}), "y", ["x"], "frame")
    assert str(refusal.value).startswith(sentence)


def test_the_first_row_says_how_wide_a_column_is() -> None:
    """One number, or as many as a list holds."""
    assert [width_of(TABLE.column(name), name, "frame") for name in "abc"] == [1, 1, 2]
