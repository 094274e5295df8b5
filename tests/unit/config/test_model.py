"""Closed parts and lengths of time."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from tinderbox.config.model import Closed, Seconds, parse_duration


class Part(Closed):
    """A part with one key of each plain kind."""

    count: int = 1
    share: float = 0.5
    text: str = ""
    flag: bool = False
    length: Seconds | None = Field(default=None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1.5h", 5400), (" 5 m ", 300), ("0s", 0)],
)
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    """Seconds, minutes, hours and days are understood, with a fraction and with spaces."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "m", "-5m", "1h30m", "5 weeks", "", "1e3s", "5M"])
def test_any_other_text_is_no_duration(text: str) -> None:
    """A text without one number and one unit is refused with what was got."""
    with pytest.raises(ValueError, match="a duration is a number with s, m, h or d, such as 30m, got ") as refusal:
        parse_duration(text)
    assert repr(text) in str(refusal.value)


@pytest.mark.parametrize("value", [5, 5.5, None, [1]])
def test_what_is_no_text_passes_through(value: Any) -> None:
    """Plain numbers are seconds already, and the type check deals with the rest."""
    assert parse_duration(value) is value


def test_a_plain_number_is_seconds() -> None:
    """A key of type Seconds takes a number or a text."""
    assert (Part(length=90).length, Part.model_validate({"length": "90s"}).length) == (90, 90)


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "3"},
        {"count": True},
        {"count": 2.0},
        {"share": "0.5"},
        {"share": True},
        {"share": float("nan")},
        {"share": float("inf")},
        {"text": 5},
        {"flag": 1},
        {"flag": "yes"},
        {"length": True},
        {"length": float("inf")},
        {"other": 1},
    ],
)
def test_nothing_is_converted_silently(wrong: dict[str, Any]) -> None:
    """A value of another type, a number that is not finite and an unknown key are refused."""
    with pytest.raises(ValidationError):
        Part.model_validate(wrong)


def test_a_whole_number_is_a_real_number() -> None:
    """A float key takes 1 for 1.0."""
    assert Part(share=1).share == 1.0


def test_parts_never_change() -> None:
    """A key cannot be set after the check."""
    with pytest.raises(ValidationError, match="frozen"):
        Part().count = 2  # type: ignore[misc]
