"""Points of one number against another, a colour for each series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.colors import TEXT
from monitoring.preview.draw.canvas import SMALL, Entry, axes, blank, breadth, legend, points, value_ticks
from monitoring.preview.draw.reading import heed
from monitoring.preview.errors import Unsupported
from monitoring.preview.fields import shade
from monitoring.preview.frames import Field, display_name

CUSTOM = {"axisLabel", "fillOpacity", "scaleDistribution", "show"}


@dataclass(frozen=True)
class Cloud:
    """The points of one series."""

    name: str
    color: str
    x: Field
    y: Field


def draw(answer: Answer, desk: Desk) -> Figure:
    """Draw a panel of kind xychart that finds its columns itself: the first number is x, each other one is y."""
    heed(answer.panel, "mapping", "auto")
    heed(answer.panel, "series", [])
    clouds = _clouds(answer)
    figure = blank(answer.panel.place)
    below = legend(figure, [Entry(cloud.color, cloud.name) for cloud in clouds])
    low, high = _span([cloud.y for cloud in clouds], False)
    ticks, labels = value_ticks(low, high, clouds[0].y.config.get("unit", "none"))
    made = axes(figure, max(breadth(figure, label) for label in labels) + 28, 8, 16, below + 40)
    made.set_ylim(low, high)
    made.set_yticks(ticks, labels)
    _across(made, clouds)
    for cloud in clouds:
        _scatter(made, cloud)
    made.set_xlabel(_label([it.x for it in clouds], answer), color=TEXT, fontsize=points(SMALL), parse_math=False)
    made.set_ylabel(_label([it.y for it in clouds], answer), color=TEXT, fontsize=points(SMALL), parse_math=False)
    return figure


def _scatter(made: Axes, cloud: Cloud) -> None:
    custom = cloud.y.config.get("custom", {})
    if custom.get("show", "points") != "points":
        raise Unsupported(f"an XY chart of {custom['show']!r} is not drawn here, only one of points")
    opacity = custom.get("fillOpacity", 50) / 100
    face, size = (*to_rgb(cloud.color), opacity), points(9) ** 2
    made.scatter(cloud.x.values, cloud.y.values, s=size, color=face, edgecolors=cloud.color, linewidths=points(1))


def _clouds(answer: Answer) -> list[Cloud]:
    found = []
    for frame in answer.frames:
        numbers = frame.numbers()
        found += [(display_name(y, frame, answer.frames), numbers[0], y) for y in numbers[1:]]
    if not found:
        raise Unsupported("points need two columns of numbers, and the transformations leave none")
    names = _short([name for name, _, _ in found])
    return [
        Cloud(name, shade(y, None, place, "palette-classic"), x, y)
        for place, (name, (_, x, y)) in enumerate(zip(names, found, strict=True))
    ]


def _shared(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words that all names begin with, and those that all end with; none of one name alone."""
    words = [name.split() for name in names] if len(names) > 1 else []
    return _alike(words), _alike([each[::-1] for each in words])[::-1]


def _alike(lists: Sequence[Sequence[str]]) -> list[str]:
    beside = takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False))
    return [words[0] for words in beside]


def _short(names: Sequence[str]) -> list[str]:
    """Return names without the words that all of them share, as Grafana shows them."""
    before, after = map(len, _shared(names))
    return [" ".join(name.split()[before : len(name.split()) - after]) for name in names]


def _label(columns: Sequence[Field], answer: Answer) -> str:
    """Return what an axis is called: as it is set, or by the words that its columns share."""
    if label := columns[0].config.get("custom", {}).get("axisLabel"):
        return str(label)
    called = [(it, frame) for frame in answer.frames for it in frame.fields if any(it is one for one in columns)]
    names = list(dict.fromkeys(display_name(column, frame, answer.frames) for column, frame in called))
    return names[0] if len(names) == 1 else " ".join(word for words in _shared(names) for word in words)


def _span(columns: Sequence[Field], logarithmic: bool) -> tuple[float, float]:
    values = [value for column in columns for value in column.values if value is not None and math.isfinite(value)]
    values = [value for value in values if value > 0 or not logarithmic] or [1.0]
    low, high = min(values), max(values)
    if logarithmic:
        return low / 1.3, high * 1.3
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _across(made: Axes, clouds: Sequence[Cloud]) -> None:
    x = clouds[0].x
    scale = x.config.get("custom", {}).get("scaleDistribution", {"type": "linear"})
    if scale["type"] not in ("linear", "log"):
        raise Unsupported(f"a scale of type {scale['type']!r} is not drawn here, only linear and log")
    logarithmic = scale["type"] == "log"
    low, high = _span([cloud.x for cloud in clouds], logarithmic)
    if logarithmic:
        made.set_xscale("log", base=scale.get("log", 10))
        made.minorticks_off()
        made.set_xlim(low, high)
        made.xaxis.set_major_formatter("{x:g}")
    else:
        ticks, labels = value_ticks(low, high, x.config.get("unit", "none"))
        made.set_xlim(low, high)
        made.set_xticks(ticks, labels)
