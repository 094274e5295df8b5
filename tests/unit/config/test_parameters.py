"""Each rule for parameters at its edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import ChoiceParameter, FloatParameter, IntParameter, SweepJob

Accept = Callable[..., SweepJob]
Refuse = Callable[[dict[str, Any]], str]

FLOAT: dict[str, Any] = {"type": "float", "low": 0.1, "high": 1}
INT: dict[str, Any] = {"type": "int", "low": 1, "high": 9}
CHOICE: dict[str, Any] = {"type": "choice", "choices": ["sgd", "adam"]}


@pytest.mark.parametrize(
    "parameter",
    [
        FLOAT,
        FLOAT | {"low": -1, "high": 0},
        FLOAT | {"low": 1e-9, "log": True},
        FLOAT | {"default": 0.1},
        FLOAT | {"default": 1},
        FLOAT | {"grid": 2},
        FLOAT | {"grid": [0.1]},
        FLOAT | {"grid": [1, 0.1]},
        FLOAT | {"low": -8e307, "high": 8e307},
        INT,
        INT | {"low": -(2**53), "high": 2**53},
        INT | {"low": 1, "log": True},
        INT | {"grid": [1, 9]},
        INT | {"default": 9},
        CHOICE,
        CHOICE | {"choices": ["sgd"]},
        CHOICE | {"default": "adam"},
        CHOICE | {"choices": [1 - 2**63, 2**63 - 1]},
        CHOICE | {"choices": [True, False], "default": False},
        CHOICE | {"choices": [1, 1.5, "1", "true"]},
    ],
)
def test_the_valid_edge(accept: Accept, parameter: dict[str, Any]) -> None:
    """What lies on the inner side of each rule is accepted."""
    assert "p" in accept({"parameters.p": parameter}).parameters


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        (FLOAT | {"low": 1}, "parameters.p: low must be below high, got low 1.0 and high 1.0"),
        (FLOAT | {"low": 0, "log": True}, "parameters.p: log needs low above 0, got 0.0"),
        (INT | {"low": 0, "log": True}, "parameters.p: log needs low above 0, got 0"),
        (FLOAT | {"default": 1.1}, "parameters.p: default must lie between low 0.1 and high 1.0, got 1.1"),
        (
            FLOAT | {"grid": [0.1, 0.05]},
            "parameters.p: each grid point must lie between low 0.1 and high 1.0, got 0.05",
        ),
        (
            FLOAT | {"grid": [0.5, 0.1, 0.5]},
            "parameters.p: grid points must differ from each other, got [0.5, 0.1, 0.5]",
        ),
        (
            FLOAT | {"grid": []},
            "parameters.p.grid: grid must hold at least one point, got an empty list; "
            "give points or a count of 2 or more",
        ),
        (FLOAT | {"grid": 1}, "parameters.p.grid: input should be greater than or equal to 2, got 1"),
        (
            FLOAT | {"grid": 10**9},
            "parameters.p.grid: input should be less than or equal to 1000000, got 1000000000",
        ),
        (FLOAT | {"grid": ["a"]}, "parameters.p.grid: input should be a valid number, got 'a'"),
        (FLOAT | {"low": "0.1"}, "parameters.p.low: input should be a valid number, got '0.1'"),
        (FLOAT | {"high": float("inf")}, "parameters.p.high: input should be a finite number, got inf"),
        (FLOAT | {"log": 1}, "parameters.p.log: input should be a valid boolean, got 1"),
        (
            FLOAT | {"low": -1e308, "high": 1e308},
            "parameters.p: high - low must be a finite number, got low -1e+308 and high 1e+308",
        ),
        (
            INT | {"high": 2**53 + 1},
            f"parameters.p.high: input should be less than or equal to {2**53}, got {2**53 + 1}",
        ),
        (
            INT | {"low": -(10**400)},
            f"parameters.p.low: input should be greater than or equal to -{2**53}, got -1{'0' * 118}...",
        ),
        (
            CHOICE | {"choices": [2**63]},
            "parameters.p: choices that are whole numbers must lie below 2**63, got 19 digits",
        ),
        (CHOICE | {"choices": ["\ud800"]}, r"parameters.p: a text must be UTF-8 without NUL, got '\ud800'"),
        (INT | {"high": 9.5}, "parameters.p.high: input should be a valid integer, got 9.5"),
        (INT | {"grid": [1.5]}, "parameters.p.grid: input should be a valid integer, got 1.5"),
        (
            CHOICE | {"choices": []},
            "parameters.p.choices: list should have at least 1 item after validation, not 0, got []",
        ),
        (CHOICE | {"choices": ["a", "a"]}, "parameters.p: choices must differ from each other, got ['a', 'a']"),
        (CHOICE | {"choices": [1, True]}, "parameters.p: choices must differ from each other, got [1, True]"),
        (CHOICE | {"default": "rms"}, "parameters.p: default must be one of ['sgd', 'adam'], got 'rms'"),
        ({"low": 0, "high": 1}, "parameters.p needs type: one of choice, float, int, got nothing"),
        (FLOAT | {"type": "real"}, "parameters.p needs type: one of choice, float, int, got real"),
        ({"type": "float", "low": 0}, "parameters.p needs high"),
        (
            FLOAT | {"lowest": 0},
            "unknown key 'lowest' in parameters.p; did you mean low? "
            "(valid keys: when, low, high, log, grid, default, type)",
        ),
    ],
)
def test_the_invalid_edge(refuse: Refuse, parameter: dict[str, Any], sentence: str) -> None:
    """What lies on the outer side of each rule is refused with the place, the rule and the value."""
    assert refuse({"parameters.p": parameter}) == sentence


def test_kinds_keep_their_numbers(accept: Accept) -> None:
    """Whole numbers stay whole in an int and become real in a float; choices keep their types."""
    job = accept({"parameters.i": INT | {"grid": [1, 9]}, "parameters.c": CHOICE | {"choices": [1, 2.0, "3", False]}})
    lr, i, c = (job.parameters[name] for name in ("lr", "i", "c"))
    assert isinstance(lr, FloatParameter)
    assert isinstance(lr.high, float)
    assert isinstance(i, IntParameter)
    assert [type(point) for point in (i.low, *i.grid)] == [int, int, int]  # type: ignore[misc]  # a list here
    assert isinstance(c, ChoiceParameter)
    assert [type(choice) for choice in c.choices] == [int, float, str, bool]
