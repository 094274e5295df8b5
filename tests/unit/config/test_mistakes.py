"""One sentence for each mistake, with its place as the user wrote it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinderbox.config import SweepJob
from tinderbox.config.mistakes import locate

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


def test_keys_that_are_no_texts(refuse: Refuse) -> None:
    """A number as a key is refused, at the top and below."""
    assert refuse({"parameters": {1: {}}}).startswith("parameters.1: input should be a valid string, got 1")


def test_the_alternative_that_fits_furthest_is_explained(refuse: Refuse) -> None:
    """Points that are no numbers are told as points, not as a failed count."""
    assert refuse({"parameters.lr.grid": [0.2, "a"]}) == "parameters.lr.grid: input should be a valid number, got 'a'"


def test_of_several_mistakes_at_one_place_the_first_is_told(refuse: Refuse) -> None:
    """Two unknown keys of one part are one mistake, and the first is named."""
    assert refuse({"aaa": 1, "bbb": 2}).startswith("unknown key 'aaa' in the job (valid keys: kind")
