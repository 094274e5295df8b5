"""The rounds of a search as a picture: every trial as a point, and around those of a round its box."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING, Any

from tinderbox.report.axes import Axis
from tinderbox.report.colors import INK, SCALE, ramp
from tinderbox.report.zoom import Point, Round, Zoomed

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes

ABOUT = (
    "Zoom rounds",
    "Every point is a trial, from small and gray for the worst to large and orange for the best, framed in the color "
    "of its round; crosses failed, diverged, break a constraint, or are too young to be compared. A box is where its "
    "round searched. The axes are the parameters that were narrowed or moved most.",
)
"""Title and explanation."""

NOTHING = "No parameter that all trials have took two values yet."

_LETTERS = 105
"""How many letters of a sentence stand in a line of the picture."""


def notes(data: Zoomed) -> list[tuple[str, str]]:
    """Return the color of each round and its sentence."""
    return [(color, one.sentence) for one, color, _ in _lines(data)]


def _lines(data: Zoomed) -> list[tuple[Round, str, float]]:
    """Return the rounds with color and width of their lines: earlier ones are wider, to be seen below later ones."""
    widths = [min(2 + 1.5 * after, 6.5) for after in reversed(range(len(data.rounds)))]
    return list(zip(data.rounds, ramp(len(data.rounds)), widths, strict=True))


def draw_figure(data: Zoomed) -> go.Figure:
    """Return the rounds as a plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for index, (one, color, width) in enumerate(_lines(data), start=1):
        xs, ys = _corners(one)
        line = {"color": color, "width": width}
        figure.add_scatter(x=xs, y=ys, name=f"round {index}", mode="lines", line=line, hoverinfo="skip")
    for index, (one, color, _) in enumerate(_lines(data), start=1):
        ranked, others = _split(one)
        ranks = [rank for _, rank in ranked]
        shades = {"color": ranks, "coloraxis": "coloraxis", "line": {"color": color, "width": 1.5}, "opacity": 1}
        _add_points(figure, index, others, {"symbol": "x", "size": 7, "color": color})
        _add_points(figure, index, [point for point, _ in ranked], {"size": [*map(_size, ranks)], **shades})
    if data.best:
        ring = {"symbol": "circle-open", "size": 19, "color": INK, "line": {"width": 2}}
        figure.add_scatter(x=[data.best.x], y=[data.best.y], name="best", mode="markers", marker=ring, hoverinfo="skip")
    figure.update_layout(height=520, xaxis=_axis(data.x), yaxis=_axis(data.y), coloraxis=_shades(), hovermode="closest")
    return figure


def _add_points(figure: go.Figure, index: int, points: list[Point], marker: dict[str, Any]) -> None:
    figure.add_scatter(
        x=[point.x for point in points],
        y=[point.y for point in points],
        text=["<br>".join(escape(line) for line in (*point.about, f"round {index}")) for point in points],
        mode="markers",
        marker=marker,
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )


def _corners(one: Round) -> tuple[list[float], list[float]]:
    (left, right), (low, high) = one.x, one.y
    return [left, right, right, left, left], [low, low, high, high, low]


def _split(one: Round) -> tuple[list[tuple[Point, float]], list[Point]]:
    """Return the points of a round that have a rank, with it and the best last, hence on top, and the others."""
    ranked = [(point, point.rank) for point in one.points if point.rank is not None]
    return sorted(ranked, key=lambda pair: pair[1]), [point for point in one.points if point.rank is None]


def _size(rank: float) -> float:
    """Return a diameter: better trials are larger too, for some colors between the worst and the best are grayish."""
    return 6 + 6 * rank


def _shades() -> dict[str, Any]:
    even = [[index / (len(SCALE) - 1), color] for index, color in enumerate(SCALE)]
    bar = {"tickvals": [0, 1], "ticktext": ["worst", "best"], "thickness": 12, "len": 0.5}
    return {"colorscale": even, "cmin": 0, "cmax": 1, "colorbar": bar}


def _axis(axis: Axis) -> dict[str, Any]:
    labels = {"tickvals": list(axis.ticks), "ticktext": [escape(text) for text in axis.ticks.values()]}
    return {"title": {"text": axis.name}, "type": "log" if axis.log else "linear", **(labels if axis.ticks else {})}


def draw_axes(data: Zoomed, axes: Axes) -> None:
    """Draw the rounds on matplotlib axes, their sentences below them."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("best", SCALE)
    for one, color, width in _lines(data):
        axes.plot(*_corners(one), color=color, linewidth=0.7 * width, label=textwrap.fill(one.sentence, _LETTERS))
        ranked, others = _split(one)
        axes.plot([point.x for point in others], [point.y for point in others], "x", color=color, markersize=5)
        axes.scatter(
            [point.x for point, _ in ranked],
            [point.y for point, _ in ranked],
            [(0.7 * _size(rank)) ** 2 for _, rank in ranked],  # an area
            [shades(rank) for _, rank in ranked],
            edgecolors=color,
            zorder=3,
        )
    if data.best:
        axes.plot(data.best.x, data.best.y, "o", color=INK, fillstyle="none", markersize=14, label="best", zorder=4)
    axes.figure.colorbar(ScalarMappable(cmap=shades), ax=axes, ticks=[0, 1], shrink=0.5).set_ticklabels(
        ["worst", "best"]
    )
    axes.set(xlabel=data.x.name, ylabel=data.y.name)
    axes.set(xscale="log" if data.x.log else "linear", yscale="log" if data.y.log else "linear")
    for shown, axis in ((axes.xaxis, data.x), (axes.yaxis, data.y)):
        if axis.ticks:
            shown.set_ticks(list(axis.ticks), list(axis.ticks.values()), parse_math=False)
            shown.set_ticks([], minor=True)
    for text in axes.legend(loc="upper left", bbox_to_anchor=(0, -0.12), frameon=False).get_texts():
        text.set_parse_math(False)  # a dollar in the name of a choice is one
