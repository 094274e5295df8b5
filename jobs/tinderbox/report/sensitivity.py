"""How the result depends on one number, with a line for each value of a second parameter.

The chart of the Databricks study (error against base learning rate, one line per width), for any sweep.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from tinderbox.config import ChoiceParameter, FloatParameter, Number, SweepJob, Value
from tinderbox.report.colors import INK, MAXIMUM, ramp
from tinderbox.report.wording import number, plain
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes

NOTHING = "No number took two values in complete trials, so there is no curve to draw."

_ACCURACY = re.compile(r"(^|_)acc(uracy)?(_|$)", re.IGNORECASE)
_WIDE = 15.0
"""The ratio of largest to smallest value from which on a logarithmic axis shows more."""
_FEW = 12
"""How many values of a parameter are all written on its axis."""


@dataclass(frozen=True)
class Point:
    """One trial of a curve."""

    x: float
    y: float
    trial: int


@dataclass(frozen=True)
class Line:
    """The trials that share one value of the second parameter, in the order of x."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Sensitivity:
    """What to draw: `x` and `by` name parameters (`by` empty: one line over all), `y` says what is drawn.

    `connected` is false where further parameters vary: a line from point to point would then mean nothing.
    """

    x: str
    y: str
    by: str
    log_x: bool
    connected: bool
    lines: tuple[Line, ...]
    best: Point | None
    baseline: Point | None

    @property
    def log_y(self) -> bool:
        """Whether values differ so much that a logarithmic axis shows more."""
        heights = [point.y for line in self.lines for point in line.points]
        return min(heights) > 0 and max(heights) / min(heights) > _WIDE

    @property
    def x_ticks(self) -> tuple[float, ...]:
        """The values that trials have where they are few; empty where the plotting library chooses better ones."""
        places = {point.x for line in self.lines for point in line.points}
        return tuple(sorted(places)) if len(places) <= _FEW else round_ticks(places, self.log_x)

    @property
    def y_ticks(self) -> tuple[float, ...]:
        """Round values on a logarithmic axis; empty where the plotting library chooses better ones."""
        return round_ticks({point.y for line in self.lines for point in line.points}, self.log_y)


def curves(study: Study, job: SweepJob) -> Sensitivity | None:
    """Return the sensitivity curves of a study, None where no number took two values in complete trials.

    Of several trials at one place, which differ in further parameters, the best is taken.
    """
    trials = [trial for trial in study.ranked() if math.isfinite(trial.value(study.metric) or 0.0)]
    varied = _varied(trials, job)
    x = _choose_x(job, varied)
    if x is None:
        return None
    placed = [trial for trial in trials if x in trial.parameters]
    by = _choose_lines(job, {name: values for name, values in _varied(placed, job).items() if name != x}, placed)
    as_error = _is_accuracy(job, placed)
    points = {trial.number: _point(trial, study.metric, x, as_error) for trial in placed}
    return Sensitivity(
        x=x,
        y="error in %" if as_error else study.metric,
        by=by,
        log_x=getattr(job.parameters[x], "log", False),
        connected=varied.keys() <= {x, by},
        lines=_lines(placed, points, by, job),
        best=points.get(study.best.number) if study.best else None,
        baseline=points.get(study.baseline.number) if study.baseline else None,
    )


def _varied(trials: list[Trial], job: SweepJob) -> dict[str, list[Value]]:
    """Return the values of each parameter that took two; a default that only the baseline has makes no line."""
    searched = [trial.parameters for trial in trials if not trial.baseline]
    values = {
        name: list(dict.fromkeys(chosen[name] for chosen in searched if name in chosen)) for name in job.parameters
    }
    return {name: found for name, found in values.items() if len(found) > 1}


def _choose_x(job: SweepJob, varied: dict[str, list[Value]]) -> str | None:
    """Return a number on a logarithmic scale before any other, real before whole, then the one with most values."""

    def rank(name: str) -> tuple[bool, int]:
        parameter = job.parameters[name]
        return isinstance(parameter, FloatParameter) and parameter.log, len(varied[name])

    numbers = [name for name in varied if isinstance(job.parameters[name], Number)]
    return max(numbers, key=rank, default=None)


def _choose_lines(job: SweepJob, varied: dict[str, list[Value]], trials: list[Trial]) -> str:
    """Return the parameter with most values, few enough for a line each, that all trials have; empty if none does."""
    few = [
        name
        for name, values in varied.items()
        if len(values) <= MAXIMUM and all(name in trial.parameters for trial in trials)
    ]
    return max(few, key=lambda name: (len(varied[name]), isinstance(job.parameters[name], Number)), default="")


def _is_accuracy(job: SweepJob, trials: list[Trial]) -> bool:
    if job.metric.direction != "maximize" or not _ACCURACY.search(job.metric.name):
        return False
    return all(0 <= (trial.value(job.metric.name) or 0.0) <= 1 for trial in trials)


