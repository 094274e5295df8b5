"""Switches that need something else, with the sentence for each."""

from __future__ import annotations

import pytest

from tests.charts.chart import Thing, refusal


@pytest.mark.parametrize(("switch", "kind"), [("podMonitors", "PodMonitor"), ("rules", "PrometheusRule")])
def test_without_the_operator_its_kinds_are_refused(switch: str, kind: str) -> None:
    """The sentence says what to install, or to leave off, and what a rendering without a cluster needs."""
    told = refusal({"monitoring": {switch: {"enabled": True}}}, operator=False)
    name = f"monitoring.coreos.com/v1/{kind}"
    assert f"this cluster does not know {name}, and monitoring.{switch}.enabled=true needs it: install" in told
    assert f"helm template needs --api-versions {name}" in told


@pytest.mark.parametrize(
    ("values", "switch"),
    [
        ({"monitoring": {"podMonitors": {"enabled": True}}}, "monitoring.podMonitors.enabled"),
        ({"monitoring": {"rules": {"enabled": True}}}, "monitoring.rules.enabled"),
        ({"prometheus": {"enabled": True}}, "prometheus.enabled"),
        ({"grafana": {"enabled": True}}, "grafana.enabled"),
    ],
)
def test_without_metrics_nobody_is_to_look_at_them(values: Thing, switch: str) -> None:
    """Each reader is refused where there is nothing to read."""
    values = {**values, "monitoring": {**values.get("monitoring", {}), "enabled": False}}
    assert f"monitoring.enabled=false leaves nothing to look at for {switch}=true: switch both on" in refusal(values)
