"""What drivers and executors are told by variables."""

from __future__ import annotations

from typing import Any

from tests.charts.chart import Rendered, Thing, container, environment, render


def told(release: Rendered) -> tuple[dict[str, Any], dict[str, Any]]:
    """The variables of driver and executor."""
    driver = container(release.driver_pod(), "driver")
    return environment(driver), environment(container(release.executor()["spec"], "executor"))


def test_an_executor_knows_its_pod_and_its_exporter() -> None:
    """It learns nothing of storage or of the API server."""
    assert told(render())[1] == {
        "POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "TINDERBOX_NODE": {"fieldRef": {"fieldPath": "spec.nodeName"}},
        "TINDERBOX_METRICS_PORT": "9095",
        "TINDERBOX_METRICS_SOCKET": "/tmp/tinderbox-metrics.sock",  # noqa: S108 - a mount of the pod
    }


def test_drivers_export_metrics_and_wait_for_the_last_scrape() -> None:
    """At the port that the pod declares, from a socket where every pod may write, for as long as a value says."""
    driver, executor = told(render())
    shared = ("TINDERBOX_METRICS_PORT", "TINDERBOX_METRICS_SOCKET")
    assert {name: driver[name] for name in shared} == {name: executor[name] for name in shared}
    assert driver["TINDERBOX_METRICS_LINGER"] == "60"
    assert told(render({"monitoring": {"lingerSeconds": 5}}))[0]["TINDERBOX_METRICS_LINGER"] == "5"


def test_an_empty_port_switches_metrics_off() -> None:
    """It is there all the same: `tinderbox submit` would take what a manifest says for one that is missing."""
    off: Thing = {"monitoring": {"enabled": False}}
    assert [variables["TINDERBOX_METRICS_PORT"] for variables in told(render(off))] == ["", ""]


def test_variables_of_ones_own_come_on_top() -> None:
    """Those of drivers go to drivers, those of executors to executors."""
    values = {"driver": {"env": [{"name": "A", "value": "1"}]}, "executor": {"env": [{"name": "B", "value": "2"}]}}
    driver, executor = told(render(values))
    assert (driver["A"], executor["B"]) == ("1", "2")
    assert "B" not in driver
    assert "A" not in executor
