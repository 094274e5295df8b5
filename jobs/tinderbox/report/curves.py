"""A training as pictures: its metrics, how long its steps took, and what its workers sent each other, by epoch."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from tinderbox.config import TrainJob
from tinderbox.report.colors import ACCENT, BEST, ENDINGS, INK
from tinderbox.report.epochs import (
    HELD_OUT,
    SHARES,
    Break,
    aim,
    are_same,
    best_by_job,
    breaks,
    metrics,
    steps,
    title,
    values,
)
from tinderbox.report.plots import Plot
from tinderbox.report.wording import byte_unit, count, number, size
from tinderbox.training.history import Training
from tinderbox.training.record import EpochEnded

if TYPE_CHECKING:
    import plotly.graph_objects as go

_POINTS = 60
"""Up to so many epochs each has a point of its own; more are a line."""
_WIDE = 5.0
"""The ratio of what whole gradients take to what was sent, from which on a logarithmic axis shows more."""
_LETTERS = 80
"""How many letters of a cause stand in a line."""


def plots(training: Training, job: TrainJob) -> list[Plot]:
    """Return all plots of a training, none before its first epoch has ended."""
    return [*learning(training, job), timing(training), traffic(training)] if training.history else []


def learning(training: Training, job: TrainJob) -> list[Plot]:
    """Return a plot for each metric; shares have one together, and a metric that is the loss itself has none."""
    history = training.history
    found, loss = metrics(history), values(history, "loss")
    shares = [name for name in found if name in SHARES]
    others = [
        name for name in found if name not in SHARES and name != "loss" and not are_same(values(history, name), loss)
    ]
    groups = [*([["loss"]] if "loss" in found else []), *([shares] if shares else []), *([name] for name in others)]
    return [_plot_metrics(training, job, names) for names in groups]


def _plot_metrics(training: Training, job: TrainJob, names: list[str]) -> Plot:
    told = "Means over all examples, by epoch."
    if len(names) > 1:
        told += f" Lines are {title(names[0])}, dots {title(names[1])}."
    if (by := aim(job, training.history)) and len(training.history) > 1:
        told += f" The ring is the best epoch by {by.metric}."
    if ended := breaks(training):
        told += (
            f" Where {count(len(ended), 'attempt')} ended early there is a dotted line; point at its top to see why."
        )
    return Plot("-".join(names), " and ".join(map(title, names)), told, draw_metrics(training, job, names))


def draw_metrics(training: Training, job: TrainJob, names: list[str]) -> go.Figure:
    """Return metrics of training and validation as lines, the best epoch and the ends of attempts marked."""
    import plotly.graph_objects as go

    figure, history = go.Figure(), training.history
    share = names[0] in SHARES
    for name, dash in zip(names, ("solid", "dot"), strict=False):
        for metric, part, color in ((name, "training", ACCENT), (HELD_OUT + name, "validation", BEST)):
            found = _scaled(history, metric)
            if any(value is not None for value in found):
                called = f"{title(name)}, {part}" if len(names) > 1 else part
                _add_line(figure, history, found, called, {"color": color, "dash": dash}, " %" if share else "")
    _ring_best(figure, training, job, names[0])
    _mark_breaks(figure, breaks(training))
    label = "share of examples in %" if share else title(names[0])
    figure.update_layout(xaxis=_epochs(training), yaxis={"title": {"text": escape(label)}}, hovermode="closest")
    return figure


def _scaled(history: Sequence[EpochEnded], metric: str) -> list[float | None]:
    """Return a metric by epoch, shares in percent."""
    factor = 100 if metric.removeprefix(HELD_OUT) in SHARES else 1
    return [None if value is None else factor * value for value in values(history, metric)]


def _add_line(
    figure: go.Figure,
    history: Sequence[EpochEnded],
    heights: Sequence[float | None],
    name: str,
    line: dict[str, str],
    unit: str,
) -> None:
    figure.add_scatter(
        x=[row.epoch for row in history],
        y=heights,
        name=escape(name),
        mode="lines+markers" if len(history) <= _POINTS else "lines",
        line={"width": 2, **line},
        marker={"color": line["color"], "size": 6},
        hovertemplate=f"epoch %{{x}}, {escape(name)}: %{{y:.4g}}{unit}<extra></extra>",
    )


def _ring_best(figure: go.Figure, training: Training, job: TrainJob, name: str) -> None:
    """Ring the best epoch, on the line of validation where there is one."""
    history = training.history
    found = best_by_job(history, job)
    if found is None or len(history) < 2:
        return
    metric = HELD_OUT + name if HELD_OUT + name in found.metrics else name
    height = _scaled([found], metric)
    ring = {"symbol": "circle-open", "size": 15, "color": INK, "line": {"width": 2}}
    figure.add_scatter(x=[found.epoch], y=height, name="best epoch", mode="markers", marker=ring, hoverinfo="skip")


def _mark_breaks(figure: go.Figure, ended: Sequence[Break]) -> None:
    """Draw a dotted line where attempts ended early, in the color of the last, and a point on top that says why."""
    if not ended:
        return
    places: dict[float, list[Break]] = {}
    for one in ended:
        places.setdefault(one.place, []).append(one)
    colors = [ENDINGS[there[-1].outcome] for there in places.values()]
    for place, color in zip(places, colors, strict=True):
        figure.add_vline(x=place, line={"color": color, "width": 1.5, "dash": "dot"})
    figure.add_scatter(
        x=list(places),
        y=[1.0] * len(places),
        yaxis="y2",
        name="attempt ended",
        mode="markers",
        marker={"symbol": "triangle-down", "size": 11, "color": colors},
        text=["<br>".join(escape(line) for one in there for line in _about(one)) for there in places.values()],
        hovertemplate="%{text}<extra></extra>",
        cliponaxis=False,
    )
    figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})


def _about(one: Break) -> Iterator[str]:
    attempt = one.attempt
    yield f"attempt {attempt.number}: {one.outcome.replace('_', ' ')}"
    yield f"{count(len(attempt.members), 'worker')}, in epoch {one.place + 0.5:.0f}"
    yield from textwrap.wrap(one.cause, _LETTERS)


def _epochs(training: Training) -> dict[str, Any]:
    """Return the axis of epochs: whole numbers, and room for the ends of attempts."""
    places = [*(float(row.epoch) for row in training.history), *(one.place for one in breaks(training))]
    low, high = min(places), max(places)
    margin = max(0.3, 0.03 * (high - low))
    few = {"dtick": 1} if high - low <= 20 else {}
    return {"title": {"text": "epoch"}, "range": [low - margin, high + margin], "tickformat": ",d", **few}


def timing(training: Training) -> Plot:
    """Return how long a step took, by epoch, and how much of that was waiting for others."""
    pairs = [(row, made) for row, made in zip(training.history, steps(training), strict=True) if made]
    if not pairs:
        return Plot("steps", "Step time", "No step has been timed yet.", None)
    seconds, waited = sum(row.seconds for row, _ in pairs), sum(_waited(row) for row, _ in pairs)
    told = f"A step took {number(1000 * seconds / sum(made for _, made in pairs))} ms in the mean"
    if seconds:
        told += f", {100 * waited / seconds:.1f} % of it in exchange with other workers" if waited else ""
        told += (
            f", and all workers together trained on {sum(row.examples for row, _ in pairs) / seconds:,.0f} examples/s"
        )
    return Plot("steps", "Step time", f"{told}. The slowest worker counts.", draw_timing(pairs))


def draw_timing(pairs: Sequence[tuple[EpochEnded, int]]) -> go.Figure:
    """Return the two parts of a step as stacked bars, from epochs and how many steps each had."""
    import plotly.graph_objects as go

    figure = go.Figure()
    parts = {
        "computing": (ACCENT, [1000 * (row.seconds - _waited(row)) / made for row, made in pairs]),
        "exchange": (BEST, [1000 * _waited(row) / made for row, made in pairs]),
    }
    for name, (color, heights) in parts.items():
        figure.add_bar(
            x=[row.epoch for row, _ in pairs],
            y=heights,
            name=name,
            marker={"color": color},
            customdata=[f"{count(made, 'step')}, {count(row.workers, 'worker')}" for row, made in pairs],
            hovertemplate=f"epoch %{{x}}, {name}: %{{y:.4g}} ms (%{{customdata}})<extra></extra>",
        )
    first, last = pairs[0][0].epoch, pairs[-1][0].epoch
    few = {"dtick": 1} if last - first <= 20 else {}
    axis = {"title": {"text": "epoch"}, "range": [first - 0.7, last + 0.7], "tickformat": ",d", **few}
    height = {"title": {"text": "ms"}, "rangemode": "tozero"}
    gap = 0.25 if len(pairs) <= _POINTS else 0
    figure.update_layout(barmode="stack", bargap=gap, height=320, xaxis=axis, yaxis=height, hovermode="closest")
    return figure


def _waited(row: EpochEnded) -> float:
    """Return the seconds of an epoch's steps in exchange, which may have gone on after the last step."""
    return min(row.sync_seconds, row.seconds)


