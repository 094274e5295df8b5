"""What each slot did when: one bar per attempt, a row per slot, colored by how the attempt ended."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from tinderbox.report.colors import OUTCOMES
from tinderbox.report.wording import duration, number, parameters
from tinderbox.sweeping.history import Attempt, Trial
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.axes import Axes

NOTHING = "No trial has started yet."

_UNITS = ((3 * 3600, 3600, "hours"), (180, 60, "minutes"), (0, 1, "seconds"))


@dataclass(frozen=True)
class Bar:
    """One attempt: `start` and `length` in seconds since the study's start, `about` for whoever points at it."""

    slot: str
    start: float
    length: float
    outcome: str
    about: tuple[str, ...]


def bars(study: Study) -> list[Bar]:
    """Return all attempts in the order of trials; one that runs lasts until the study's newest event."""
    begin = study.started or 0.0
    return [
        Bar(
            slot=attempt.slot,
            start=attempt.started - begin,
            length=(attempt.ended or study.newest) - attempt.started,
            outcome=attempt.outcome or "running",
            about=_describe(trial, attempt, study),
        )
        for _, trial in sorted(study.trials.items())
        for attempt in trial.attempts
    ]


def _describe(trial: Trial, attempt: Attempt, study: Study) -> tuple[str, ...]:
    length = duration((attempt.ended or study.newest) - attempt.started)
    lines = [
        f"trial {trial.number}, attempt {attempt.number}: {attempt.outcome or 'running'}",
        parameters(trial.parameters),
        f"{length} on {attempt.node}",
    ]
    if attempt.number == trial.attempt:
        lines.insert(2, f"{study.metric}: {number(trial.value(study.metric))}")
    return (*lines, attempt.cause) if attempt.cause else tuple(lines)


def draw_figure(found: list[Bar]) -> go.Figure:
    """Return the bars as a plotly figure."""
    import plotly.graph_objects as go

    scale, unit = _choose_unit(found)
    figure = go.Figure()
    for outcome, color in OUTCOMES.items():
        members = [bar for bar in found if bar.outcome == outcome]
        if members:
            figure.add_bar(
                orientation="h",
                name=outcome,
                y=[escape(bar.slot) for bar in members],
                base=[bar.start / scale for bar in members],
                x=[bar.length / scale for bar in members],
                text=["<br>".join(escape(line) for line in bar.about) for bar in members],
                textposition="none",
                hovertemplate="%{text}<extra></extra>",
                marker={"color": color, "line": {"width": 1, "color": "rgba(127,127,127,0.35)"}},
                width=0.72,
            )
    slots = _slots(found)
    figure.update_layout(
        barmode="overlay",
        height=height(found),
        xaxis={"title": {"text": f"{unit} since the study began"}, "rangemode": "tozero"},
        yaxis={
            "categoryorder": "array",
            "categoryarray": [escape(slot) for slot in reversed(slots)],
            "showgrid": False,
        },
        hovermode="closest",
    )
    return figure


def draw_axes(found: list[Bar], axes: Axes) -> None:
    """Draw the bars on matplotlib axes."""
    scale, unit = _choose_unit(found)
    slots = _slots(found)
    for outcome, color in OUTCOMES.items():
        members = [bar for bar in found if bar.outcome == outcome]
        if members:
            axes.barh(
                [slots.index(bar.slot) for bar in members],
                [bar.length / scale for bar in members],
                left=[bar.start / scale for bar in members],
                color=color,
                edgecolor="white",
                linewidth=0.4,
                label=outcome,
            )
    axes.set_yticks(range(len(slots)), slots)
    axes.invert_yaxis()
    axes.set_xlabel(f"{unit} since the study began")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(OUTCOMES), frameon=False)


def height(found: list[Bar]) -> int:
    """Return a height for the whole picture in pixels."""
    return min(900, 130 + 34 * len(_slots(found)))


def _choose_unit(found: list[Bar]) -> tuple[int, str]:
    span = max(bar.start + bar.length for bar in found)
    return next((scale, unit) for least, scale, unit in _UNITS if span >= least)


def _slots(found: list[Bar]) -> list[str]:
    """Return the slots in their order, slot-2 before slot-10."""
    return sorted({bar.slot for bar in found}, key=lambda slot: (len(slot), slot))
