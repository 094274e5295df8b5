"""Lines over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from monitoring.preview.answers import Desk, Mark
from monitoring.preview.colors import color
from monitoring.preview.draw import graph
from monitoring.preview.window import Window

Make = Callable[..., Any]


@pytest.fixture
def plot(desk: Desk, series: Make, make_answer: Make) -> Make:
    """A function that draws series, and returns the axes and the texts of the legend."""

    def make(named: dict[str, list[float | None]], defaults: dict[str, Any] | None = None, **options: Any) -> Any:
        figure = graph.draw(make_answer("timeseries", series(**named), defaults, **options), desk)
        return figure.axes[0], [text.get_text() for text in figure.texts]

    return make


def heights(axes: Any) -> list[list[float]]:
    """Where the lines are, those of single points left out; None where there is a gap."""
    return [[None if math.isnan(it) else it for it in line.get_ydata()] for line in axes.lines[::2]]


def test_lines_and_legend(plot: Make, desk: Desk) -> None:
    """In the colours of the palette, with the newest value where that is asked for."""
    axes, texts = plot({"a": [1, 2, 3], "b": [5, 5, None]}, {"unit": "s"}, legend={"calcs": ["lastNotNull"]})
    assert heights(axes) == [[1, 2, 3], [5, 5, None]]
    assert axes.lines[0].get_color() == color("green")
    assert texts == ["a   Last *: 3 s", "b   Last *: 5 s"]
    assert axes.get_xlim() == (desk.window.start, desk.window.end)
    assert plot({"a": [1]}, legend={"calcs": []})[1] == ["a"]
    assert plot({"a": [1]}, legend={"showLegend": False})[1] == []


def test_stacked_lines_lie_on_one_another(plot: Make) -> None:
    """From zero; where one is missing the others go on."""
    axes, _ = plot({"a": [1, 1, 1], "b": [2, None, 2]}, {"custom": {"stacking": {"mode": "normal"}}})
    assert heights(axes) == [[1, 1, 1], [3, None, 3]]
    assert axes.get_ylim()[0] == 0


def test_gaps_stay_gaps(plot: Make) -> None:
    """And a point that is alone is one."""
    axes, _ = plot({"a": [1, None, 3, None, None, 4, 4]})
    assert heights(axes) == [[1, None, 3, None, None, 4, 4]]
    assert list(axes.lines[1].get_ydata()) == [1, 3]


def test_bounds(plot: Make) -> None:
    """Those that are set, or some room around the values, and zero where it is near."""
    assert plot({"a": [0.2, 0.4]}, {"min": 0, "max": 1})[0].get_ylim() == (0, 1)
    low, high = plot({"a": [10, 20]})[0].get_ylim()
    assert (low, high) == pytest.approx((9.4, 20.6))
    assert plot({"a": [0, 20]})[0].get_ylim()[0] == 0
    assert plot({"a": [5, 5]})[0].get_ylim() == pytest.approx((0, 10.6))
    assert plot({"a": [0, 0]})[0].get_ylim() == pytest.approx((0, 106))


def test_dashes_thresholds_and_marks(plot: Make, desk: Desk) -> None:
    """A line that others are compared with, limits across, and alerts."""
    desk.marks.append(Mark(desk.window.start, desk.window.start + 60))
    limits = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 2, "color": "red"}]}
    custom = {"lineStyle": {"fill": "dash", "dash": [10, 10]}, "thresholdsStyle": {"mode": "line"}, "fillOpacity": 5}
    axes, _ = plot({"a": [1, 3]}, {"custom": custom, "thresholds": limits})
    line, _alone, limit, *marks = axes.lines
    assert line.is_dashed()
    assert (list(limit.get_ydata()), limit.get_color()) == ([2, 2], color("red"))
    assert [mark.get_xdata()[0] - desk.window.start for mark in marks] == [0, 60]


def test_values_that_are_no_numbers(desk: Desk, plot: Make) -> None:
    """Infinity is not drawn, and does not spread the axis."""
    assert plot({"a": [1, math.inf, 2]})[0].get_ylim()[1] < 3
    desk.window = Window(0, 10)
    assert plot({"a": [math.nan]})[0].get_ylim() == pytest.approx((0, 106))
