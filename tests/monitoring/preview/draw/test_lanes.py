"""Lanes over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.colors import to_hex

from monitoring.preview.answers import Desk
from monitoring.preview.colors import color
from monitoring.preview.draw import lanes

Make = Callable[..., Any]

SCALE = {"color": {"mode": "continuous-BlPu"}, "custom": {"fillOpacity": 70}}


def test_equal_values_become_one_stretch(desk: Desk, series: Make, make_answer: Make) -> None:
    """Until another one begins, or the points end; a gap stays one."""
    answer = make_answer("state-timeline", series(a=[1, 1, 2, None, 2], b=[1, 1, 1, 1, 1]), SCALE)
    (axes,) = lanes.draw(answer, desk).axes
    stretches = [(it.get_x() - desk.window.start, it.get_width()) for it in axes.patches]
    assert stretches == [(0, 30), (30, 15), (60, 15), (0, 75)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.texts[0].get_text() == " 1"


def test_colours_by_value(desk: Desk, series: Make, make_answer: Make) -> None:
    """Along the scale from the least to the greatest of all lanes, or that of a word, as clear as it is."""
    idle = {"mappings": [{"type": "value", "options": {"-1": {"text": "idle", "color": "rgba(128, 128, 128, 0.3)"}}}]}
    answer = make_answer("state-timeline", series(a=[1], b=[9], c=[-1] * 10), SCALE | idle)
    (axes,) = lanes.draw(answer, desk).axes
    _, high, grey = axes.patches
    assert to_hex(high.get_facecolor()).upper() == color("dark-purple")
    assert [round(it.get_alpha() or it.get_facecolor()[3], 1) for it in (high, grey)] == [0.7, 0.3]
    assert [text.get_text() for text in axes.texts] == [" 1", " 9", " idle"]


def test_a_stretch_that_is_too_short_has_no_word(desk: Desk, series: Make, make_answer: Make) -> None:
    """It would lie over its neighbours."""
    words = {"mappings": [{"type": "value", "options": {"1": {"text": "a word of some length"}}}]}
    (axes,) = lanes.draw(make_answer("state-timeline", series(a=[1, 2, 2]), SCALE | words), desk).axes
    assert [text.get_text() for text in axes.texts] == [" 2"]
