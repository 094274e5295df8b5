"""Dashboards as their files have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.preview.errors import PreviewError

FOLDER = Path(__file__).parents[1] / "dashboards"

WIDTH, CELL, GAP, HEAD, PADDING = 1600, 30, 8, 32, 8
"""Of a page and its grid in pixels: its width, a cell's height, what is between two, a panel's title, and its edge."""

_COLUMNS = 24


@dataclass(frozen=True)
class Place:
    """Where a panel is, in cells of the grid."""

    x: int
    y: int
    w: int
    h: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height in pixels."""
        column = (WIDTH + GAP) / _COLUMNS
        left, right = round(self.x * column), round((self.x + self.w) * column)
        return left, self.y * (CELL + GAP), right - left - GAP, self.h * (CELL + GAP) - GAP

    @property
    def inside(self) -> tuple[int, int]:
        """Width and height in pixels of what is drawn below the title."""
        _, _, width, height = self.box
        return width - 2 * PADDING, height - HEAD - PADDING


@dataclass(frozen=True)
class Query:
    """One query of a panel: over the time that is looked at, or now, and whether its answer becomes one table."""

    ref: str
    expression: str
    legend: str | None
    is_range: bool
    is_table: bool


@dataclass(frozen=True)
class Panel:
    """One panel; `settings` is its whole JSON."""

    kind: str
    title: str
    description: str
    place: Place
    queries: Sequence[Query]
    settings: Mapping[str, Any]

    @property
    def options(self) -> Mapping[str, Any]:
        """What is set for its kind."""
        found: Mapping[str, Any] = self.settings.get("options", {})
        return found


@dataclass(frozen=True)
class Board:
    """One dashboard, called as its file is; `variables` and `annotations` are their JSON."""

    name: str
    title: str
    description: str
    panels: Sequence[Panel]
    variables: Sequence[Mapping[str, Any]]
    annotations: Sequence[Mapping[str, Any]]


def read_boards(folder: Path = FOLDER, names: Sequence[str] = ()) -> list[Board]:
    """Return the dashboards of a folder, those of these names if there are any.

    Raises:
        PreviewError: There is none, or one that is asked for is not there, or is no dashboard.
    """
    found = {path.stem: path for path in sorted(folder.glob("*.json"))}
    if not found:
        raise PreviewError(f"{folder} must hold dashboards as *.json, and holds none; make dashboards writes them")
    for name in names:
        if name not in found:
            raise PreviewError(f"--dashboard must be one of {', '.join(found)}, got {name!r}")
    return [_read(path) for name, path in found.items() if not names or name in names]


def _read(path: Path) -> Board:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Board(
            path.stem,
            told["title"],
            told.get("description", ""),
            [_panel(panel) for panel in _flat(told["panels"])],
            told.get("templating", {}).get("list", []),
            told.get("annotations", {}).get("list", []),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise PreviewError(f"{path} must be a dashboard: {type(error).__name__}: {error}; make dashboards") from error


def _flat(panels: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return all panels, those of rows that are folded too."""
    return [found for panel in panels for found in (panel, *_flat(panel.get("panels") or []))]


def _panel(told: Mapping[str, Any]) -> Panel:
    grid = told["gridPos"]
    return Panel(
        told["type"],
        told.get("title", ""),
        told.get("description", ""),
        Place(grid["x"], grid["y"], grid["w"], grid["h"]),
        [_query(query) for query in told.get("targets", [])],
        told,
    )


def _query(told: Mapping[str, Any]) -> Query:
    is_range = told.get("range", not told.get("instant", False))
    return Query(told["refId"], told["expr"], told.get("legendFormat"), is_range, told.get("format") == "table")
