"""Queries that are asked, and what panels get of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from monitoring.preview.answers import Answer, Desk, Mark
from monitoring.preview.boards import read_boards
from monitoring.preview.frames import display_name
from monitoring.preview.prometheus import Prometheus
from monitoring.preview.window import Window

if TYPE_CHECKING:
    from tests.monitoring.preview.conftest import Fake

Write = Callable[..., Path]
NODE = {"name": "node", "type": "query", "query": "label_values(up, node)"}


@pytest.fixture
def opened(prometheus: Fake, write_board: Write) -> Callable[..., Desk]:
    """A function that opens a dashboard of these panels."""

    def look(*panels: dict[str, Any], **parts: Any) -> Desk:
        (board,) = read_boards(write_board(*panels, **parts))
        desk = Desk(board, Prometheus(prometheus.url), Window(1000, 1600, 15))
        desk.open({})
        return desk

    return look


def answer(desk: Desk) -> Answer:
    """What its first panel has to show."""
    return desk.answer(desk.board.panels[0], set())


def ask(*expressions: str, **changes: Any) -> dict[str, Any]:
    """A panel of these queries."""
    targets = [
        {"refId": ref, "expr": it, "instant": True, **changes} for ref, it in zip("ABC", expressions, strict=False)
    ]
    return {"targets": targets}


def test_queries_have_their_variables(prometheus: Fake, opened: Any) -> None:
    """In the query, in the title, and in the names of fields."""
    prometheus.values["node"] = ["a"]
    prometheus.series['rate(up{node="a"}[60s])'] = [({"job": "x"}, 2.0)]
    settings = {"defaults": {"displayName": "of $node"}, "overrides": []}
    panel = ask('rate(up{node="$node"}[$__rate_interval])') | {"title": "Speed of $node", "fieldConfig": settings}
    shown = answer(opened(panel, variables=[NODE]))
    assert (shown.title, shown.errors, shown.is_empty) == ("Speed of a", [], False)
    (frame,) = shown.frames
    assert display_name(frame.fields[1], frame, shown.frames) == "of a"
    assert [(it.ref, it.series, it.step) for it in shown.asked] == [("A", 1, None)]


def test_over_time_and_now(prometheus: Fake, opened: Any) -> None:
    """A range begins at a multiple of its step; now is the end of what is looked at."""
    prometheus.series["up"] = [({}, 1.0)]
    shown = answer(opened(ask("up", range=True)))
    assert (len(shown.frames[0].fields[0].values), shown.asked[0].step) == (41, 15)
    assert prometheus.asked[-1] == {
        "path": "/api/v1/query_range",
        "query": "up",
        "start": "990.000",
        "end": "1590.000",
        "step": "15",
    }
    answer(opened(ask("up", range=False)))
    assert prometheus.asked[-1] == {"path": "/api/v1/query", "query": "up", "time": "1600.000"}


def test_a_query_that_fails_leaves_the_panel_undrawn(prometheus: Fake, opened: Any) -> None:
    """Its error is told by the query's letter, and the others are asked too."""
    prometheus.errors["up{"] = "parse error"
    shown = answer(opened(ask("up{", "up", "$missing")))
    assert shown.errors == ["A: parse error", "C: $missing is no variable of this dashboard: $missing"]
    assert (shown.frames, [it.series for it in shown.asked]) == ((), [0, 0, 0])


def test_a_panel_without_data(opened: Any) -> None:
    """Is no failure."""
    shown = answer(opened(ask("up")))
    assert (shown.errors, shown.is_empty) == ([], True)


@pytest.mark.parametrize(
    ("panel", "sentence"),
    [
        ({"transformations": [{"id": "reduce"}]}, "transformation 'reduce' is not drawn here"),
        ({"fieldConfig": {"defaults": {"noValue": "-"}}}, "setting 'noValue' of a field is not drawn here"),
        (ask("up", format="table", range=True), "query A as a table over time is not drawn here"),
    ],
)
def test_what_is_not_known_is_the_panels_error(prometheus: Fake, opened: Any, panel: Any, sentence: str) -> None:
    """What came is not shown in another way than Grafana would."""
    prometheus.always = [({}, 1.0)]
    (error,) = answer(opened(panel)).errors
    assert error.startswith(sentence)


def test_tables_know_whether_they_are_alone(prometheus: Fake, opened: Any) -> None:
    """By the queries, not by what came."""
    prometheus.series["a"] = [({}, 1.0)]
    frames = answer(opened(ask("a", "b", format="table"))).frames
    assert [frame.fields[-1].name for frame in frames] == ["Value #A", "Value #B"]
    assert answer(opened(ask("a", format="table"))).frames[0].fields[-1].name == "Value"


def test_a_variable_that_cannot_be_chosen(prometheus: Fake, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told among the dashboard's queries, and is empty."""
    told = {"status": "error", "error": "no"}
    monkeypatch.setattr(prometheus, "answer", lambda *_: (400, told))
    desk = opened(variables=[NODE, NODE | {"name": "x", "type": "custom"}])
    assert [(it.ref, it.error) for it in desk.asked] == [
        ("variable node", "no"),
        ("variable x", "variable 'x' of type 'custom' is not drawn here, only query and datasource"),
    ]
    assert desk.variables["node"].text == ""


def test_alerts_are_marked(prometheus: Fake, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From their first point to their last, anew after a gap; one that fails is told."""
    values = [[at, "1"] for at in (1005, 1020, 1035, 1200, 1215)]
    told = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]}
    monkeypatch.setattr(prometheus, "answer", lambda *_: (200, {"status": "success", "data": told}))
    desk = opened(annotations=[{"name": "Alerts", "expr": "ALERTS"}])
    assert desk.marks == [Mark(1005, 1035), Mark(1200, 1215)]
    assert [(it.ref, it.series) for it in desk.asked] == [("annotation Alerts", 1)]
    monkeypatch.setattr(prometheus, "answer", lambda *_: (400, {"status": "error", "error": "no"}))
    desk = opened(annotations=[{"name": "Alerts", "expr": "ALERTS"}])
    assert (desk.marks, desk.asked[0].error) == ([], "no")
