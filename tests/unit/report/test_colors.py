"""The colors of all plots."""

from __future__ import annotations

import pytest

from tinderbox.report.colors import ACCENT, MAXIMUM, ramp


def test_one_line_has_the_accent() -> None:
    """A single line needs no place in an order."""
    assert ramp(1) == [ACCENT]


@pytest.mark.parametrize("count", range(2, MAXIMUM + 1))
def test_lines_differ_and_span_the_ramp(count: int) -> None:
    """However many lines there are, each has its own color, from the first of the ramp to its last."""
    colors = ramp(count)
    assert len(set(colors)) == count
    assert [colors[0], colors[-1]] == [ramp(MAXIMUM)[0], ramp(MAXIMUM)[-1]]
