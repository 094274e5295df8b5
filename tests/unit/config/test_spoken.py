"""Parameters as a notebook writes them."""

from __future__ import annotations

import pytest

import tinderbox
from tinderbox.config import ChoiceParameter, FloatParameter, IntParameter
from tinderbox.errors import BadInput


def test_they_are_the_parameters_of_a_job_file() -> None:
    """A notebook's parameters are taken where a job file's are."""
    assert isinstance(tinderbox.Float(low=0, high=1, log=False, default=0.5), FloatParameter)
    assert isinstance(tinderbox.Int(low=1, high=9, grid=[1, 9]), IntParameter)
    assert isinstance(tinderbox.Choice(choices=["a", "b"]), ChoiceParameter)


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
