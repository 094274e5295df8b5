"""What the driver finds in tables, and how it refuses what no worker could use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tinderbox.config import Digits, Sharded
from tinderbox.data import Doors, Shards, load, plan_shards
from tinderbox.data import surveying as module
from tinderbox.errors import BadInput
from tinderbox.storage.fetching import listed, opened

FRAME = pd.DataFrame({"a": np.arange(40) / 4, "b": np.arange(40), "y": [row % 3 for row in range(40)]})
Task = Any


def plan(folder: Path, task: Task = "auto", **keys: Any) -> Shards:
    """The tables below a folder, planned."""
    tree = {"source": "shards", "path": ".", "target": "y", "validation": 0.3} | keys
    return plan_shards(Sharded.model_validate(tree), folder, Doors(listed, opened), task)


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a table, as what its name says."""
    path.parent.mkdir(exist_ok=True)
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path, index=False)


@pytest.fixture(params=["parquet", "csv"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each format."""
    return str(request.param)


@pytest.mark.parametrize(
    ("targets", "task", "classes"),
    [
        ([2, 10, 1], "auto", ("1", "2", "10")),
        (["b", "a", "c"], "auto", ("a", "b", "c")),
        ([True, False, True], "auto", ("False", "True")),
        ([0.5, 1.5, 2.5], "auto", None),
        ([1, 2, 3], "regression", None),
        ([2, 10, 1], "classification", ("1", "2", "10")),
    ],
)
def test_what_targets_are(
    tmp_path: Path, kind: str, targets: list[Any], task: Task, classes: tuple[str, ...] | None
) -> None:
    """As in a data set in memory: whole numbers and texts are classes, real numbers quantities, but a task may say."""
    write(FRAME.assign(y=[targets[row % 3] for row in range(40)]), tmp_path / f"a.{kind}")
    shards = plan(tmp_path, task)
    assert shards.classes == classes
    examples = shards.read(0, 1, tmp_path / "scratch").train
    for row, label in zip(examples.x[:, 1], examples.y, strict=True):
        expected = targets[int(row) % 3]
        assert label == expected if classes is None else classes[label] == str(expected)


def test_classes_of_all_files_are_found(tmp_path: Path, kind: str) -> None:
    """And are the same however many there are in one of them."""
    for number in range(4):
        write(FRAME.assign(y=f"only-{number}"), tmp_path / f"{number}.{kind}")
    assert plan(tmp_path).classes == ("only-0", "only-1", "only-2", "only-3")


def test_classes_may_be_listed_in_an_order(tmp_path: Path, kind: str) -> None:
    """One that no row has is among them all the same."""
    write(FRAME, tmp_path / f"a.{kind}")
    shards = plan(tmp_path, classes=[2, 7, 0, 1])
    assert shards.classes == ("2", "7", "0", "1")
    examples = shards.read(0, 1, tmp_path / "scratch").train
    assert [("2", "7", "0", "1")[label] for label in examples.y] == [str(int(row) % 3) for row in examples.x[:, 1]]


@pytest.mark.parametrize(("late", "classes"), [("0.5", None), ("x", 4)])
def test_a_late_row_of_a_csv_file_says_what_its_target_is(tmp_path: Path, late: str, classes: int | None) -> None:
    """Though all rows of the first block, of 1 MiB, were whole numbers."""
    rows = "".join(f"{row}{'0' * 40},{row % 3}\n" for row in range(40_000))
    (tmp_path / "a.csv").write_text(f"a,y\n{rows}1,{late}\n")
    found = plan(tmp_path).classes
    assert found == (None if classes is None else ("0", "1", "2", "x"))


def test_features_are_all_others_or_those_listed(tmp_path: Path, kind: str) -> None:
    """In their order; gaps are NaN, and truth values are numbers."""
    gaps = [None, *range(1, 40)]
    write(FRAME.assign(a=gaps, c=[row % 2 == 0 for row in range(40)]), tmp_path / f"a.{kind}")
    assert [column.name for column in plan(tmp_path).features] == ["a", "b", "c"]
    data = plan(tmp_path, features=["c", "a", "b"]).read(0, 1, tmp_path / "scratch")
    found = sorted(np.concatenate([data.train.x, data.validation.x]).tolist(), key=lambda row: row[2])
    expected = [[row % 2 == 0, row or np.nan, row] for row in range(40)]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("change", "keys", "sentence"),
    [
        (lambda frame: frame.drop(columns="y"), {}, "has no column 'y'; it has a, b"),
        (lambda frame: frame, {"features": ["a", "z"]}, "has no column 'z'; it has a, b, y"),
        (lambda frame: frame[["y"]], {}, "has no column but the target 'y'"),
        (lambda frame: frame.assign(a="x"), {}, "feature 'a' must hold numbers, got "),
        (
            lambda frame: frame.assign(y=[None, *["x"] * 39]),
            {},
            "target 'y' must have a value in every row, and in row 1",
        ),
        (
            lambda frame: frame.assign(y=[0.5, None, *[1.5] * 38]),
            {},
            "target 'y' must have a value in every row, and in row 2",
        ),
        (lambda frame: frame.assign(y=[0.5, np.inf, *[1.5] * 38]), {}, "target 'y' must be finite, got inf in row 2"),
        (lambda frame: frame.assign(y="x"), {"task": "regression"}, "target 'y' must hold numbers for a regression"),
        (lambda frame: frame.assign(y=0.5), {"task": "classification"}, "holds real numbers, which are no classes"),
        (lambda frame: frame, {"classes": ["0", "1"]}, "must be one of the classes 0, 1, got 2; add what is missing"),
        (lambda frame: frame, {"shape": [2, 2]}, r"shape must be one of the 2 numbers in an example, got \[2, 2\]"),
        (lambda frame: frame[:0], {}, "must hold rows to train on, and has 0 for validation"),
        (lambda frame: frame[:2], {"validation": 1e-9}, "a share of 1e-09 of 2 rows is none; give more of them"),
    ],
)
def test_what_no_worker_could_use_is_refused(
    tmp_path: Path, kind: str, change: Callable[[pd.DataFrame], pd.DataFrame], keys: dict[str, Any], sentence: str
) -> None:
    """In one sentence, before anything starts."""
    write(change(FRAME), tmp_path / f"a.{kind}")
    with pytest.raises(BadInput, match=sentence) as refusal:
        plan(tmp_path, **keys)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 and so on PAR1", b"PAR1"])
def test_a_damaged_parquet_file_is_named(tmp_path: Path, content: bytes) -> None:
    """Whichever it is of many."""
    write(FRAME, tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(content)
    with pytest.raises(BadInput, match=r"b\.parquet cannot be read: .*; write it anew, or leave it out$"):
        plan(tmp_path)


def test_damage_in_the_rows_is_told_by_the_worker_that_reads_them(tmp_path: Path) -> None:
    """Of a feature, which the driver has not read."""
    write(FRAME.assign(a=np.random.default_rng(0).normal(size=40)), tmp_path / "a.parquet")
    shards = plan(tmp_path)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[20:200] = bytes(180)
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.parquet cannot be read: "):
        shards.read(0, 1, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("1,2", "cannot be read: CSV parse error: .*Expected 3 columns, got 2"),
        ("1,x,0", "cannot be read: In CSV column .*invalid value 'x'; write it anew"),
    ],
)
def test_a_damaged_csv_file_is_named(tmp_path: Path, row: str, sentence: str) -> None:
    """A row that is too short, or has a text where numbers were before, is met before anything starts."""
    write(FRAME, tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("a,b,y\n" + "1,2,0\n" * 300_000 + f"{row}\n")
    with pytest.raises(BadInput, match=rf"b\.csv {sentence}"):
        plan(tmp_path)


def test_a_column_that_one_file_lacks_is_told_of(tmp_path: Path, kind: str) -> None:
    """With that file's name."""
    write(FRAME, tmp_path / f"a.{kind}")
    write(FRAME.drop(columns="b"), tmp_path / f"b.{kind}")
    with pytest.raises(BadInput, match=rf"b\.{kind}: has no column 'b'"):
        plan(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (["x"] * 40, [1] * 40, "must be the same in all files, got text and whole"),
        ([[1]] * 40, [1] * 40, r"a\.parquet: target 'y' must hold numbers or texts, got list"),
    ],
)
def test_targets_are_alike_in_all_files(tmp_path: Path, first: list[Any], second: list[Any], sentence: str) -> None:
    """Types of Parquet files say so before anything is read."""
    write(FRAME.assign(y=first), tmp_path / "a.parquet")
    write(FRAME.assign(y=second), tmp_path / "b.parquet")
    with pytest.raises(BadInput, match=sentence):
        plan(tmp_path)


def test_lists_of_other_lengths_are_told_with_their_row(tmp_path: Path) -> None:
    """A list that is not there, too."""
    for wrong, length in (([1.0], 1), (None, 0)):
        write(FRAME.assign(a=[[1.0, 2.0], wrong, *[[3.0, 4.0]] * 38]), tmp_path / "a.parquet")
        with pytest.raises(BadInput, match=f"feature 'a' must have 2 numbers in every row, and row 2 has {length}"):
            plan(tmp_path).read(0, 1, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("names", "keys", "sentence"),
    [
        (["a.csv", "b.parquet"], {}, "of one kind, got both; say its format"),
        (["notes.csv.txt"], {}, r"got names such as notes\.csv\.txt; say its format"),
        ([], {}, "got no files; say its format"),
        ([], {"path": "none"}, "none is not there; give a path or URL that is"),
        ([], {"path": "*.csv"}, r"\*\.csv is not there"),
        ([], {"path": "odd://a"}, "odd://a cannot be opened"),
    ],
)
def test_files_that_cannot_be_found_are_told(
    tmp_path: Path, names: list[str], keys: dict[str, Any], sentence: str
) -> None:
    """What was looked for, and what is there."""
    for name in names:
        FRAME.to_csv(tmp_path / name, index=False)
    with pytest.raises(BadInput, match=sentence):
        plan(tmp_path, **keys)


def test_other_files_in_a_folder_do_no_harm(tmp_path: Path, kind: str) -> None:
    """What Spark leaves beside rows, and a note."""
    write(FRAME, tmp_path / f"a.{kind}")
    write(FRAME, tmp_path / f"_temporary/b.{kind}")
    write(FRAME, tmp_path / "below" / f"c.{kind}")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "notes.txt").write_text("rows")
    assert sum(plan(tmp_path).counts) == 80
    assert sum(plan(tmp_path, path=f"*.{kind}").counts) == 40
    assert sum(plan(tmp_path, path=f"below/c.{kind}", format=kind).counts) == 40


def test_the_digest_is_of_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A copy has the same, and other rows, columns or a share have another; of much data times take its place."""
    write(FRAME, tmp_path / f"a.{kind}")
    digest = plan(tmp_path).digest
    os.utime(tmp_path / f"a.{kind}", (1, 1))
    assert plan(tmp_path).digest == digest
    others = {plan(tmp_path, validation=0.4).digest, plan(tmp_path, features=["a"]).digest}
    write(FRAME.assign(a=FRAME["a"] + 1), tmp_path / f"a.{kind}")
    assert len({digest, plan(tmp_path).digest, *others}) == 4
    monkeypatch.setattr(module, "CHEAP", 0)
    digest = plan(tmp_path).digest
    os.utime(tmp_path / f"a.{kind}", (2, 2))
    assert plan(tmp_path).digest != digest


def test_other_jobs_do_not_load_shards(tmp_path: Path) -> None:
    """A sweep's trials see all of their data; who asks for it is told what to use."""
    with pytest.raises(
        BadInput, match=r"^rows: shards are read by the workers of a training.*use source parquet or csv"
    ):
        load(Sharded(source="shards", path="rows", target="y"), tmp_path, lambda name: name)
    assert load(Digits(source="digits"), tmp_path, lambda name: name).classes is not None
