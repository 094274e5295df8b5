"""Lines over time, beside or upon one another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.colors import color
from monitoring.preview.draw.canvas import (
    Entry,
    axes,
    blank,
    breadth,
    legend,
    mark,
    over_time,
    pixels,
    points,
    value_ticks,
)
from monitoring.preview.draw.reading import heed, newest
from monitoring.preview.errors import Unsupported
from monitoring.preview.fields import shade, steps, text
from monitoring.preview.frames import Field, display_name

CUSTOM = {"fillOpacity", "lineStyle", "lineWidth", "stacking", "thresholdsStyle"}


@dataclass(frozen=True)
class Line:
    """One series: its points, with NaN where Prometheus had none, and what it lies on."""

    name: str
    column: Field
    color: str
    moments: Sequence[float]
    values: Sequence[float]
    floor: Sequence[float]

    @property
    def tops(self) -> list[float]:
        """Where the line is."""
        return [value + floor for value, floor in zip(self.values, self.floor, strict=True)]


def draw(answer: Answer, desk: Desk) -> Figure:
    """Draw a panel of kind timeseries."""
    heed(answer.panel, "legend.displayMode", "list")
    heed(answer.panel, "legend.placement", "bottom")
    heed(answer.panel, "legend.calcs", [], ["lastNotNull"])
    figure = blank(answer.panel.place)
    lines = _lines(answer)
    below = 0.0
    if answer.panel.options.get("legend", {}).get("showLegend", True):
        has_number = bool(answer.panel.options.get("legend", {}).get("calcs"))
        below = legend(figure, [_entry(line, has_number) for line in lines])
    low, high = _span(lines)
    unit = lines[0].column.config.get("unit", "none")
    ticks, labels = value_ticks(low, high, unit)
    left = max(breadth(figure, label) for label in labels) + 10
    made = axes(figure, left, 8, 12, below + 26)
    made.set_ylim(low, high)
    made.set_yticks(ticks, labels)
    over_time(made, desk.window, pixels(figure)[0] - left)
    for line in lines:
        _draw(made, line)
    _thresholds(made, lines[0].column)
    mark(made, [(it.start, it.end) for it in desk.marks])
    return figure


def _lines(answer: Answer) -> list[Line]:
    """Return the series at the moments of all of them, stacked where they are to be."""
    step = max((asked.step or 0.0) for asked in answer.asked)
    found = [(frame, column) for frame in answer.frames for column in frame.numbers()]
    first, last = (edge(frame.fields[0].values[at] for frame, _ in found) for edge, at in ((min, 0), (max, -1)))
    moments = [first + step * number for number in range(round((last - first) / step) + 1)]
    base = [0.0] * len(moments)
    lines = []
    for place, (frame, column) in enumerate(found):
        known = {round((at - first) / step): it for at, it in zip(frame.fields[0].values, column.values, strict=True)}
        values = [known.get(number, math.nan) for number in range(len(moments))]
        name = display_name(column, frame, answer.frames)
        tone = shade(column, newest(values), place, "palette-classic")
        lines.append(Line(name, column, tone, moments, values, list(base)))
        if _stacked(column):
            base = [below + (0 if math.isnan(value) else value) for below, value in zip(base, values, strict=True)]
    return lines


def _stacked(column: Field) -> bool:
    mode = column.config.get("custom", {}).get("stacking", {}).get("mode", "none")
    if mode not in ("none", "normal"):
        raise Unsupported(f"stacking of mode {mode!r} is not drawn here, only normal")
    return bool(mode == "normal")


def _entry(line: Line, has_number: bool) -> Entry:
    return Entry(line.color, line.name, text(line.column, newest(line.values)) if has_number else "")


def _span(lines: Sequence[Line]) -> tuple[float, float]:
    """Return the least and the greatest value that is shown, with some room."""
    tops = [top for line in lines for top in line.tops if math.isfinite(top)] or [0.0]
    tops += [0.0] if any(_stacked(line.column) for line in lines) else []
    low, high = min(tops), max(tops)
    if low == high:
        low, high = min(0.0, 2 * low), max(0.0, 2 * high) or 100.0
    room = (high - low) * 0.06
    config = lines[0].column.config
    return config.get("min", 0.0 if 0 <= low < room else low - room), config.get("max", high + room)


def _draw(made: Axes, line: Line) -> None:
    custom = line.column.config.get("custom", {})
    opacity = custom.get("fillOpacity", 0) / 100
    if opacity:
        made.fill_between(line.moments, line.floor, line.tops, color=line.color, alpha=opacity, linewidth=0)
    style = custom.get("lineStyle", {"fill": "solid"})
    dash = (0, [points(part) for part in style.get("dash", [10, 10])]) if style["fill"] == "dash" else "solid"
    width = points(custom.get("lineWidth", 1) * 1.4)
    made.plot(line.moments, line.tops, color=line.color, linewidth=width, linestyle=dash)
    alone = [number for number in range(len(line.tops)) if _is_alone(line.tops, number)]
    made.plot([line.moments[it] for it in alone], [line.tops[it] for it in alone], ".", color=line.color, markersize=4)


def _is_alone(values: Sequence[float], number: int) -> bool:
    """Whether a point has none beside it, so that no line shows it."""
    beside = [*values[max(number - 1, 0) : number], *values[number + 1 : number + 2]]
    return not math.isnan(values[number]) and all(map(math.isnan, beside))


def _thresholds(made: Axes, column: Field) -> None:
    mode = column.config.get("custom", {}).get("thresholdsStyle", {}).get("mode", "off")
    if mode not in ("off", "line"):
        raise Unsupported(f"thresholds as {mode!r} are not drawn here, only as lines")
    for step in steps(column)[1:] if mode == "line" else []:
        made.axhline(step["value"], color=color(step["color"]), linewidth=points(1.4))
