"""The page and the picture of a dashboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from monitoring.preview.answers import Answer, Asked, Desk
from monitoring.preview.boards import Panel, Place
from monitoring.preview.draw import Drawn, draw
from monitoring.preview.page import head, page
from monitoring.preview.picture import picture
from monitoring.preview.variables import Variable

Make = Callable[..., Any]

ROW = Panel("row", "A <row>", "", Place(0, 8, 24, 1), [], {})


@pytest.fixture
def drawn(desk: Desk, series: Make, make_answer: Make) -> list[Drawn]:
    """A panel that is drawn, one without data, and one that failed."""
    good = make_answer("stat", series(a=[1.0]))
    empty = make_answer("stat", [])
    failed = Answer(empty.panel, "Broken", [Asked("A", 'up{x="<b>"', error="parse <error>")])
    return [draw(answer, desk) for answer in (good, empty, failed)]


def test_a_page_needs_nothing_else(desk: Desk, drawn: list[Drawn]) -> None:
    """Every picture is in it, and no address; what Prometheus said is text."""
    text = page(desk, [ROW], drawn)
    assert len(re.findall(r'src="data:image/png;base64,[A-Za-z0-9+/=]{100,}"', text)) == 3
    assert re.findall(r"(?:src|href)=.(?!data:)|url\(|@import|<script", text) == []
    assert "A &lt;row&gt;" in text
    assert "<b>" not in re.sub(r"<b>\w+</b>", "", text)


def test_a_page_tells_what_is_wrong(desk: Desk, drawn: list[Drawn]) -> None:
    """Failures and panels without data by their titles, queries with what they returned, descriptions as tooltips."""
    text = page(desk, [ROW], drawn)
    assert "Broken: A: parse &lt;error&gt;" in text
    assert "No data: Title." in text
    assert "A, every 15 s: 1 series\nup" in text
    assert text.count('<section class="failed"') == 1
    assert '<h3 title="Told.">' in text
    assert "Drawn by monitoring/preview, not by Grafana." in text


def test_a_page_is_as_high_as_its_lowest_panel(desk: Desk, drawn: list[Drawn]) -> None:
    """Rows count too."""
    assert ".grid { position: relative; height: 334px; }" in page(desk, [ROW], drawn)
    assert ".grid { position: relative; height: 0px; }" in page(desk, [], [])


def test_the_head_says_what_is_chosen(desk: Desk) -> None:
    """By the labels of variables, and the time."""
    desk.variables = {"run": Variable("run", ["a", "b"], several=True), "x": Variable("x", [])}
    desk.board = type(desk.board)("b", "B", "", [], [{"name": "run", "label": "Run"}, {"name": "x"}], [])
    assert head(desk) == [("Run", "a + b"), ("x", "none"), ("Time", "2027-01-15 08:00:00 to 08:10:00 UTC")]


def test_the_picture_has_every_panel_in_its_place(desk: Desk, drawn: list[Drawn]) -> None:
    """With a red edge around what failed."""
    with Image.open(BytesIO(picture(desk, [ROW], drawn))) as image:
        assert image.size == (1632, 434)
        red, blue = image.getpixel((16, 84))[::2]
        assert red > 200 > blue
    with Image.open(BytesIO(picture(desk, [ROW], drawn[:1]))) as image:
        red, green, blue = image.getpixel((16, 84))
        assert max(red, green, blue) < 60
