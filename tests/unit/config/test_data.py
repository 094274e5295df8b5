"""Where data may come from, and the edges of its split."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tinderbox.config import Digits, Sharded, SweepJob, check_train

Accept = Callable[..., SweepJob]
Refuse = Callable[[dict[str, Any]], str]


def test_digits_are_the_default(accept: Accept) -> None:
    """A job without data trains on the built-in digits, a fifth held out twice."""
    data = accept().data
    assert isinstance(data, Digits)
    assert (data.split.validation, data.split.test, data.split.seed) == (0.2, 0.2, 0)


@pytest.mark.parametrize(
    "data",
    [
        {"source": "digits", "split": {"validation": 0.001, "test": 0}},
        {"source": "digits", "split": {"validation": 0.5, "test": 0.499}},
        {"source": "mnist", "folder": "mnist"},
        {"source": "mnist", "folder": "mnist", "validation": 1},
        {"source": "mnist", "folder": "mnist", "validation": 59999},
        {"source": "npz", "path": "a.npz"},
        {"source": "csv", "path": "a.csv", "target": "y"},
        {"source": "parquet", "path": "a.parquet", "target": "y", "features": ["x"]},
        {"source": "function", "function": "module:load"},
        {"source": "memory", "digest": "00"},
    ],
)
def test_every_source(accept: Accept, data: dict[str, Any]) -> None:
    """Each source is accepted with its own keys, at the valid edge."""
    assert accept({"data": data}).data.source == data["source"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"source": "s3"}, "data needs source: one of csv, digits, function, memory, mnist, npz, parquet, got s3"),
        ({}, "data needs source: one of csv, digits, function, memory, mnist, npz, parquet, got nothing"),
        ("digits", "data: input should be a valid dictionary or object to extract fields from, got 'digits'"),
        ({"source": "csv", "path": "a.csv"}, "data needs target"),
        ({"source": "mnist"}, "data needs folder"),
        (
            {"source": "mnist", "folder": "m", "validation": 0},
            "data.validation: input should be greater than 0, got 0",
        ),
        (
            {"source": "mnist", "folder": "m", "validation": 60000},
            "data.validation: input should be less than 60000, got 60000",
        ),
        (
            {"source": "csv", "path": "a.csv", "target": "y", "features": []},
            "data.features: list should have at least 1 item after validation, not 0, got []",
        ),
        (
            {"source": "digits", "split": {"validation": 0.5, "test": 0.5}},
            "data.split: validation and test must leave something to train on, got 0.5 + 0.5",
        ),
        (
            {"source": "digits", "split": {"validation": 0}},
            "data.split.validation: input should be greater than 0, got 0",
        ),
        (
            {"source": "digits", "split": {"test": -0.1}},
            "data.split.test: input should be greater than or equal to 0, got -0.1",
        ),
        (
            {"source": "digits", "split": {"seed": -1}},
            "data.split.seed: input should be greater than or equal to 0, got -1",
        ),
        ({"source": "npz", "path": "a\0"}, r"data: a text must be UTF-8 without NUL, got 'a\x00'"),
        (
            {"source": "digits", "splits": {}},
            "unknown key 'splits' in data; did you mean split? (valid keys: source, split)",
        ),
    ],
)
def test_bad_sources(refuse: Refuse, data: Any, sentence: str) -> None:
    """A source that does not exist, lacks a key or leaves nothing to train on is refused."""
    assert refuse({"data": data}) == sentence


def shards(**keys: Any) -> Sharded:
    """Shards with some keys more."""
    return Sharded.model_validate({"source": "shards", "path": "s3a://bucket/rows", "target": "y"} | keys)


@pytest.mark.parametrize(
    ("keys", "share"),
    [({}, 0.1), ({"validation": 0.25}, 0.25), ({"validation_path": "held-out", "classes": [0, 1]}, 0.0)],
)
def test_rows_of_shards_are_held_out(keys: dict[str, Any], share: float) -> None:
    """A tenth, a share, or none where others are for validation."""
    assert shards(**keys).share == share


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"validation": 0.1, "validation_path": "b"}, "validation is a share of path's rows"),
        ({"features": ["a", "y"]}, "features must not list the target 'y'"),
        ({"features": ["a", "a"]}, "features must differ from each other"),
        ({"classes": [1, "1"]}, "classes must differ from each other"),
        ({"classes": ["a"]}, "at least 2 items"),
        ({"shape": [28, 0]}, "greater than or equal to 1"),
        ({"validation": 1.0}, "less than 1"),
        ({"format": "orc"}, "'parquet' or 'csv'"),
    ],
)
def test_mistakes_in_shards(keys: dict[str, Any], sentence: str) -> None:
    """What cannot be is refused when the file is read."""
    with pytest.raises(ValidationError, match=sentence):
        shards(**keys)


def test_only_a_training_has_shards(refuse: Refuse) -> None:
    """A sweep's trials see all of their data, so its file has no such source."""
    data = {"source": "shards", "path": "rows", "target": "y"}
    assert refuse({"data": data}).startswith("data needs source: one of csv, digits, function")
    tree = {"kind": "train", "name": "a", "model": "lenet5", "epochs": 1, "data": data}
    assert check_train(tree, "job.yaml").data == Sharded.model_validate(data)
