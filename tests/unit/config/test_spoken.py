"""Parameters as a notebook writes them."""

from __future__ import annotations

import numpy as np
import pytest

import tinderbox
from tinderbox.config import ChoiceParameter, FloatParameter, IntParameter
from tinderbox.errors import BadInput


def test_they_are_the_parameters_of_a_job_file() -> None:
    """A notebook's parameters are taken where a job file's are."""
    assert isinstance(tinderbox.Float(low=0, high=1, log=False, default=0.5), FloatParameter)
    assert isinstance(tinderbox.Int(low=1, high=9, grid=[1, 9]), IntParameter)
    assert isinstance(tinderbox.Choice(choices=["a", "b"]), ChoiceParameter)


def test_numbers_of_numpy_are_numbers() -> None:
    """They come from linspace and logspace; an integer stays one, and what the function gets is Python's own."""
    width = tinderbox.Int(low=np.int64(1), high=np.int32(9), grid=np.arange(1, 9, 2), default=np.int64(3))
    assert repr((width.low, width.high, width.grid, width.default)) == "(1, 9, [1, 3, 5, 7], 3)"
    rate = tinderbox.Float(low=np.float64(0), high=np.float32(1), grid=np.linspace(0, 1, 3), log=np.bool_(False))
    assert repr((rate.low, rate.high, rate.grid)) == "(0.0, 1.0, [0.0, 0.5, 1.0])"
    choice = tinderbox.Choice(choices=[np.int64(16), np.float64(0.5), np.str_("a"), np.bool_(False)])
    assert repr(choice.choices) == "[16, 0.5, 'a', False]"
    assert repr(tinderbox.Choice(choices=np.array([16, 64]), default=np.int64(64)).choices) == "[16, 64]"
    nested = tinderbox.Float(low=0, high=1, when={"kind": [np.int64(1), 2], "other": np.float64(0.5)})
    assert repr(nested.when) == "{'kind': [1, 2], 'other': 0.5}"


def test_numbers_of_numpy_are_refused_as_others_are() -> None:
    """A real number is no whole one, and bounds hold."""
    with pytest.raises(BadInput, match=r"^Int: high: "):
        tinderbox.Int(low=1, high=np.float64(9.5))
    with pytest.raises(BadInput, match=r"^Float: each grid point must lie between low 0\.0 and high 1\.0, got 2\.0$"):
        tinderbox.Float(low=0, high=1, grid=np.linspace(0, 2, 3))


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        ("Float", {"low": 1, "high": 0}, "Float: low must be below high, got low 1.0 and high 0.0"),
        ("Float", {"low": 0}, "Float: the job needs high"),
        ("Int", {"low": 1, "high": 9, "defualt": 3}, "Int: unknown key 'defualt'"),
        ("Choice", {"choices": ["a", "a"]}, "Choice: choices must differ from each other"),
    ],
)
def test_a_mistake_is_a_sentence(kind: str, values: dict[str, object], sentence: str) -> None:
    """A notebook gets the sentence of a job file, and no page of a library's words."""
    with pytest.raises(BadInput) as refused:
        getattr(tinderbox, kind)(**values)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)
