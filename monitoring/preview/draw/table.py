"""Rows and columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from monitoring.preview.answers import Answer, Desk
from monitoring.preview.colors import BORDER, FAINT, TEXT
from monitoring.preview.draw.canvas import blank, breadth, pixels, write
from monitoring.preview.errors import Unsupported
from monitoring.preview.fields import text
from monitoring.preview.frames import Field, Frame, display_name

CUSTOM = {"align", "inspect"}

_ROW, _SIZE, _EDGE = 30, 12, 8


def draw(answer: Answer, desk: Desk) -> Figure:
    """Draw a panel of kind table: as many rows as there is room for."""
    if len(answer.frames) != 1:
        raise Unsupported(f"a table is drawn of one frame, got {len(answer.frames)}; merge or join them")
    figure = blank(answer.panel.place)
    width, height = pixels(figure)
    frame = answer.frames[0]
    room = int(height // _ROW) - 1
    cells = [_column(column, frame, room) for column in frame.fields]
    edges = _edges(figure, cells, width)
    for column, texts, left, right in zip(frame.fields, cells, edges, edges[1:], strict=False):
        is_number = column.kind == "number"
        for row, cell in enumerate(texts):
            x, at = (right - _EDGE, "right") if is_number else (left + _EDGE, "left")
            write(figure, x, _ROW * (row + 0.5), cell, TEXT if row else "#6e9fff", _SIZE, at)
    for row in range(1, len(cells[0]) + 1):
        figure.add_artist(Line2D([0, 1], [1 - _ROW * row / height] * 2, color=BORDER, linewidth=0.8))
    if frame.rows > room:
        write(figure, width - _EDGE, height - _ROW / 2, f"and {frame.rows - room} more rows", FAINT, at="right")
    return figure


def _column(column: Field, frame: Frame, rows: int) -> list[str]:
    """Return what is in a column, its name first."""
    return [display_name(column, frame, [frame]), *(_cell(column, value) for value in column.values[:rows])]


def _cell(column: Field, value: Any) -> str:
    if column.kind == "time":
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return text(column, value)


def _edges(figure: Figure, cells: list[list[str]], width: float) -> list[float]:
    """Return where columns begin and end: each as wide as it needs, and what is left shared among all."""
    needed = [max(breadth(figure, cell, _SIZE) for cell in texts) + 2 * _EDGE for texts in cells]
    scale = min(1.0, width / sum(needed))
    more = max(0.0, width - sum(needed)) / len(needed)
    edges = [0.0]
    for one in needed:
        edges.append(edges[-1] + one * scale + more)
    return edges
