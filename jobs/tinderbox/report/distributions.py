"""How labels, probabilities and values are spread over all rows, as bars."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from tinderbox.inference.counts import Counts
from tinderbox.inference.summary import CONFIDENCE_BINS, Summary
from tinderbox.inference.values import Values
from tinderbox.report.colors import ACCENT, BEST
from tinderbox.report.plots import Plot
from tinderbox.report.wording import count, number

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHOWN = 30
"""How many labels have a bar of their own."""
_LONGEST = 40
"""How many characters of a label stand beside its bar; all of them are told to whoever points at it."""
_GAP = 0.06


def distributions(summary: Summary) -> list[Plot]:
    """Return the plots of what is there: labels and how sure they are, or the values of a regression."""
    found = []
    if summary.labels.total:
        found.append(Plot("labels", "Labels", _about_labels(summary.labels), draw_labels(summary.labels)))
    if sum(summary.confidence):
        found.append(
            Plot("confidence", "Confidence", _about_confidence(summary.confidence), draw_confidence(summary.confidence))
        )
    for index, values in enumerate(summary.values, start=1):
        title = "Values" if summary.outputs == 1 else f"Values of output {index} of {summary.outputs}"
        figure = draw_values(values) if values.count else None
        found.append(Plot(f"values-{index}", title, _about_values(values), figure))
    return found


def _about_labels(labels: Counts) -> str:
    told = f"How many rows have each label as their first: {count(len(labels.kept), 'label')}"
    shown = labels.top(SHOWN)
    if not shown.others:
        return f"{told}."
    # Without a bar: that of very many others would leave nothing to see of the labels.
    told += " and more" if labels.others else ""
    return (
        f"{told}. The {SHOWN} most frequent are shown; all others have {_share(shown.others, labels.total)} together."
    )


def _about_confidence(confidence: tuple[int, ...]) -> str:
    total, sure, half = sum(confidence), confidence[-1], sum(confidence[: CONFIDENCE_BINS // 2])
    return (
        f"The probability of the first label: at least 0.95 in {100 * sure / total:.1f} % of the rows, "
        f"less than 0.5 in {100 * half / total:.1f} %."
    )


def _about_values(values: Values) -> str:
    odd = f" {count(values.not_finite, 'value')} not finite, left out." if values.not_finite else ""
    if not values.count:
        return f"No value is finite.{odd}"
    return (
        f"{count(values.count, 'value')} with a mean of {number(values.mean)}, "
        f"from {number(values.low)} to {number(values.high)}.{odd}"
    )


def draw_labels(labels: Counts) -> go.Figure:
    """Return the labels that occur most as horizontal bars."""
    shown = labels.top(SHOWN).kept
    places = list(range(len(shown)))
    figure = _bars(
        x=list(shown.values()),
        y=places,
        orientation="h",
        marker={"color": ACCENT},
        text=[f"{amount:,}" for amount in shown.values()],
        textposition="outside",
        cliponaxis=False,
        customdata=[f"{escape(name)}: {_share(amount, labels.total)}" for name, amount in shown.items()],
    )
    # Places, not names, so that labels that are shortened to the same text keep their bars.
    names = [escape(_shorten(name)) for name in shown]
    axis = {"tickvals": places, "ticktext": names, "range": [len(shown) - 0.4, -0.6]}
    figure.update_layout(
        height=100 + 23 * len(shown),
        yaxis={**axis, "showgrid": False, "ticklabelstandoff": 6},
        xaxis={"title": {"text": "rows"}, "rangemode": "tozero"},
        margin={"t": 28, "r": 70},
    )
    return figure


def draw_confidence(confidence: tuple[int, ...]) -> go.Figure:
    """Return how many rows have a probability in each bin."""
    width, total = 1 / CONFIDENCE_BINS, sum(confidence)
    figure = _bars(
        x=[(index + 0.5) * width for index in range(CONFIDENCE_BINS)],
        y=confidence,
        width=width * (1 - _GAP),
        marker={"color": [BEST if index < CONFIDENCE_BINS // 2 else ACCENT for index in range(CONFIDENCE_BINS)]},
        customdata=[
            f"{index * width:.2f} to {(index + 1) * width:.2f}: {_share(amount, total)}"
            for index, amount in enumerate(confidence)
        ],
    )
    figure.update_layout(
        height=300,
        margin={"t": 28},
        xaxis={"title": {"text": "probability of the first label"}, "range": [0, 1], "dtick": 0.1},
        yaxis={"title": {"text": "rows"}, "rangemode": "tozero"},
    )
    return figure


def draw_values(values: Values) -> go.Figure:
    """Return how many values are in each bin."""
    edges, amounts = zip(*values.histogram, strict=True)
    width = 2.0**values.exponent
    figure = _bars(
        x=[edge + width / 2 for edge in edges],
        y=amounts,
        width=width * (1 - _GAP),
        marker={"color": ACCENT},
        customdata=[
            f"{number(edge)} to {number(edge + width)}: {_share(amount, values.count)}"
            for edge, amount in zip(edges, amounts, strict=True)
        ],
    )
    figure.update_layout(
        height=300,
        margin={"t": 28},
        xaxis={"title": {"text": "value"}, "range": [edges[0] - width, edges[-1] + 2 * width]},
        yaxis={"title": {"text": "rows"}, "rangemode": "tozero"},
    )
    return figure


def _bars(**told: object) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_bar(hovertemplate="%{customdata}<extra></extra>", **told)
    return figure


def _share(amount: int, total: int) -> str:
    return f"{amount:,} ({100 * amount / total:.2g} %)" if total else f"{amount:,}"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
