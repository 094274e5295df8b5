"""Settings of columns: defaults, overrides, words, colours and thresholds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from monitoring.preview.colors import color, of_series
from monitoring.preview.errors import Unsupported
from monitoring.preview.fields import configure, reached, shade, text
from monitoring.preview.frames import Field, Frame

Table = Callable[..., Frame]
LIMITS = {"mode": "absolute", "steps": [{"value": None, "color": "green"}, {"value": 0.8, "color": "red"}]}


def override(kind: str, options: str, *properties: tuple[str, Any]) -> dict[str, Any]:
    """An override as a dashboard has it."""
    return {
        "matcher": {"id": kind, "options": options},
        "properties": [{"id": it, "value": to} for it, to in properties],
    }


def column(**config: Any) -> Field:
    """A column of numbers with settings."""
    return Field("Value", "number", [1.0], config=config)


def test_defaults_and_overrides(table: Table) -> None:
    """Later ones win, each column has its own, and defaults stay as they are."""
    settings = {
        "defaults": {"unit": "s", "custom": {"fillOpacity": 5}},
        "overrides": [
            override("byName", "a limit", ("unit", "bytes"), ("custom.fillOpacity", 0)),
            override("byRegexp", "/ limit$/", ("custom.lineStyle", {"fill": "dash"})),
        ],
    }
    (frame,) = configure([table(a=[1], a_limit=[2])], settings, {"fillOpacity", "lineStyle"})
    assert [dict(field.config) for field in frame.fields] == [
        {"unit": "s", "custom": {"fillOpacity": 5}},
        {"unit": "bytes", "custom": {"fillOpacity": 0, "lineStyle": {"fill": "dash"}}},
    ]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"defaults": {"noValue": "-"}}, "setting 'noValue' of a field is not drawn here"),
        ({"defaults": {"custom": {"drawStyle": "bars"}}}, "setting 'custom.drawStyle' is not drawn here"),
        ({"defaults": {"color": {"mode": "continuous-reds"}}}, "colour mode 'continuous-reds' is not drawn here"),
        ({"overrides": [override("byType", "number")]}, "matcher 'byType' of an override is not drawn here"),
    ],
)
def test_what_is_not_known(table: Table, settings: dict[str, Any], sentence: str) -> None:
    """Is refused, or another panel than Grafana's would be drawn."""
    with pytest.raises(Unsupported, match=sentence):
        configure([table(a=[1])], settings, set())


def test_words_stand_for_values() -> None:
    """With their colours."""
    told = column(mappings=[{"type": "value", "options": {"0": {"text": "runs", "color": "green"}}}], unit="s")
    assert (text(told, 0.0), text(told, 60.0), text(told, "word"), text(told, None)) == ("runs", "1 min", "word", "")
    assert shade(told, 0.0, 0, "thresholds") == color("green")
    with pytest.raises(Unsupported, match="mappings of type 'range' are not drawn here, only of values"):
        text(column(mappings=[{"type": "range", "options": {}}]), 1.0)


def test_colours_by_mode() -> None:
    """One for all, one for each series, by thresholds, or along a scale."""
    assert shade(column(color={"mode": "fixed", "fixedColor": "blue"}), 1.0, 3, "") == color("blue")
    assert shade(column(), 1.0, 3, "palette-classic") == of_series(3)
    limited = column(color={"mode": "thresholds"}, thresholds=LIMITS)
    assert [shade(limited, value, 0, "") for value in (0.5, 0.8, None)] == [
        color("green"),
        color("red"),
        color("green"),
    ]
    scale = column(color={"mode": "continuous-BlPu"})
    ends = [shade(scale, value, 0, "", (0.0, 10.0)).upper() for value in (0.0, 10.0)]
    assert ends == [color("super-light-blue"), color("dark-purple")]
    assert shade(scale, 5.0, 0, "", (5.0, 5.0)).upper() == color("super-light-blue")


def test_thresholds() -> None:
    """The highest step that is reached; 80 where nothing is said, as in Grafana."""
    assert (reached(column(), 79)["color"], reached(column(), 80)["color"]) == ("green", "red")
    with pytest.raises(Unsupported, match="thresholds of mode 'percentage' are not drawn here, only absolute ones"):
        reached(column(thresholds={"mode": "percentage", "steps": []}), 1)
