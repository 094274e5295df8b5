"""What else the console runs beside the studies."""

from __future__ import annotations

import pytest

from tests.charts.chart import Thing, container, environment, mounts, render

EVERYWHERE = pytest.mark.parametrize("name", ["metrics", "optuna"])
BUCKET: Thing = {
    "storage": {"url": "s3://b/studies", "credentialsSecret": "s3"},
    "console": {"eventLog": "s3a://b/events", "optunaDashboard": True},
}


def template(values: Thing | None = None) -> Thing:
    """What the console's pod is made of."""
    found: Thing = render(values or {"console": {"optunaDashboard": True}}).find("Deployment", "tinderbox-console")
    made: Thing = found["spec"]["template"]
    return made


def names(values: Thing) -> list[str]:
    """The names of the console's containers."""
    return [each["name"] for each in template(values)["spec"]["containers"]]


def test_which_of_them_run_is_a_value() -> None:
    """Metrics with all other metrics, Optuna's dashboard when it is asked for."""
    assert names({"console": {}}) == ["history", "studies", "metrics"]
    assert names({"monitoring": {"enabled": False}}) == ["history", "studies"]
    assert names({"console": {"optunaDashboard": True}}) == ["history", "studies", "metrics", "optuna"]


def test_metrics_of_ended_studies_are_where_those_of_drivers_are() -> None:
    """The same port, named alike, with the same annotations, and the node for their labels."""
    metrics = container(template()["spec"], "metrics")
    assert metrics["command"] == ["tini", "--", "python", "-m", "tinderbox.api.console"]
    assert metrics["ports"] == [{"name": "metrics", "containerPort": 9095}]
    told = environment(metrics)
    driver = environment(container(render().driver_pod(), "driver"))
    shared = ("TINDERBOX_METRICS_PORT", "TINDERBOX_METRICS_SOCKET", "TINDERBOX_NODE")
    assert {name: told[name] for name in shared} == {name: driver[name] for name in shared}
    lead = render().driver()["spec"]["template"]["metadata"]["annotations"].items()
    assert lead <= template()["metadata"]["annotations"].items()
    assert "prometheus.io/port" not in template({"monitoring": {"annotations": False}})["metadata"]["annotations"]


def test_optunas_dashboard_has_no_port_for_others() -> None:
    """It listens where a port-forward ends, and the pod names no port for it."""
    optuna = container(template()["spec"], "optuna")
    assert optuna["command"] == ["tini", "--", "python", "-m", "tinderbox.report.dashboard"]
    assert "ports" not in optuna


@EVERYWHERE
def test_they_read_the_claim_and_cannot_write_it(name: str) -> None:
    """The folder is that of the drivers, read-only; only /tmp is writable."""
    reader = container(template()["spec"], name)
    assert environment(reader)["TINDERBOX_STORAGE"] == "/studies"
    assert mounts(reader) == {"/tmp": "tmp", "/studies": "studies"}  # noqa: S108 - a mount of the pod
    assert reader["volumeMounts"][-1] == {
        "name": "studies",
        "mountPath": "/studies",
        "subPath": "studies",
        "readOnly": True,
    }


@EVERYWHERE
def test_they_read_a_url_with_its_credentials(name: str) -> None:
    """As drivers do, with no claim at all."""
    reader = container(template(BUCKET)["spec"], name)
    assert environment(reader)["TINDERBOX_STORAGE"] == "s3://b/studies"
    assert reader["envFrom"] == [{"secretRef": {"name": "s3"}}]
    assert "studies" not in mounts(reader).values()


def test_their_memory_is_bounded() -> None:
    """What they ask for is all that they get."""
    pod = template()["spec"]
    limits = {each["name"]: each["resources"]["limits"]["memory"] for each in pod["containers"]}
    assert limits == {"history": "1Gi", "studies": "64Mi", "metrics": "256Mi", "optuna": "512Mi"}
