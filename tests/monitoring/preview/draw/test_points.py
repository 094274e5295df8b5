"""Points of one number against another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from monitoring.preview.answers import Desk
from monitoring.preview.draw import draw, points
from monitoring.preview.frames import Field, Frame

Make = Callable[..., Any]


@pytest.fixture
def clouds() -> list[Frame]:
    """Two series as a join that was parted by width leaves them."""
    return [
        Frame([Field("Value #B", "number", x, {"width": width}), Field("Value #A", "number", y, {"width": width})])
        for width, x, y in (("8", [0.001, 0.1], [0.5, 0.7]), ("64", [0.01], [0.9]))
    ]


def test_each_frame_is_a_series(desk: Desk, make_answer: Make, clouds: list[Frame]) -> None:
    """The first number is x; names and axes are called by what tells them apart, and by what they share."""
    figure = points.draw(make_answer("xychart", clouds), desk)
    (axes,) = figure.axes
    assert [[list(point) for point in cloud.get_offsets()] for cloud in axes.collections] == [
        [[0.001, 0.5], [0.1, 0.7]],
        [[0.01, 0.9]],
    ]
    assert [text.get_text() for text in figure.texts] == ["8", "64"]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("Value #B", "Value #A", "linear")


def test_a_logarithmic_axis(desk: Desk, make_answer: Make, clouds: list[Frame]) -> None:
    """With its own name; what is not above zero has no place on it."""
    scale = {"scaleDistribution": {"type": "log", "log": 10}, "axisLabel": "rate"}
    shown = [Frame([replace(frame.fields[0], values=[0.0, 0.1][: frame.rows]), frame.fields[1]]) for frame in clouds]
    (axes,) = points.draw(make_answer("xychart", shown, {"custom": scale}), desk).axes
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "rate")
    assert axes.get_xlim() == pytest.approx((0.1 / 1.3, 0.13))


def test_series_of_one_name(desk: Desk, make_answer: Make, clouds: list[Frame]) -> None:
    """Have none that tells them apart, as in Grafana: a rename before they are parted does that."""
    named = [Frame([frame.fields[0], frame.fields[1].but(displayName="Value")]) for frame in clouds]
    figure = points.draw(make_answer("xychart", named), desk)
    assert [text.get_text() for text in figure.texts] == ["", ""]
    assert figure.axes[0].get_ylabel() == "Value"
    alone = points.draw(make_answer("xychart", named[:1]), desk)
    assert [text.get_text() for text in alone.texts] == ["Value"]


def test_one_column_of_numbers_is_not_enough(desk: Desk, make_answer: Make, table: Make) -> None:
    """The sentence says what is missing."""
    drawn = draw(make_answer("xychart", [table(x=[1, 2])]), desk)
    assert drawn.errors == ["points need two columns of numbers, and the transformations leave none"]