def traffic(training: Training) -> Plot:
    """Return how many bytes workers sent, by epoch, beside what whole gradients had taken."""
    history = training.history
    sent, dense = sum(row.sent for row in history), sum(row.dense for row in history)
    if not sent and not dense:
        return Plot("bytes", "Bytes sent", "Nothing was sent: a worker alone has nobody to exchange with.", None)
    share = f", {100 * sent / dense:.3g} % of the {size(dense)} that whole gradients take" if dense else ""
    return Plot("bytes", "Bytes sent", f"All workers sent {size(sent)}{share}.", draw_traffic(training))


def draw_traffic(training: Training) -> go.Figure:
    """Return bytes by epoch as lines."""
    import plotly.graph_objects as go

    figure, history = go.Figure(), training.history
    amounts = [amount for row in history for amount in (row.sent, row.dense) if amount]
    scale, unit = byte_unit(max(amounts))
    # An epoch of one worker alone has a gap: a logarithmic axis has no zero.
    dense, sent = ([amount / scale or None for amount in column] for column in _columns(history))
    _add_line(figure, history, dense, "whole gradients", {"color": INK, "dash": "dash"}, f" {unit}")
    _add_line(figure, history, sent, "sent", {"color": BEST, "dash": "solid"}, f" {unit}")
    wide = max(amounts) / min(amounts) > _WIDE
    axis = {"type": "log", "dtick": 1} if wide else {"rangemode": "tozero"}
    height = {"title": {"text": f"{unit} in an epoch"}, **axis}
    figure.update_layout(height=320, xaxis=_epochs(training), yaxis=height, hovermode="closest")
    return figure


def _columns(history: Sequence[EpochEnded]) -> tuple[list[int], list[int]]:
    return [row.dense for row in history], [row.sent for row in history]
