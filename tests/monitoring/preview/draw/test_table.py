"""Tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitoring.preview.answers import Desk
from monitoring.preview.draw import draw
from monitoring.preview.draw.table import draw as draw_table
from monitoring.preview.frames import Field, Frame

Make = Callable[..., Any]


def test_rows_and_columns(desk: Desk, make_answer: Make) -> None:
    """A head, text on the left, numbers on the right, times and gaps as they are."""
    frame = Frame(
        [
            Field("Time", "time", [1_800_000_000, 1_800_000_060]),
            Field("node", "string", ["a", "b"]),
            Field("memory", "number", [2048.0, None], config={"unit": "bytes"}),
        ]
    )
    figure = draw_table(make_answer("table", [frame]), desk)
    told = [(text.get_text(), text.get_horizontalalignment()) for text in figure.texts]
    assert told == [
        ("Time", "left"),
        ("2027-01-15 08:00:00", "left"),
        ("2027-01-15 08:01:00", "left"),
        ("node", "left"),
        ("a", "left"),
        ("b", "left"),
        ("memory", "right"),
        ("2 KiB", "right"),
        ("", "right"),
    ]


def test_rows_for_which_there_is_no_room_are_counted(desk: Desk, make_answer: Make, table: Make) -> None:
    """As many as fit are shown."""
    figure = draw_table(make_answer("table", [table(a=list(range(20)))]), desk)
    assert [text.get_text() for text in figure.texts] == ["a", "0", "1", "2", "3", "4", "5", "6", "and 13 more rows"]


def test_wide_tables_are_pressed_together(desk: Desk, make_answer: Make, table: Make) -> None:
    """Every column begins within the panel."""
    columns = {f"column_number_{number}": ["a text that takes room"] for number in range(9)}
    figure = draw_table(make_answer("table", [table(**columns)]), desk)
    assert max(text.get_position()[0] for text in figure.texts) < 1


def test_several_frames(desk: Desk, series: Make, make_answer: Make) -> None:
    """Are refused: Grafana would ask which one is to be shown."""
    drawn = draw(make_answer("table", series(a=[1], b=[2])), desk)
    assert drawn.errors == ["a table is drawn of one frame, got 2; merge or join them"]
