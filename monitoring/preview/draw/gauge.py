"""A share of a whole, as an arc."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Wedge

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.colors import PANEL, TRACK, color
from monitoring.preview.draw.canvas import blank, pixels, write
from monitoring.preview.draw.reading import heed, reduced
from monitoring.preview.fields import shade, steps, text
from monitoring.preview.frames import Field

_FIRST, _LAST = 200.0, -20.0
"""The angles of the arc's ends."""


def draw(answer: Answer, desk: Desk) -> Figure:
    """Draw a panel of kind gauge."""
    heed(answer.panel, "showThresholdLabels", False)
    heed(answer.panel, "orientation", "auto")
    figure = blank(answer.panel.place)
    width, height = pixels(figure)
    numbers = reduced(answer)
    part = width / len(numbers)
    for place, (name, column, value) in enumerate(numbers):
        tone = shade(column, value, place, "thresholds")
        made = figure.add_axes((part * place / width, 0.0, part / width, 1.0), facecolor=PANEL)
        _arc(made, column, value, tone)
        middle = part * (place + 0.5)
        write(figure, middle, height * 0.72, text(column, value), tone, min(height * 0.24, part * 0.16), "center")
        if len(numbers) > 1:
            write(figure, middle, height - 8, name, size=13, at="center")
    return figure


def _arc(made: Axes, column: Field, value: float | None, tone: str) -> None:
    low, high = float(column.config.get("min", 0)), float(column.config.get("max", 100))

    def angle(at: float) -> float:
        share = min(max((at - low) / (high - low), 0.0), 1.0)
        return _FIRST + (_LAST - _FIRST) * share

    made.set_axis_off()
    made.set_aspect("equal")
    made.set_xlim(-1.05, 1.05)
    made.set_ylim(-0.5, 1.05)
    made.add_patch(Wedge((0, 0), 0.9, _LAST, _FIRST, width=0.24, color=TRACK))
    if value is not None:
        made.add_patch(Wedge((0, 0), 0.9, angle(value), _FIRST, width=0.24, color=tone))
    marks = steps(column)
    ends = [*(step["value"] for step in marks[1:]), high]
    for step, start, end in zip(marks, [low, *ends], ends, strict=False):
        made.add_patch(Wedge((0, 0), 1.0, angle(end), angle(start), width=0.06, color=color(step["color"])))
