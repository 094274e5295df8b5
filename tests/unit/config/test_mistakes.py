"""One sentence for each mistake, with its place as the user wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import SweepJob, check_sweep
from tinderbox.config.mistakes import locate
from tinderbox.errors import BadInput

Change = Callable[..., dict[str, Any]]
Refuse = Callable[[dict[str, Any]], str]


def test_further_mistakes_are_counted(refuse: Refuse) -> None:
    """The first mistake is told, the others are a number; several at one place count once."""
    two = {"epochs": 0, "slots": 0, "parameters.lr.grid": "abc"}
    assert refuse({"epochs": 0}).endswith("got 0")
    assert refuse(two).endswith(" (and 2 more)")


def test_a_place_leaves_the_tags_of_unions_out() -> None:
    """A path leads through the keys of the file, not through pydantic's alternatives."""
    schema = SweepJob.model_json_schema()
    assert locate(("parameters", "lr", "float", "low"), schema)[0] == "parameters.lr.low"
    assert locate(("data", "csv", "split", "test"), schema)[0] == "data.split.test"
    assert locate(("parameters", "float", "choice", "choices", 0, "bool"), schema)[0] == "parameters.float.choices.0"
    assert locate((), schema)[0] == ""


def test_a_parameter_may_be_named_like_a_tag(refuse: Refuse) -> None:
    """A parameter named `float` keeps its place."""
    parameter = {"type": "int", "low": 2, "high": 1}
    assert refuse({"parameters.float": parameter}) == "parameters.float: low must be below high, got low 2 and high 1"


@pytest.mark.parametrize(("key", "shown"), [(1, "1"), (True, "True"), (None, "None")])
def test_keys_that_are_no_texts(refuse: Refuse, change: Change, key: Any, shown: str) -> None:
    """A number as a key is refused, at the top and below, with the key as it was read."""
    told = f"a key must be a text, got {shown}; write it in quotes"
    assert refuse({"parameters": {key: {"type": "int", "low": 1, "high": 2}}}) == f"parameters: {told}"
    assert refuse({"metric": {"name": "loss", "direction": "minimize", key: 1}}) == f"metric: {told}"
    with pytest.raises(BadInput) as refusal:
        check_sweep({key: 1} | change(), "job.yaml")
    assert str(refusal.value) == f"job.yaml: the job: {told}"


def test_the_alternative_that_fits_furthest_is_explained(refuse: Refuse) -> None:
    """Points that are no numbers are told as points, not as a failed count."""
    assert refuse({"parameters.lr.grid": [0.2, "a"]}) == "parameters.lr.grid: input should be a valid number, got 'a'"


def test_of_several_mistakes_at_one_place_the_first_is_told(refuse: Refuse) -> None:
    """Two unknown keys of one part are one mistake, and the first is named."""
    assert refuse({"aaa": 1, "bbb": 2}).startswith("unknown key 'aaa' in the job (valid keys: kind")


CHOICE = {"type": "choice", "choices": ["a"]}
PLAIN = "input should be a valid boolean, integer, number or string"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"parameters.p": CHOICE | {"choices": [None]}}, f"parameters.p.choices.0: {PLAIN}, got None"),
        ({"parameters.p": CHOICE | {"choices": ["a", [1]]}}, f"parameters.p.choices.1: {PLAIN}, got [1]"),
        (
            {"parameters.p": CHOICE | {"choices": [float("nan")]}},
            "parameters.p.choices.0: input should be a valid boolean, integer, finite number or string, got nan",
        ),
        ({"parameters.p": CHOICE | {"default": [1]}}, f"parameters.p.default: {PLAIN}, got [1]"),
        ({"parameters.lr.grid": "abc"}, "parameters.lr.grid: input should be a valid integer or list, got 'abc'"),
        ({"parameters.lr.grid": 2.5}, "parameters.lr.grid: input should be a valid integer or list, got 2.5"),
        ({"parameters.lr.grid": {}}, "parameters.lr.grid: input should be a valid integer or list, got {}"),
    ],
)
def test_every_type_that_a_key_may_have_is_named(refuse: Refuse, keys: dict[str, Any], sentence: str) -> None:
    """Where several types are possible, the first of them alone would mislead."""
    assert refuse(keys) == sentence


def test_a_long_value_is_cut(refuse: Refuse) -> None:
    """A message stays one that can be read."""
    assert refuse({"epochs": "x" * 1000}) == f"epochs: input should be a valid integer, got '{'x' * 119}..."
