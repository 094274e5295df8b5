"""What all pictures are drawn on: sizes in pixels, axes in the theme's colours, words, and legends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from monitoring.preview import units
from monitoring.preview.boards import Place
from monitoring.preview.colors import FAINT, GRID, PANEL, TEXT, color
from monitoring.preview.window import Window

DPI = 100
SMALL = 11
"""The height of most letters, in pixels."""

_LINE, _BETWEEN = 18, 14
_MOST_LINES = 3
_TO_THE_EDGE = 18
"""How many pixels before the right edge the middle of the last label may be."""

_MOMENTS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_BINARY = {"bytes", "binBps"}
_HUNDREDS = {"none": 1, "percentunit": 100}
"""What values of a unit are multiplied by as they are written, where all of them are alike."""


@dataclass(frozen=True)
class Entry:
    """A series in a legend: its colour, its name, and a number."""

    color: str
    name: str
    number: str = ""


def points(pixels: float) -> float:
    """Return a size in matplotlib's points."""
    return pixels * 72 / DPI


def blank(place: Place) -> Figure:
    """Return an empty picture of the size of a panel's inside."""
    width, height = place.inside
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PANEL)
    FigureCanvasAgg(figure)
    return figure


def pixels(figure: Figure) -> tuple[float, float]:
    """Return a picture's width and height."""
    width, height = figure.get_size_inches() * DPI
    return float(width), float(height)


def write(
    figure: Figure, x: float, y: float, text: str, tone: str = TEXT, size: float = SMALL, at: str = "left"
) -> None:
    """Write a line, its middle at a height from the top, both in pixels."""
    width, height = pixels(figure)
    figure.text(
        x / width,
        1 - y / height,
        text,
        color=tone,
        fontsize=points(size),
        ha=at,
        va="center_baseline",
        parse_math=False,
    )


def breadth(figure: Figure, text: str, size: float = SMALL) -> float:
    """Return how wide a text is, in pixels."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    width, _, _ = renderer.get_text_width_height_descent(text, FontProperties(size=points(size)), ismath=False)
    return float(width)


def say(figure: Figure, text: str, tone: str) -> None:
    """Write some words into the middle."""
    width, height = pixels(figure)
    lines = [line for part in text.split("\n") for line in wrap(part, int(width / 7)) or [""]]
    for number, line in enumerate(lines):
        write(figure, width / 2, height / 2 + (number - (len(lines) - 1) / 2) * _LINE, line, tone, 13, "center")


def axes(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Return axes with margins in pixels."""
    width, height = pixels(figure)
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    made = figure.add_axes(box, facecolor=PANEL)
    for spine in made.spines.values():
        spine.set_visible(False)
    made.grid(visible=True, color=GRID, linewidth=0.6)
    made.set_axisbelow(True)
    made.tick_params(colors=FAINT, labelcolor=TEXT, labelsize=points(SMALL), length=0, pad=4)
    return made


def legend(figure: Figure, entries: Sequence[Entry]) -> float:
    """Write a legend along the lower edge, and return its height; what does not fit is counted."""
    width, height = pixels(figure)
    lines: list[list[tuple[float, Entry]]] = [[]]
    x = 0.0
    for entry in entries:
        taken = _BETWEEN + 4 + breadth(figure, _spell(entry)) + _BETWEEN
        if lines[-1] and x + taken > width:
            lines.append([])
            x = 0.0
        lines[-1].append((x, entry))
        x += taken
    shown = lines[:_MOST_LINES]
    hidden = sum(map(len, lines[_MOST_LINES:]))
    for number, line in enumerate(shown):
        y = height - _LINE * (len(shown) - number - 0.5)
        for x, entry in line:
            _dash(figure, x, y, entry.color)
            write(figure, x + _BETWEEN + 4, y, _spell(entry))
    if hidden:
        write(figure, width, height - _LINE / 2, f"and {hidden} more", FAINT, at="right")
    return _LINE * len(shown)


def _spell(entry: Entry) -> str:
    return f"{entry.name}   Last *: {entry.number}" if entry.number else entry.name


def _dash(figure: Figure, x: float, y: float, tone: str) -> None:
    width, height = pixels(figure)
    ends = [x / width, (x + _BETWEEN) / width], [1 - y / height] * 2
    figure.add_artist(Line2D(*ends, color=tone, linewidth=points(4), solid_capstyle="round"))


def over_time(made: Axes, window: Window, width: float) -> None:
    """Give axes the time that is looked at, with a label about every hundred pixels."""
    wanted = window.range * 100 / width
    gap = next((gap for gap in _MOMENTS if gap >= wanted), _MOMENTS[-1])
    last = window.end - _TO_THE_EDGE * window.range / width  # a label that is cut says another time
    ticks = [gap * number for number in range(math.ceil(window.start / gap), math.floor(last / gap) + 1)]
    form = "%H:%M:%S" if gap < 60 else "%H:%M" if gap < 86400 else "%m/%d"
    made.set_xlim(window.start, window.end)
    made.set_xticks(ticks, [datetime.fromtimestamp(tick, UTC).strftime(form) for tick in ticks])


def value_ticks(low: float, high: float, unit: str) -> tuple[list[float], list[str]]:
    """Return round values between two, about five of them, and what they read as in a unit."""
    wanted = (high - low) / 5
    if unit in _BINARY:
        gap = 2.0 ** math.ceil(math.log2(wanted))
    else:
        power = 10.0 ** math.floor(math.log10(wanted))
        gap = power * next((round_ for round_ in (1, 2, 2.5, 5) if round_ * power >= wanted * 0.999), 10)
    ticks = [gap * number for number in range(math.ceil(low / gap), math.floor(high / gap * 1.0001) + 1)]
    decimals = _decimals(gap * _HUNDREDS[unit]) if unit in _HUNDREDS else None
    return ticks, [units.write(float(f"{tick:.14g}"), unit, decimals) for tick in ticks]


def _decimals(gap: float) -> int:
    """Return how many decimals tell a round gap."""
    return next(number for number in range(16) if math.isclose(gap, round(gap, number), rel_tol=1e-9))


def mark(made: Axes, starts_and_ends: Sequence[tuple[float, float]]) -> None:
    """Shade what is marked, between dashed lines."""
    red = color("red")
    for start, end in starts_and_ends:
        made.axvspan(start, end, color=red, alpha=0.12, linewidth=0)
        for moment in (start, end):
            made.axvline(moment, color=red, linewidth=0.8, linestyle=(0, (4, 3)))
