"""Grafana's dashboards, one ConfigMap each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.charts.chart import ROOT, Thing, render

FILES = sorted((ROOT / "monitoring" / "dashboards").glob("*.json"))
LARGEST = 1 << 20
"""Bytes of a ConfigMap."""


def dashboards(**values: object) -> list[Thing]:
    """Their ConfigMaps."""
    things = render({"monitoring": {"dashboards": values}}).things
    return [thing for thing in things if thing["metadata"]["name"].startswith("tinderbox-dashboard-")]


def test_every_dashboard_has_a_config_map() -> None:
    """None is left out, and each fits."""
    assert len(dashboards()) == len(FILES) > 0
    assert all(len(text.encode()) < LARGEST for each in dashboards() for text in each["data"].values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_holds_the_file_as_it_is(path: Path) -> None:
    """Braces that are Grafana's stay; the key is a file name that no other chart's dashboard has."""
    name = path.stem.removeprefix("tinderbox-")
    data = render().find("ConfigMap", f"tinderbox-dashboard-{name}")["data"]
    assert {key: json.loads(text) for key, text in data.items()} == {
        f"tinderbox-{name}.json": json.loads(path.read_text())
    }


def test_sidecars_find_them() -> None:
    """By the usual label, or another one; annotations say in which folder they go."""
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in dashboards()} == {"1"}
    mine = dashboards(label="team/boards", labelValue="yes", annotations={"grafana_folder": "Tinderbox"})
    assert {each["metadata"]["labels"]["team/boards"] for each in mine} == {"yes"}
    assert "grafana_dashboard" not in str(mine[0]["metadata"])
    assert [each["metadata"]["annotations"] for each in mine] == [{"grafana_folder": "Tinderbox"}] * len(FILES)


def test_they_can_be_left_out() -> None:
    """By their own switch, or with all metrics."""
    assert dashboards(enabled=False) == []
    assert "dashboard" not in str(render({"monitoring": {"enabled": False}}).kinds())
