"""Which connections the policies allow, all of them together, as cyclonus judges them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.charts.chart import render
from tests.cluster import binaries, policies
from tests.cluster.errors import Missing

NAMESPACE = "ml"

SPARK = {("executor", "driver", 7078), ("driver", "executor", 7079), ("executor", "executor", 7079)}
COORDINATOR = {("executor", "driver", 7070)}
WORKERS = {("executor", "executor", port) for port in (7100, 7131, 7163)}
CLOSED = {
    ("executor", "executor", 7099),
    ("executor", "executor", 7164),
    ("executor", "executor", 22),
    ("driver", "executor", 7100),
    ("executor", "driver", 7100),
    ("stranger", "executor", 7100),
    ("executor", "stranger", 7100),
    ("executor", "elsewhere", 7100),
    ("stranger", "driver", 7070),
}


def test_the_flows_of_a_job(tmp_path: Path) -> None:
    """Spark's, those to the coordinator, and those between the workers of a training; no other ports or pods."""
    try:
        binaries.binary("cyclonus")
    except Missing as missing:
        pytest.skip(str(missing))
    things = [thing for thing in render().things if thing["kind"] == "NetworkPolicy"]
    for thing in things:
        thing["metadata"]["namespace"] = NAMESPACE
    allowed = SPARK | COORDINATOR | WORKERS
    judged = policies.judge(things, NAMESPACE, allowed | CLOSED, tmp_path)
    assert {flow for flow, verdict in judged.items() if verdict} == allowed
