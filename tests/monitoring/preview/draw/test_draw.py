"""Each kind of panel as a picture: what can be read from it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from monitoring.preview.answers import Answer, Asked, Desk
from monitoring.preview.colors import PANEL
from monitoring.preview.draw import CUSTOM, Drawn, draw
from monitoring.preview.errors import Unsupported
from monitoring.preview.frames import Frame

Make = Callable[..., Any]


def size_and_tones(drawn: Drawn) -> tuple[tuple[int, int], int]:
    """The size of a picture, and how many colours it has."""
    with Image.open(BytesIO(drawn.picture)) as image:
        return image.size, len(image.convert("RGB").getcolors(maxcolors=1 << 24) or [])


def test_a_panel_is_drawn(desk: Desk, series: Make, make_answer: Make) -> None:
    """In the size of its place, on the theme's ground."""
    drawn = draw(make_answer("timeseries", series(a=[1, 2, 3])), desk)
    assert (drawn.errors, drawn.is_empty) == ([], False)
    size, tones = size_and_tones(drawn)
    assert size == (780, 256)
    assert tones > 20
    with Image.open(BytesIO(drawn.picture)) as image:
        assert "#{:02x}{:02x}{:02x}".format(*image.convert("RGB").getpixel((779, 0))) == PANEL


@pytest.mark.parametrize("kind", CUSTOM)
def test_no_data(desk: Desk, make_answer: Make, table: Make, kind: str) -> None:
    """Is said in the panel, and told apart from a failure."""
    for frames in ([], [table(a=[])]):
        drawn = draw(make_answer(kind, frames), desk)
        assert (drawn.errors, drawn.is_empty) == ([], True)


def test_an_error_is_what_is_drawn(desk: Desk, make_answer: Make) -> None:
    """Of a query, or of the panel."""
    answer = make_answer("stat", [])
    failed = Answer(answer.panel, "Title", [Asked("A", "up{", error="parse error")])
    drawn = draw(failed, desk)
    assert (drawn.errors, drawn.is_empty) == (["A: parse error"], False)
    assert size_and_tones(drawn)[1] > 5


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        ("heatmap", {}, "panels of kind 'heatmap' are not drawn here; add it to monitoring/preview/draw"),
        ("stat", {"graphMode": "area"}, "option graphMode of a stat is drawn as 'none' only, got 'area'"),
        ("stat", {"reduceOptions": {"calcs": ["mean"]}}, "option reduceOptions.calcs of a stat is drawn as"),
        ("gauge", {"orientation": "vertical"}, "option orientation of a gauge is drawn as 'auto' only"),
        ("bargauge", {"displayMode": "lcd"}, "option displayMode of a bargauge is drawn as 'gradient' only"),
        (
            "timeseries",
            {"legend": {"placement": "right"}},
            "option legend.placement of a timeseries is drawn as 'bottom'",
        ),
        ("state-timeline", {"mergeValues": False}, "option mergeValues of a state-timeline is drawn as True only"),
        ("xychart", {"mapping": "manual"}, "option mapping of a xychart is drawn as 'auto' only, got 'manual'"),
    ],
)
def test_what_is_not_known(
    desk: Desk, series: Make, make_answer: Make, kind: str, options: dict[str, Any], sentence: str
) -> None:
    """Is an error of the panel, in one sentence."""
    (error,) = draw(make_answer(kind, series(a=[1.0]), **options), desk).errors
    assert error.startswith(sentence)


@pytest.mark.parametrize(
    ("kind", "custom", "sentence"),
    [
        ("timeseries", {"stacking": {"mode": "percent"}}, "stacking of mode 'percent' is not drawn here"),
        ("timeseries", {"thresholdsStyle": {"mode": "area"}}, "thresholds as 'area' are not drawn here"),
        ("xychart", {"show": "lines"}, "an XY chart of 'lines' is not drawn here"),
        ("xychart", {"scaleDistribution": {"type": "symlog"}}, "a scale of type 'symlog' is not drawn here"),
    ],
)
def test_settings_that_are_not_known(
    desk: Desk, table: Make, series: Make, make_answer: Make, kind: str, custom: dict[str, Any], sentence: str
) -> None:
    """Are errors too."""
    frames: list[Frame] = [table(x=[1, 2], y=[3, 4])] if kind == "xychart" else series(a=[1, 2])
    with pytest.raises(Unsupported, match=sentence):
        _draw(make_answer(kind, frames, {"custom": custom}), desk)


def _draw(answer: Answer, desk: Desk) -> None:
    """Draw, and raise what is wrong."""
    for error in draw(answer, desk).errors:
        raise Unsupported(error)
