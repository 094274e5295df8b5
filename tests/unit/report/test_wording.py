"""How numbers, lengths of time and parameters are written."""

from __future__ import annotations

import math

import pytest

from tinderbox.report.wording import count, duration, moment, number, parameters, percent, plain, size


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "—"),
        (0.1, "0.1"),
        (0.0031622776, "0.003162"),
        (1e-7, "1e-07"),
        (64, "64"),
        (64.0, "64"),
        (123456.7, "123,457"),
        (2.5e12, "2.5e+12"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "-∞"),
    ],
)
def test_number(value: float | None, written: str) -> None:
    """A number has four significant digits, and what is no number has a sign of its own."""
    assert number(value) == written


@pytest.mark.parametrize(("value", "written"), [(True, "True"), ("relu", "relu"), (0.25, "0.25"), (None, "—")])
def test_plain(value: bool | str | float | None, written: str) -> None:
    """Choices stand as they are, a truth value is no number, and a missing value is a dash."""
    assert plain(value) == written


def test_parameters() -> None:
    """Parameters stand in one line in the order of the job file."""
    assert parameters({"lr": 0.01, "width": 64, "activation": "relu"}) == "lr = 0.01, width = 64, activation = relu"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0.0 s"),
        (9.44, "9.4 s"),
        (9.7, "10 s"),
        (59.6, "1 min 00 s"),
        (218, "3 min 38 s"),
        (3599.9, "1 h 00 min"),
        (86399.9, "1 d 0 h"),
        (100_000, "1 d 3 h"),
    ],
)
def test_duration(seconds: float, written: str) -> None:
    """A length of time has its two largest units and never 60 of one."""
    assert duration(seconds) == written


def test_moment() -> None:
    """A point in time is told in UTC, whatever the machine's time zone."""
    assert moment(1_780_000_000) == "2026-05-28 20:26 UTC"


def test_count() -> None:
    """One thing is singular, none and many are plural."""
    assert [count(amount, "node") for amount in (0, 1, 1200)] == ["0 nodes", "1 node", "1,200 nodes"]


def test_a_share_of_nothing_is_a_dash() -> None:
    """And any other has one digit."""
    assert (percent(1, 8), percent(0, 0)) == ("12.5 %", "—")


def test_bytes_have_three_digits_and_a_unit() -> None:
    """Of which there is at least one, if there are bytes at all."""
    assert [size(amount) for amount in (0, 999, 1000, 82_345, 2.5e6, 3.4e11)] == [
        "0 B", "999 B", "1 kB", "82.3 kB", "2.5 MB", "340 GB",
    ]  # fmt: skip
