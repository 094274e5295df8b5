"""A dashboard as one HTML page that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime

import jinja2

from monitoring.preview.answers import Desk
from monitoring.preview.boards import WIDTH, Panel
from monitoring.preview.colors import BORDER, FAINT, PAGE, PANEL, TEXT, color
from monitoring.preview.draw import Drawn

_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("monitoring.preview", ""), autoescape=True, undefined=jinja2.StrictUndefined
)
_COLORS = {"page": PAGE, "panel": PANEL, "border": BORDER, "text": TEXT, "faint": FAINT, "red": color("red")}


def page(desk: Desk, rows: Sequence[Panel], drawn: Sequence[Drawn]) -> str:
    """Return the page of a dashboard: its rows' titles, and its panels where they are in Grafana."""
    everything = [*rows, *(one.answer.panel for one in drawn)]
    return _PAGES.get_template("page.html.j2").render(
        board=desk.board,
        head=head(desk),
        rows=rows,
        drawn=[(one, b64encode(one.picture).decode()) for one in drawn],
        failed=[f"{one.answer.title}: {error}" for one in drawn for error in one.errors],
        empty=[one.answer.title for one in drawn if one.is_empty],
        width=WIDTH,
        height=max((sum(panel.place.box[1::2]) for panel in everything), default=0),
        **_COLORS,
    )


def head(desk: Desk) -> list[tuple[str, str]]:
    """Return what is chosen, by name: the variables, and the time."""
    labels = {told["name"]: told.get("label") or told["name"] for told in desk.board.variables}
    start, end = (datetime.fromtimestamp(at, UTC) for at in (desk.window.start, desk.window.end))
    chosen = [(labels[name], variable.text or "none") for name, variable in desk.variables.items()]
    return [*chosen, ("Time", f"{start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC")]
