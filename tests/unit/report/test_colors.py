"""The colors of all plots."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tinderbox import report
from tinderbox.report.colors import ACCENT, ENDINGS, MAXIMUM, ramp
from tinderbox.training.record import Outcome

FOLDER = Path(report.__file__).parent


def test_one_line_has_the_accent() -> None:
    """A single line needs no place in an order."""
    assert ramp(1) == [ACCENT]


@pytest.mark.parametrize("count", range(2, MAXIMUM + 1))
def test_lines_differ_and_span_the_ramp(count: int) -> None:
    """However many lines there are, each has its own color, from the first of the ramp to its last."""
    colors = ramp(count)
    assert len(set(colors)) == count
    assert [colors[0], colors[-1]] == [ramp(MAXIMUM)[0], ramp(MAXIMUM)[-1]]


def test_every_ending_has_a_color_and_a_dot() -> None:
    """In plots, and in the tables of a page."""
    outcomes = set(get_args(Outcome)) - {"complete"}
    assert outcomes == set(ENDINGS)
    styles = "".join((FOLDER / name).read_text() for name in ("page.css", "training.css"))
    for outcome, color in ENDINGS.items():
        assert f".{outcome} {{ background: {color}; }}" in styles.replace("var(--failed)", "#d9515c")
