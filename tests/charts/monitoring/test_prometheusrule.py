"""Recording rules and alerts, for the Prometheus operator."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.charts.chart import ROOT, Thing, render

FILES = sorted((ROOT / "monitoring" / "rules").glob("*.yaml"))


def rules(name: str, **values: object) -> Thing:
    """The PrometheusRule of one file."""
    release = render({"monitoring": {"rules": {"enabled": True, **values}}})
    return release.find("PrometheusRule", f"tinderbox-{name}")


def test_there_are_recording_rules_and_alerts() -> None:
    """Both files reach the chart."""
    assert [path.stem for path in FILES] == ["alerts", "recording"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_an_object(path: Path) -> None:
    """Word for word: what Prometheus fills in is not the chart's to fill in."""
    assert rules(path.stem)["spec"] == yaml.safe_load(path.read_text())


def test_they_are_switched_on() -> None:
    """A cluster without the operator would refuse them."""
    assert "PrometheusRule" not in str(render().kinds())


def test_labels_are_values() -> None:
    """The operator's Prometheus chooses by them; the chart's own stay."""
    labels = rules("alerts", labels={"release": "stack"})["metadata"]["labels"]
    assert labels.items() >= {"release": "stack", "app.kubernetes.io/part-of": "tinderbox"}.items()
