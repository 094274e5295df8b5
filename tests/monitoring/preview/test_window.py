"""Times, steps and windows as Grafana derives them."""

from __future__ import annotations

import pytest

from monitoring.preview.errors import PreviewError
from monitoring.preview.window import Window, read_duration, read_window, spell

HOUR = 3600.0


@pytest.mark.parametrize(
    ("seconds", "width", "scrape", "step"),
    [
        (HOUR / 2, 700, 15, 15),
        (3 * HOUR, 700, 15, 15),
        (6 * HOUR, 700, 15, 30),
        (24 * HOUR, 700, 15, 120),
        (7 * 24 * HOUR, 700, 15, 900),
        (2 * 365 * 24 * HOUR, 700, 15, 86400),
        (HOUR / 2, 700, 1, 2),
        (HOUR / 2, 10_000, 0.1, 1),
    ],
)
def test_steps(seconds: float, width: int, scrape: float, step: float) -> None:
    """A round one near a point for each pixel, and never shorter than the time between two scrapes."""
    assert Window(0, seconds, scrape).step(width) == step


def test_no_more_points_than_prometheus_takes() -> None:
    """However wide a panel is."""
    window = Window(0, 7 * 24 * HOUR)
    assert window.range / window.step(100_000) <= 11_000


def test_grafanas_own_variables() -> None:
    """A rate needs four scrapes, or a step and one more."""
    assert Window(0, HOUR).variables(700) == {
        "__interval": "15s",
        "__interval_ms": "15000",
        "__rate_interval": "60s",
        "__range": "3600s",
        "__range_s": "3600",
        "__range_ms": "3600000",
    }
    assert Window(0, 24 * HOUR).variables(700)["__rate_interval"] == "135s"


def test_points_lie_at_multiples_of_the_step() -> None:
    """So that a later look has the same ones."""
    assert Window(1007, 2009).aligned(30) == (990, 1980)


def test_times_are_read() -> None:
    """Relative to now, or as Unix seconds."""
    assert read_window("-30m", "now", "15s", now=10_000) == Window(8200, 10_000, 15)
    assert read_window("now-1h", "-5m", "500ms", now=10_000) == Window(6400, 9700, 0.5)
    assert read_window("1800000000", "1800000060.5", "1s") == Window(1_800_000_000, 1_800_000_060.5, 1)


@pytest.mark.parametrize("text", ["", "yesterday", "+5m", "30m", "-5", "-5y"])
def test_what_is_no_time(text: str) -> None:
    """The sentence says what is, and what was given."""
    with pytest.raises(PreviewError, match=r"(a time is now, -30m|a duration is a number and)"):
        read_window(text, "now", "15s")


@pytest.mark.parametrize("text", ["15", "s", "0s", "1.5m", "-5m"])
def test_what_is_no_duration(text: str) -> None:
    """The sentence says what is, and what was given."""
    with pytest.raises(PreviewError, match=rf"a duration is a number and ms, s, .*, got '{text}'"):
        read_duration(text)


def test_a_window_that_ends_before_it_begins() -> None:
    """Is refused."""
    with pytest.raises(PreviewError, match="--to must be after --from, got '-10m' and 'now'"):
        read_window("now", "-10m", "15s")


def test_durations_are_written_as_promql_has_them() -> None:
    """Whole numbers only."""
    assert (spell(15.0), spell(0.25)) == ("15s", "250ms")