def _point(trial: Trial, metric: str, x: str, as_error: bool) -> Point:
    value = trial.value(metric) or 0.0
    # Ten digits, so that 1 - 0.97 is an error of 3 and not of 3.0000000000000027.
    return Point(float(trial.parameters[x]), round(100 * (1 - value), 10) if as_error else value, trial.number)


def _lines(placed: list[Trial], points: dict[int, Point], by: str, job: SweepJob) -> tuple[Line, ...]:
    """Return one line per value, numbers in their order and choices in the job's; `placed` comes best first."""
    if not by:
        return (Line("", _best_per_place([points[trial.number] for trial in placed])),)
    parameter = job.parameters[by]
    values = {trial.parameters[by]: plain(trial.parameters[by]) for trial in placed if not trial.baseline}
    order = parameter.choices.index if isinstance(parameter, ChoiceParameter) else float
    return tuple(
        Line(
            values[value], _best_per_place([points[trial.number] for trial in placed if trial.parameters[by] == value])
        )
        for value in sorted(values, key=order)
    )


def _best_per_place(points: list[Point]) -> tuple[Point, ...]:
    best = {point.x: point for point in reversed(points)}
    return tuple(best[x] for x in sorted(best))


def round_ticks(values: set[float], log: bool) -> tuple[float, ...]:
    """Return 1, 2 and 5 of each order of magnitude, 1 alone over more than three; none for a linear axis."""
    if not log:
        return ()
    low, high = min(values), max(values)
    steps = (1, 2, 5) if high / low <= 1000 else (1,)
    orders = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [float(f"{step}e{order}") for order in orders for step in steps]
    return tuple(tick for tick in ticks if low <= tick <= high)


def draw_figure(data: Sensitivity) -> go.Figure:
    """Return the curves as a plotly figure."""
    import plotly.graph_objects as go

    about = f"%{{text}}<br>{data.x} = %{{x:.4g}}<br>{escape(data.y)}: %{{y:.4g}}"
    figure = go.Figure()
    for line, color in zip(data.lines, ramp(len(data.lines)), strict=True):
        figure.add_scatter(
            x=[point.x for point in line.points],
            y=[point.y for point in line.points],
            text=[f"trial {point.trial}" for point in line.points],
            name=escape(line.label) or "trials",
            mode="lines+markers" if data.connected else "markers",
            line={"color": color, "width": 2},
            marker={"color": color, "size": 7},
            hovertemplate=about,
        )
    for name, point, symbol in _marks(data):
        marker = {"symbol": f"{symbol}-open", "size": 15, "color": INK, "line": {"width": 2}}
        text = [f"{name}: trial {point.trial}"]
        figure.add_scatter(
            x=[point.x],
            y=[point.y],
            text=text,
            name=name,
            mode="markers",
            marker=marker,
            hovertemplate=f"{about}<extra></extra>",
        )
    figure.update_layout(
        xaxis={"title": {"text": data.x}, **_scale(data.log_x, data.x_ticks)},
        yaxis={"title": {"text": escape(data.y)}, **_scale(data.log_y, data.y_ticks)},
        legend={"title": {"text": data.by or None}},
    )
    return figure


def _scale(log: bool, ticks: tuple[float, ...]) -> dict[str, Any]:
    """Return what plotly needs for an axis; without ticks it chooses its own."""
    labels = {"tickvals": ticks, "ticktext": [number(tick) for tick in ticks]} if ticks else {}
    return {"type": "log" if log else "linear", **labels}


def draw_axes(data: Sensitivity, axes: Axes) -> None:
    """Draw the curves on matplotlib axes."""
    for line, color in zip(data.lines, ramp(len(data.lines)), strict=True):
        xs, ys = [point.x for point in line.points], [point.y for point in line.points]
        axes.plot(xs, ys, "o-" if data.connected else "o", color=color, label=line.label or "trials", markersize=4)
    for name, point, symbol in _marks(data):
        marker = {"circle": "o", "diamond": "D"}[symbol]
        axes.plot(point.x, point.y, marker, color=INK, fillstyle="none", markersize=11, label=name, zorder=3)
    axes.set(
        xlabel=data.x,
        ylabel=data.y,
        xscale="log" if data.log_x else "linear",
        yscale="log" if data.log_y else "linear",
    )
    for axis, ticks in ((axes.xaxis, data.x_ticks), (axes.yaxis, data.y_ticks)):
        if ticks:
            axis.set_ticks(ticks, [number(tick) for tick in ticks])
            axis.set_ticks([], minor=True)
    axes.legend(title=data.by or None)


def _marks(data: Sensitivity) -> list[tuple[str, Point, str]]:
    """Return name, point and symbol of the trials to point out."""
    marks = [("best", data.best, "circle"), ("default parameters", data.baseline, "diamond")]
    return [(name, point, symbol) for name, point, symbol in marks if point is not None]
