"""Rows as Parquet, CSV and JSON lines, and what is read of them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinderbox.storage.formats import encode, paths_of

ROWS = pa.table(
    {
        "path": ["a", "b", "c", None],
        "label": ["cat", "", "dog", None],
        "probability": pa.array([0.75, np.nan, np.inf, None], pa.float32(), from_pandas=False),
        "labels": pa.array([["cat", "dog"], ["", "x,y"], ["dog", None], None], pa.list_(pa.string())),
        "probabilities": pa.array([[0.75, 0.25], [np.nan, 0.5], [1e-12, 1.0], None], pa.list_(pa.float32())),
        "count": pa.array([2**60 + 1, None, -1, 0], pa.int64()),
        "good": pa.array([True, None, False, None]),
    }
)


def test_lines_of_json() -> None:
    """Each line is JSON by itself: integers stay whole, small numbers small, and what JSON does not have is null."""
    lines = encode(ROWS, "jsonl", 2).decode().splitlines()
    refuse: Callable[[str], Any] = lambda name: pytest.fail(name)  # noqa: E731
    found = [json.loads(line, parse_constant=refuse) for line in lines]
    small = float(np.float32(1e-12))
    assert [list(row.values()) for row in found] == [
        ["a", "cat", 0.75, ["cat", "dog"], [0.75, 0.25], 2**60 + 1, True],
        ["b", "", None, ["", "x,y"], [None, 0.5], None, None],
        ["c", "dog", None, ["dog", None], [small, 1.0], -1, False],
        [None, None, None, None, None, 0, None],
    ]
    assert encode(ROWS[:0], "jsonl", 2) == b""


def test_lines_of_json_hold_types_of_ones_own() -> None:
    """Bytes, times, decimals, and structures of them have a text, and no row is lost for them."""
    import datetime
    import decimal

    columns = pa.table(
        {
            "raw": pa.array([b"\xff\x00", None], pa.binary()),
            "when": pa.array([datetime.date(2026, 1, 2), None]),
            "sum": pa.array([decimal.Decimal("1.50"), None]),
            "box": pa.array([{"x": 1, "y": [np.nan]}, None], pa.struct({"x": pa.int32(), "y": pa.list_(pa.float32())})),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
        }
    )
    first, second = map(json.loads, encode(columns, "jsonl", 0).decode().splitlines())
    assert first == {
        "raw": "/wA=",
        "when": "2026-01-02",
        "sum": "1.50",
        "box": {"x": 1, "y": [None]},
        "map": [["k", 1]],
    }
    assert set(second.values()) == {None}


def test_lists_are_columns_of_csv() -> None:
    """The best label is `labels_1`, and a row without any has nothing there."""
    text = encode(ROWS, "csv", 2).decode()
    assert text.splitlines() == [
        '"path","label","probability","labels_1","labels_2","probabilities_1","probabilities_2","count","good"',
        '"a","cat",0.75,"cat","dog",0.75,0.25,1152921504606846977,true',
        '"b","",nan,"","x,y",nan,0.5,,',
        '"c","dog",inf,"dog",,1e-12,1,-1,false',
        ",,,,,,,0,",
    ]


def test_all_csv_files_have_the_same_columns() -> None:
    """Readers put the files of a folder together by the places of columns, also where all rows of one are broken."""
    header = encode(ROWS, "csv", 2).splitlines()[0]
    assert encode(ROWS[3:], "csv", 2).splitlines()[0] == header
    assert encode(ROWS[:0], "csv", 2).splitlines() == [header]


def test_parquet_keeps_all_types() -> None:
    """Rows are the same when they are read, in as little space as Parquet needs."""
    found = pq.read_table(pa.BufferReader(encode(ROWS, "parquet", 2)))
    assert found.schema == ROWS.schema
    assert str(found.to_pylist()) == str(ROWS.to_pylist())  # NaN is not equal to itself


LARGE = pa.table({"path": ["/a", '/two\nlines, "x"', "/c"], "text": ["x" * (3 << 20), "y\n", '"'], "count": [1, 2, 3]})
MANY = pa.table({"path": [f"/d/{number}\n.png" for number in range(40_000)], "text": ["x" * 60] * 40_000})
OWN = pa.table({"path": ["/a"], "text": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32()))})


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("rows", [ROWS, ROWS[:0], LARGE, MANY], ids=["rows", "none", "large", "many"])
def test_paths_are_read_again(rows: pa.Table, suffix: str) -> None:
    """Also beside values that are larger than the blocks of 1 MiB that Arrow reads, and from several of these."""
    found = paths_of(encode(rows, suffix, 2), suffix)
    assert found == [path or "" if suffix == "csv" else path for path in rows["path"].to_pylist()]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_paths_beside_types_of_ones_own(suffix: str) -> None:
    """A list of texts and numbers, as a map is in JSON, has no type in Arrow."""
    assert paths_of(encode(OWN, suffix, 0), suffix) == ["/a"]
