"""Axes, ticks and legends."""

from __future__ import annotations

import pytest

from monitoring.preview.boards import Place
from monitoring.preview.draw.canvas import Entry, axes, blank, breadth, legend, over_time, say, value_ticks
from monitoring.preview.window import Window


@pytest.mark.parametrize(
    ("low", "high", "unit", "labels"),
    [
        (0, 1, "percentunit", ["0%", "20%", "40%", "60%", "80%", "100%"]),
        (0.83, 1.02, "none", ["0.85", "0.90", "0.95", "1.00"]),
        (0, 23, "none", ["0", "5", "10", "15", "20"]),
        (0, 12.5 * 2**30, "bytes", ["0 B", "4 GiB", "8 GiB", "12 GiB"]),
        (0, 0.21, "s", ["0 s", "50 ms", "100 ms", "150 ms", "200 ms"]),
        (-1, 1, "none", ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
    ],
)
def test_ticks_are_round(low: float, high: float, unit: str, labels: list[str]) -> None:
    """In the unit, and bytes by powers of two."""
    ticks, told = value_ticks(low, high, unit)
    assert told == labels
    assert len(ticks) == len(labels)


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (60, ["08:00:00", "08:00:10", "08:00:20", "08:00:30", "08:00:40", "08:00:50"]),
        (600, ["08:00", "08:02", "08:04", "08:06", "08:08"]),
        (6 * 86400, ["01/16", "01/17", "01/18", "01/19", "01/20", "01/21"]),
    ],
)
def test_moments_are_round(seconds: float, labels: list[str]) -> None:
    """Seconds, minutes or days, by how long is looked at."""
    made = axes(blank(Place(0, 0, 12, 8)), 50, 8, 10, 30)
    over_time(made, Window(1_800_000_000, 1_800_000_000 + seconds), 600)
    assert [label.get_text() for label in made.get_xticklabels()] == labels


def test_a_legend_takes_as_many_lines_as_it_needs() -> None:
    """And counts what three lines do not hold."""
    figure = blank(Place(0, 0, 12, 8))
    assert legend(figure, [Entry("#ffffff", "one", "3")]) == 18
    assert figure.texts[0].get_text() == "one   Last *: 3"
    figure = blank(Place(0, 0, 6, 8))
    assert legend(figure, [Entry("#ffffff", f"a series with a long name, {number}") for number in range(9)]) == 54
    assert figure.texts[-1].get_text() == "and 6 more"
    assert legend(figure, []) == 18


def test_words_are_no_formulas() -> None:
    """A dollar is a dollar, and long sentences are cut into lines."""
    figure = blank(Place(0, 0, 6, 8))
    say(
        figure, "$x is no variable of this dashboard, and the sentence is long enough for two lines\nand one", "#ffffff"
    )
    assert [text.get_text() for text in figure.texts][-1] == "and one"
    assert len(figure.texts) > 2
    assert breadth(figure, "$x$") > breadth(figure, "x")
