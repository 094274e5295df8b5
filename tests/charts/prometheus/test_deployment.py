"""The bundled Prometheus's pod."""

from __future__ import annotations

from tests.charts.chart import Thing, container, mounts, render


def deployment(**values: object) -> Thing:
    """The Deployment's specification."""
    spec: Thing = render({"prometheus": {"enabled": True, **values}}).find("Deployment", "tinderbox-prometheus")["spec"]
    return spec


def pod(**values: object) -> Thing:
    """The pod's specification."""
    spec: Thing = deployment(**values)["template"]["spec"]
    return spec


def arguments(**values: object) -> dict[str, str]:
    """Its flags."""
    return dict(each.partition("=")[::2] for each in container(pod(**values), "prometheus")["args"])


def test_it_is_switched_on() -> None:
    """By default nothing of it is there."""
    assert "prometheus" not in str(render().kinds())


def test_the_command_asks_little_of_the_image() -> None:
    """A program at one place; nobody can change or stop it over its port."""
    assert container(pod(), "prometheus")["command"] == ["/bin/prometheus"]
    assert "--no-web.enable-lifecycle" in arguments()
    assert "--web.enable-admin-api" not in arguments()


def test_it_reads_and_writes_where_its_volumes_are() -> None:
    """Configuration and data have a mount each; the rest of the file system is read-only."""
    found = mounts(container(pod(), "prometheus"))
    assert found == {"/etc/prometheus": "configuration", "/prometheus": "data"}
    assert arguments()["--config.file"] == "/etc/prometheus/prometheus.yml"
    assert arguments()["--storage.tsdb.path"] == "/prometheus"


def test_what_it_keeps_is_bounded_by_time_and_place() -> None:
    """Four fifths of the place, whether that is a claim or the pod's own."""
    assert arguments()["--storage.tsdb.retention.time"] == "15d"
    assert arguments()["--storage.tsdb.retention.size"] == "6553MB"
    values: Thing = {"retention": "2d", "persistence": {"size": "1000Mi"}}
    assert arguments(**values)["--storage.tsdb.retention.time"] == "2d"
    assert arguments(**values)["--storage.tsdb.retention.size"] == "800MB"
    assert pod(**values)["volumes"][-1] == {"name": "data", "emptyDir": {"sizeLimit": "1000Mi"}}


def test_its_data_can_outlive_it() -> None:
    """A claim takes the place of the pod's own folder, and is handed over."""
    spec = deployment(persistence={"enabled": True})
    claim = {"claimName": "tinderbox-prometheus"}
    assert spec["template"]["spec"]["volumes"][-1] == {"name": "data", "persistentVolumeClaim": claim}
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_places_and_size() -> None:
    """Node selector, tolerations, CPU and memory are values."""
    found = pod(nodeSelector={"a": "b"}, tolerations=[{"key": "x"}], cpu="1", memory="2Gi")
    assert found["nodeSelector"] == {"a": "b"}
    assert found["tolerations"][-1] == {"key": "x"}
    assert container(found, "prometheus")["resources"] == {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"memory": "2Gi"},
    }


def test_a_change_of_its_configuration_restarts_it() -> None:
    """The pod carries a digest of what it reads once."""

    def digest(**values: object) -> str:
        return str(deployment(**values)["template"]["metadata"]["annotations"])

    assert digest() == digest(memory="2Gi")
    assert digest() != digest(scrapeInterval="5s")
