"""A user's own function: rows that it fails on are told, and the others do not suffer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tinderbox.inference.blocks import Block, Mistake
from tinderbox.inference.own import OwnLabeller

OWN = pa.schema({"size": pa.int32(), "word": pa.string()})
Rows = list[dict[str, Any]]
Label = Callable[..., list[dict[str, Any]]]


def block(*contents: bytes) -> Block:
    """Return a block of files, and a broken one."""
    values = np.empty(len(contents), object)
    values[:] = list(contents)
    return Block([f"{index}" for index in range(len(contents))], values, [Mistake("broken", "empty", "it is empty")])


@pytest.fixture
def label(monkeypatch: pytest.MonkeyPatch) -> Label:
    """A function that labels three files with a function, and returns the rows as they lie in the block."""

    def run(predict: Callable[[Rows], Any], contents: tuple[bytes, ...] = (b"a", b"bb", b"ccc")) -> Rows:
        module = ModuleType("predicting")
        module.predict = predict  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "predicting", module)
        labeller = OwnLabeller("predicting:predict", "content", OWN, "m")
        return [row for table in labeller.label([block(*contents)], "node-a") for row in table.to_pylist()]

    return run


def told(rows: Rows) -> list[tuple[Any, ...]]:
    """Return what is told of each row."""
    return [(row["path"], row["size"], row["word"], row["error"]) for row in rows]


BROKEN = ("broken", None, None, "it is empty")


def test_a_function_takes_the_place_of_a_model(label: Label) -> None:
    """It gets all rows of a block at once, and its answers stand beside their paths."""
    calls: list[int] = []

    def predict(rows: Rows) -> Iterator[dict[str, Any]]:
        calls.append(len(rows))
        for row in rows:
            assert set(row) == {"path", "content"}
            yield {"size": len(row["content"]), "word": row["path"] + "é"}

    rows = label(predict)
    assert told(rows) == [("0", 1, "0é", None), ("1", 2, "1é", None), ("2", 3, "2é", None), BROKEN]
    assert calls == [3]
    assert {(row["model"], row["node"]) for row in rows} == {("m", "node-a")}


def test_an_answer_may_leave_columns_out(label: Label) -> None:
    """What it does not say is null."""
    assert told(label(lambda rows: [{"size": np.int64(1)} for _ in rows]))[0] == ("0", 1, None, None)


def test_a_row_that_it_raises_for_does_not_spoil_the_others(label: Label) -> None:
    """Rows are given to it one by one then; the one to blame has one line that says why, of bounded length."""

    def predict(rows: Rows) -> list[dict[str, Any]]:
        if any(row["content"] == b"bb" for row in rows):
            raise ValueError("first line\nsecond " + "long " * 1000)
        return [{"size": len(row["content"])} for row in rows]

    first, third, broken, second = label(predict)
    assert told([first, third, broken]) == [("0", 1, None, None), ("2", 3, None, None), BROKEN]
    assert (second["path"], second["size"], second["reason"]) == ("1", None, "failed")
    assert second["error"].startswith("predict: ValueError: first line second long")
    assert len(second["error"]) <= 500


def test_a_function_that_changes_its_rows_gets_them_whole_again(label: Label) -> None:
    """What it takes out of a row is there when the row is given to it once more."""

    def predict(rows: Rows) -> list[dict[str, Any]]:
        contents = [(row.pop("path"), row.pop("content")) for row in rows]
        if len(rows) > 1:
            raise ValueError("no")
        return [{"size": len(content), "word": path} for path, content in contents]

    assert told(label(predict)) == [("0", 1, "0", None), ("1", 2, "1", None), ("2", 3, "2", None), BROKEN]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "'NoneType' object is not iterable"),
        ([], "predict must return one mapping for each of the 1 rows, got 0"),
        ([{"size": 1}] * 9, "predict must return one mapping for each of the 1 rows, got 9"),
        ({"size": 1}, "predict must return mappings of size, word, got 'size'"),
        ([{"size": 1, "sise": 2}], "predict must return mappings of size, word, got {'size': 1, 'sise': 2}"),
        (["size"], "predict must return mappings of size, word, got 'size'"),
        ([{"size": "many"}], "size must be int32: "),
        ([{"size": 1.5}], "size must be int32, got [1.5]"),
        ([{"size": 2**40}], "size must be int32: "),
        ([{"word": 5}], "word must be string: Expected bytes, got a 'int' object"),
        ([{"word": "\udcff"}], "word must be string: "),
    ],
)
def test_answers_that_are_none_are_told(answer: Any, sentence: str, label: Label) -> None:
    """Too few, too many, of other names or of other types: each row has an error, and no task fails."""
    rows = label(lambda rows: answer)
    assert told(rows)[0] == BROKEN
    assert [row["reason"] for row in rows[1:]] == ["failed"] * 3
    assert sentence in rows[1]["error"]


def test_blocks_in_which_all_is_broken_are_not_given_to_it(label: Label) -> None:
    """There is nothing to predict."""

    def predict(rows: Rows) -> list[dict[str, Any]]:
        raise AssertionError(rows)

    assert told(label(predict, ())) == [BROKEN]
