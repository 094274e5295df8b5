"""Panels as pictures: which kind is drawn by what, and what is shown where nothing can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from matplotlib.figure import Figure

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.colors import FAINT, color
from monitoring.preview.draw import bars, gauge, graph, lanes, points, stat, table
from monitoring.preview.draw.canvas import blank, say
from monitoring.preview.errors import Unsupported

Draw = Callable[[Answer, Desk], Figure]

_KINDS: dict[str, tuple[Draw, set[str]]] = {
    "bargauge": (bars.draw, set()),
    "gauge": (gauge.draw, set()),
    "stat": (stat.draw, set()),
    "state-timeline": (lanes.draw, lanes.CUSTOM),
    "table": (table.draw, table.CUSTOM),
    "timeseries": (graph.draw, graph.CUSTOM),
    "xychart": (points.draw, points.CUSTOM),
}

CUSTOM = {kind: custom for kind, (_, custom) in _KINDS.items()}
"""The settings of fields that each kind heeds."""


@dataclass(frozen=True)
class Drawn:
    """A panel's picture as PNG, and why it is not what it should be, if it is not."""

    answer: Answer
    picture: bytes
    errors: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether all is well, but there is nothing to see."""
        return not self.errors and self.answer.is_empty


def draw(answer: Answer, desk: Desk) -> Drawn:
    """Draw what a panel has to show, or why it shows nothing."""
    errors = answer.errors
    if not errors:
        try:
            figure = _draw(answer, desk)
        except Unsupported as error:
            errors = [str(error)]
    if errors:
        figure = blank(answer.panel.place)
        say(figure, "\n".join(errors), color("red"))
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return Drawn(answer, picture.getvalue(), errors)


def _draw(answer: Answer, desk: Desk) -> Figure:
    kind = answer.panel.kind
    if kind not in _KINDS:
        raise Unsupported(f"panels of kind {kind!r} are not drawn here; add it to monitoring/preview/draw")
    if answer.is_empty:
        figure = blank(answer.panel.place)
        say(figure, "No data", FAINT)
        return figure
    return _KINDS[kind][0](answer, desk)
