"""Tables: columns chosen, checked and turned into arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from tinderbox.config import Table
from tinderbox.data.tables import read_table
from tinderbox.errors import BadInput

FRAME = pd.DataFrame(
    {"width": [1, 2, 3], "height": [0.5, np.nan, 1.5], "big": [True, False, True], "kind": ["a", "b", "a"]}
)


def _write(frame: pd.DataFrame, folder: Path, source: str) -> Path:
    path = folder / f"rows.{source}"
    if source == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def _read(path: Path, source: Literal["csv", "parquet"] = "csv", **keys: Any) -> dict[str, np.ndarray]:
    return read_table(path, Table(source=source, path=path.name, **{"target": "kind"} | keys))


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_all_other_columns_are_features(tmp_path: Path, source: Literal["csv", "parquet"]) -> None:
    """Without a list all columns but the target are used, as 32-bit numbers; a gap is NaN."""
    arrays = _read(_write(FRAME, tmp_path, source), source)
    assert arrays["x"].dtype == np.float32
    np.testing.assert_array_equal(arrays["x"], np.array([[1, 0.5, 1], [2, np.nan, 0], [3, 1.5, 1]], np.float32))
    assert arrays["y"].tolist() == ["a", "b", "a"]


def test_listed_columns_are_used_in_their_order(tmp_path: Path) -> None:
    """A list of features decides which columns are used, and a text column beside them does no harm."""
    arrays = _read(_write(FRAME, tmp_path, "csv"), target="width", features=["big", "height"])
    assert arrays["x"][0].tolist() == [1, 0.5]
    assert arrays["y"].tolist() == [1, 2, 3]


def test_nullable_columns_of_parquet_are_numbers(tmp_path: Path) -> None:
    """Whole numbers with gaps, which pandas keeps in a type of its own, become NaN where there is none."""
    frame = FRAME.assign(width=pd.array([1, None, 3], dtype="Int64"), kind=pd.array([1, 0, 1], dtype="Int64"))
    arrays = _read(_write(frame, tmp_path, "parquet"), "parquet")
    np.testing.assert_array_equal(arrays["x"][:, 0], np.array([1, np.nan, 3], np.float32))
    assert arrays["y"].dtype == np.int64


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"target": "price"}, "has no column 'price'; it has width, height, big, kind"),
        ({"features": ["depth"]}, "has no column 'depth'; it has width, height, big, kind"),
        ({"features": ["width", "kind"]}, "features must not list the target 'kind'"),
        ({"target": "width"}, "feature 'kind' must be numeric, got object such as 'a'; turn it into numbers, or list"),
        (
            {"target": "height"},
            "target 'height' must have a value in every row, and 1 of 3 have none (the first is row 2)",
        ),
    ],
)
def test_wrong_columns_are_refused(tmp_path: Path, keys: dict[str, Any], sentence: str) -> None:
    """Each mistake about columns is one sentence that names the column."""
    path = _write(FRAME if keys.get("target") != "height" else FRAME.drop(columns="kind"), tmp_path, "csv")
    with pytest.raises(BadInput) as caught:
        _read(path, **keys)
    assert str(caught.value).startswith(f"{path}: {sentence}")


def test_text_among_numbers_is_shown(tmp_path: Path) -> None:
    """A column that a single text makes unusable is refused with that text."""
    path = tmp_path / "rows.csv"
    path.write_text("width,kind\n1,a\n2,b\nn.a.?,a\n")
    with pytest.raises(BadInput, match=r"feature 'width' must be numeric, got object such as 'n\.a\.\?'"):
        _read(path)


def test_target_alone_is_refused(tmp_path: Path) -> None:
    """A table with nothing to learn from is refused."""
    with pytest.raises(BadInput, match="has no column but the target 'kind'"):
        _read(_write(FRAME[["kind"]], tmp_path, "csv"))


@pytest.mark.parametrize(
    ("source", "content"), [("csv", b""), ("csv", b'a,b\n1,"2\n'), ("csv", b"a,b\n\xff\xfe\n"), ("parquet", b"PAR1")]
)
def test_broken_file_is_refused(tmp_path: Path, source: Literal["csv", "parquet"], content: bytes) -> None:
    """A file that is no table is refused with its name."""
    path = tmp_path / f"rows.{source}"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"rows\.{source}: cannot be read: "):
        _read(path, source)


@pytest.mark.parametrize("source", ["csv", "parquet"])
def test_missing_file_is_refused(tmp_path: Path, source: Literal["csv", "parquet"]) -> None:
    """A file that is not there is refused with its name."""
    with pytest.raises(BadInput, match=rf"rows\.{source}: does not exist"):
        _read(tmp_path / f"rows.{source}", source)
