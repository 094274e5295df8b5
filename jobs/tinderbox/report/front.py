"""What can be had of two objectives at once: the complete trials, and among them the front."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from tinderbox.report.colors import ACCENT, BEST, INK
from tinderbox.report.wording import number, parameters
from tinderbox.sweeping.front import front
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes

NOTHING = "No trial is complete yet."

_MARKS = {"not feasible": ("x", INK), "beaten": ("circle", ACCENT), "front": ("diamond", BEST)}
"""Symbols and colors of the groups, in the order in which they are drawn."""
_MARKERS = {"x": "x", "circle": "o", "diamond": "D"}
"""What matplotlib calls the symbols."""


@dataclass(frozen=True)
class Point:
    """One trial, and what is said of it to whoever points at it."""

    x: float
    y: float
    trial: int
    about: tuple[str, ...]


@dataclass(frozen=True)
class Tradeoff:
    """What to draw: `x` and `y` name objectives; each trial is in one of the groups."""

    x: str
    y: str
    groups: dict[str, tuple[Point, ...]]


def tradeoff(study: Study) -> Tradeoff | None:
    """Return the complete trials by the first two objectives, None where there are none."""
    if len(study.signs) < 2:
        return None
    x, y, *_ = study.signs
    chosen = {trial.number for trial in front(study)}
    groups: dict[str, list[Point]] = {name: [] for name in _MARKS}
    for _, trial in sorted(study.trials.items()):
        if trial.state is State.COMPLETE and trial.repeats is None:
            broken = study.broken(trial.last)
            group = "front" if trial.number in chosen else "not feasible" if broken else "beaten"
            about = describe(trial, study)
            groups[group].append(
                Point(trial.last[x], trial.last[y], trial.number, (*about, broken) if broken else about)
            )
    found = {name: tuple(points) for name, points in groups.items() if points}
    return Tradeoff(x, y, found) if found else None


def describe(trial: Trial, study: Study) -> tuple[str, ...]:
    """Return what is said of a trial to whoever points at it."""
    values = (f"{name}: {number(trial.value(name))}" for name in study.reported)
    return f"trial {trial.number}", *values, parameters(trial.parameters)


def draw_figure(data: Tradeoff) -> go.Figure:
    """Return the trials as a plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, points in data.groups.items():
        symbol, color = _MARKS[name]
        figure.add_scatter(
            x=[point.x for point in points],
            y=[point.y for point in points],
            text=["<br>".join(escape(line) for line in point.about) for point in points],
            name=name,
            mode="markers",
            marker={"symbol": symbol, "color": color, "size": 10 if name == "front" else 7},
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_layout(xaxis={"title": {"text": escape(data.x)}}, yaxis={"title": {"text": escape(data.y)}})
    return figure


def draw_axes(data: Tradeoff, axes: Axes) -> None:
    """Draw the trials on matplotlib axes."""
    for name, points in data.groups.items():
        symbol, color = _MARKS[name]
        xs, ys = [point.x for point in points], [point.y for point in points]
        axes.plot(xs, ys, _MARKERS[symbol], color=color, label=name, markersize=7 if name == "front" else 5)
    axes.set(xlabel=data.x, ylabel=data.y)
    axes.legend()
