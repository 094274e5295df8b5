"""Dashboards as their files have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.preview.boards import WIDTH, Place, Query, read_boards
from monitoring.preview.errors import PreviewError

Write = Callable[..., Path]


def test_a_dashboard_is_read(write_board: Write) -> None:
    """Its panels with their queries, those of folded rows too."""
    folded = {"type": "row", "targets": [], "panels": [json.loads(json.dumps(PANEL))]}
    (board,) = read_boards(write_board({"description": "Told."}, folded))
    assert (board.name, board.title) == ("small", "Small")
    assert [(panel.kind, panel.title) for panel in board.panels] == [
        ("stat", "Panel 0"),
        ("row", "Panel 1"),
        ("table", "Within"),
    ]
    assert board.panels[0].description == "Told."
    assert board.panels[0].queries == [Query("A", "up", None, is_range=False, is_table=False)]
    assert board.panels[2].queries == [Query("B", "up", "{{x}}", is_range=True, is_table=True)]


PANEL = {
    "type": "table",
    "title": "Within",
    "gridPos": {"x": 0, "y": 9, "w": 6, "h": 4},
    "targets": [{"refId": "B", "expr": "up", "format": "table", "legendFormat": "{{x}}"}],
}


def test_places_fill_the_page() -> None:
    """Panels that lie beside one another in the grid do so in pixels, with a gap, and end where the page does."""
    left, right = Place(0, 0, 12, 8).box, Place(12, 8, 12, 4).box
    assert left == (0, 0, 796, 296)
    assert right == (804, 304, 796, 144)
    assert sum(right[::2]) == WIDTH
    assert Place(0, 0, 12, 8).inside == (780, 256)


def test_some_of_them(write_board: Write) -> None:
    """By name."""
    folder = write_board({})
    (folder / "other.json").write_text((folder / "small.json").read_text())
    assert [board.name for board in read_boards(folder)] == ["other", "small"]
    assert [board.name for board in read_boards(folder, ["small"])] == ["small"]
    with pytest.raises(PreviewError, match="--dashboard must be one of other, small, got 'big'"):
        read_boards(folder, ["big"])


def test_no_dashboards(tmp_path: Path) -> None:
    """The sentence says how they come."""
    with pytest.raises(PreviewError, match=r"must hold dashboards as .*, and holds none; make dashboards"):
        read_boards(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"title": "x"}', '{"title": "x", "panels": [{"type": "stat"}]}'])
def test_a_file_that_is_no_dashboard(tmp_path: Path, text: str) -> None:
    """The sentence names it."""
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(PreviewError, match=r"broken.json must be a dashboard: \w+: "):
        read_boards(tmp_path)
