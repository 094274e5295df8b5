"""What each query returns, for tests on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitoring.preview.boards import FOLDER, read_boards
from monitoring.preview.check import Returned, ask_all
from monitoring.preview.errors import PreviewError
from monitoring.preview.window import Window

if TYPE_CHECKING:
    from tests.monitoring.preview.conftest import Fake

NODE = {"name": "node", "type": "query", "query": "label_values(up, node)"}
SOURCE = {"name": "datasource", "type": "datasource"}


def test_every_query_is_told(prometheus: Fake, write_board: Callable[..., Path]) -> None:
    """Those of panels, variables and annotations, each with its series or its error."""
    prometheus.values["node"] = ["a"]
    prometheus.series['up{node="b"}'] = [({}, 1.0), ({"x": "y"}, 1.0)]
    prometheus.errors["up{"] = "parse error"
    targets = [{"refId": "A", "expr": 'up{node="$node"}', "instant": True}, {"refId": "B", "expr": "up{"}]
    folder = write_board(
        {"targets": targets},
        {"transformations": [{"id": "reduce"}]},
        variables=[SOURCE, NODE],
        annotations=[{"name": "Alerts", "expr": "ALERTS"}],
    )
    found = ask_all(prometheus.url, {"node": "b"}, Window(0, 600), folder)
    assert sorted(found, key=lambda it: (it.panel, it.ref)) == [
        Returned("small", "Panel 0", "A", 'up{node="b"}', 2, None),
        Returned("small", "Panel 0", "B", "up{", 0, "parse error"),
        Returned("small", "Panel 1", "", "", 0, REFUSED),
        Returned("small", "Panel 1", "A", "up", 0, None),
        Returned("small", "Small", "annotation Alerts", "ALERTS", 0, None),
        Returned("small", "Small", "variable node", "label_values(up, node)", 1, None),
    ]


REFUSED = "transformation 'reduce' is not drawn here; add it to monitoring/preview/transformations.py"


def test_the_real_dashboards_are_asked_whole(prometheus: Fake) -> None:
    """Every query of every panel, and all of them can be drawn."""
    prometheus.always = [({"node": "a", "trial": "1"}, 1.0)]
    found = ask_all(prometheus.url, {}, Window(0, 600))
    wanted = sum(len(panel.queries) for board in read_boards(FOLDER) for panel in board.panels)
    assert len([it for it in found if len(it.ref) == 1]) == wanted
    assert [it for it in found if it.error] == []
    assert {it.dashboard for it in found} == {"study", "training", "inference", "nodes", "spark"}


def test_a_prometheus_that_does_not_answer() -> None:
    """Is one sentence, not a list of failures."""
    with pytest.raises(PreviewError, match="must be a Prometheus"):
        ask_all("http://127.0.0.1:1", {}, Window(0, 600))
