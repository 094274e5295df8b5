"""Stats, gauges and bars: one number for each series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitoring.preview.answers import Desk
from monitoring.preview.colors import color
from monitoring.preview.draw import bars, gauge, stat

Make = Callable[..., Any]


def written(figure: Any) -> list[tuple[str, str]]:
    """The texts of a picture with their colours."""
    return [(text.get_text(), text.get_color()) for text in figure.texts]


def test_a_stat_shows_the_newest_value(desk: Desk, series: Make, make_answer: Make) -> None:
    """Without a name where it is alone; no value counts as none."""
    blue = {"color": {"mode": "fixed", "fixedColor": "blue"}, "unit": "bytes"}
    figure = stat.draw(make_answer("stat", series(a=[1, 2048, float("nan")]), blue), desk)
    assert written(figure) == [("2 KiB", color("blue"))]


def test_several_stats_have_names(desk: Desk, series: Make, make_answer: Make) -> None:
    """And words where values have some; nothing for what has no number."""
    words = {"mappings": [{"type": "value", "options": {"1": {"text": "ended", "color": "red"}}}]}
    figure = stat.draw(make_answer("stat", series(a=[1], b=[90], c=[float("nan")]), words), desk)
    assert written(figure)[1] == ("ended", color("red"))
    assert [text for text, _ in written(figure)] == ["a", "ended", "b", "90", "c", ""]
    assert written(figure)[3][1] == color("red")


def test_long_values_are_written_smaller(desk: Desk, series: Make, make_answer: Make) -> None:
    """So that they stay within their part."""
    small, large = (
        stat.draw(make_answer("stat", series(**{name: [value] for name in "abcdefgh"[:count]})), desk).texts[-1]
        for count, value in ((8, 123456), (1, 5))
    )
    assert small.get_fontsize() < large.get_fontsize()


@pytest.mark.parametrize(("value", "angle"), [(0.0, 200), (0.5, 90), (1.0, -20), (7.0, -20)])
def test_a_gauge_goes_as_far_as_its_share(
    desk: Desk, series: Make, make_answer: Make, value: float, angle: float
) -> None:
    """From left to right, and not beyond."""
    figure = gauge.draw(make_answer("gauge", series(a=[value]), {"min": 0, "max": 1, "unit": "percentunit"}), desk)
    _, arc, *_ = figure.axes[0].patches
    assert (arc.theta1, arc.theta2) == (pytest.approx(angle), 200)
    assert written(figure) == [(f"{value * 100:.0f}%", color("green"))]


def test_a_gauge_shows_its_limits(desk: Desk, series: Make, make_answer: Make) -> None:
    """As a ring; and one for each series, with its name."""
    steps = [{"value": None, "color": "green"}, {"value": 0.5, "color": "red"}]
    limits = {"min": 0, "max": 1, "thresholds": {"mode": "absolute", "steps": steps}}
    figure = gauge.draw(make_answer("gauge", series(a=[0.6], b=[float("nan")]), limits), desk)
    *_, first, last = figure.axes[0].patches
    assert (first.theta1, first.theta2, last.theta1, last.theta2) == (90, 200, -20, 90)
    assert [text for text, _ in written(figure)] == ["0.600", "a", "", "b"]
    assert len(figure.axes[1].patches) == 3


def test_bars_are_as_long_as_their_share_of_the_longest(desk: Desk, series: Make, make_answer: Make) -> None:
    """With name and number."""
    blue = {"color": {"mode": "fixed", "fixedColor": "blue"}, "min": 0}
    figure = bars.draw(make_answer("bargauge", series(a=[10], b=[40], c=[0]), blue), desk)
    assert [image.get_extent()[1] for image in figure.axes[0].images] == [0.25, 1, 1e-6]
    assert [text for text, _ in written(figure)] == ["a", "10", "b", "40", "c", "0"]
    figure = bars.draw(make_answer("bargauge", series(a=[10]), blue | {"max": 20}), desk)
    assert [image.get_extent()[1] for image in figure.axes[0].images] == [0.5]


def test_bars_for_which_there_is_no_room_are_counted(desk: Desk, series: Make, make_answer: Make) -> None:
    """As many are drawn as can be told apart."""
    figure = bars.draw(make_answer("bargauge", series(**{f"s{number}": [0] for number in range(13)})), desk)
    assert len(figure.axes[0].images) == 10
    assert figure.texts[-1].get_text() == "and 3 more"
