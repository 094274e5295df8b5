"""What the Prometheus operator is told to scrape."""

from __future__ import annotations

import yaml

from tests.charts.chart import BUNDLED, Thing, container, render


def monitor(**values: object) -> Thing:
    """The PodMonitor."""
    release = render({"monitoring": {"podMonitors": {"enabled": True, **values}}})
    return release.find("PodMonitor", "tinderbox")


def test_it_is_switched_on() -> None:
    """A cluster without the operator would refuse it."""
    assert "PodMonitor" not in str(render().kinds())


def test_it_selects_pods_of_all_kinds() -> None:
    """Drivers, executors and the console, of its own namespace."""
    wanted = monitor()["spec"]["selector"]["matchLabels"].items()
    release = render()
    console = release.find("Deployment", "tinderbox-console")["spec"]["template"]
    for pod in (release.driver()["spec"]["template"], release.executor(), console):
        assert wanted <= pod["metadata"]["labels"].items()
    assert "namespaceSelector" not in monitor()["spec"]


def test_its_ports_are_those_of_the_pods() -> None:
    """An endpoint names a port; only drivers have Spark's page."""
    release = render()
    driver = {port["name"] for port in container(release.driver_pod(), "driver")["ports"]}
    executor = {port["name"] for port in container(release.executor()["spec"], "executor")["ports"]}
    ports = [each["port"] for each in monitor()["spec"]["podMetricsEndpoints"]]
    assert ports == ["metrics", "ui", "ui"]
    assert set(ports) <= driver
    assert set(ports) & executor == {"metrics"}


def test_its_jobs_are_those_of_the_bundled_prometheus() -> None:
    """Names and paths are the same, so dashboards and rules need not know who scraped."""
    told = render(BUNDLED).find("ConfigMap", "tinderbox-prometheus")["data"]["prometheus.yml"]
    bundled = {each["job_name"]: each["metrics_path"] for each in yaml.safe_load(told)["scrape_configs"]}
    endpoints = monitor()["spec"]["podMetricsEndpoints"]
    jobs = {each["relabelings"][0]["replacement"]: each["path"] for each in endpoints}
    assert jobs == bundled
    assert {each["relabelings"][0]["targetLabel"] for each in endpoints} == {"job"}
    assert [each["relabelings"][1]["action"] for each in endpoints] == ["labeldrop"] * 3


def test_labels_and_interval_are_values() -> None:
    """The operator's Prometheus chooses by labels; the chart's own stay."""
    mine = monitor(labels={"release": "stack"}, interval="1m")
    assert mine["metadata"]["labels"].items() >= monitor()["metadata"]["labels"].items()
    assert mine["metadata"]["labels"]["release"] == "stack"
    assert {each["interval"] for each in mine["spec"]["podMetricsEndpoints"]} == {"1m"}
    assert {each["interval"] for each in monitor()["spec"]["podMetricsEndpoints"]} == {"15s"}
