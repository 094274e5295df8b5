"""A lane for each series over time, coloured by its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.colors import PANEL
from monitoring.preview.draw.canvas import SMALL, axes, blank, breadth, mark, over_time, pixels, points
from monitoring.preview.draw.reading import heed
from monitoring.preview.fields import shade, text
from monitoring.preview.frames import display_name

CUSTOM = {"fillOpacity", "lineWidth"}


@dataclass(frozen=True)
class Stretch:
    """From when to when a series had one value."""

    start: float
    end: float
    value: float


def draw(answer: Answer, desk: Desk) -> Figure:
    """Draw a panel of kind state-timeline."""
    heed(answer.panel, "mergeValues", True)
    heed(answer.panel, "showValue", "auto")
    heed(answer.panel, "legend.showLegend", False)
    figure = blank(answer.panel.place)
    step = max((asked.step or 0.0) for asked in answer.asked)
    lanes = [(frame, column) for frame in answer.frames for column in frame.numbers()]
    names = [display_name(column, frame, answer.frames) for frame, column in lanes]
    numbers = [value for _, column in lanes for value in column.values if math.isfinite(value)]
    left = max(breadth(figure, name) for name in names) + 12
    made = axes(figure, left, 4, 12, 26)
    made.grid(visible=False, axis="y")
    made.set_ylim(len(lanes) - 0.5, -0.5)
    made.set_yticks(range(len(lanes)), names, parse_math=False)
    wide = pixels(figure)[0] - left - 12
    over_time(made, desk.window, wide)
    height = float(answer.panel.options.get("rowHeight", 0.9))
    for place, (frame, column) in enumerate(lanes):
        opacity = column.config.get("custom", {}).get("fillOpacity", 70) / 100
        for it in _stretches(frame.fields[0].values, column.values, step):
            tone = shade(column, it.value, place, "continuous-GrYlRd", (min(numbers), max(numbers)))
            alpha = None if len(tone) == 9 else opacity
            made.barh(
                place, it.end - it.start, height, it.start, color=tone, alpha=alpha, edgecolor=PANEL, linewidth=0.8
            )
            told = text(column, it.value)
            if breadth(figure, told) + 6 < (it.end - it.start) / desk.window.range * wide:
                made.text(it.start, place, f" {told}", color="white", fontsize=points(SMALL), va="center", clip_on=True)
    mark(made, [(it.start, it.end) for it in desk.marks])
    return figure


def _stretches(moments: Sequence[float], values: Sequence[float], step: float) -> list[Stretch]:
    """Return a series as stretches of one value, each until the next one begins or its points end."""
    found: list[Stretch] = []
    for moment, value in zip(moments, values, strict=True):
        last = found[-1] if found else None
        if last and last.value == value and moment - last.end < 0.5 * step:
            found[-1] = Stretch(last.start, moment + step, value)
        else:
            found.append(Stretch(moment, moment + step, value))
    return found
