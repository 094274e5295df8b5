"""The bundled Grafana's pod."""

from __future__ import annotations

from tests.charts.chart import BUNDLED, Thing, container, environment, mounts, render


def deployment(**values: object) -> Thing:
    """The Deployment's specification."""
    release = render({**BUNDLED, "grafana": {"enabled": True, **values}})
    spec: Thing = release.find("Deployment", "tinderbox-grafana")["spec"]
    return spec


def pod(**values: object) -> Thing:
    """The pod's specification."""
    spec: Thing = deployment(**values)["template"]["spec"]
    return spec


def test_it_is_switched_on() -> None:
    """By default nothing of it is there."""
    assert "grafana" not in str(render().kinds())


def test_every_dashboard_is_mounted() -> None:
    """From the ConfigMaps that sidecars read."""
    release = render(BUNDLED)
    (volume,) = [each for each in pod()["volumes"] if each["name"] == "dashboards"]
    named = [source["configMap"]["name"] for source in volume["projected"]["sources"]]
    made = [thing["metadata"]["name"] for thing in release.things if "-dashboard-" in thing["metadata"]["name"]]
    assert named == made
    assert mounts(container(pod(), "grafana"))["/etc/tinderbox/dashboards"] == "dashboards"


def test_its_files_lie_beside_those_of_the_image() -> None:
    """Each mount of the configuration is one of its files; folders of the image stay."""
    files = render(BUNDLED).find("ConfigMap", "tinderbox-grafana")["data"]
    found = [each for each in container(pod(), "grafana")["volumeMounts"] if each["name"] == "configuration"]
    assert {each["mountPath"]: each["subPath"] for each in found} == {
        "/etc/grafana/grafana.ini": "grafana.ini",
        "/etc/grafana/provisioning/datasources/tinderbox.yaml": "datasources.yaml",
        "/etc/grafana/provisioning/dashboards/tinderbox.yaml": "dashboards.yaml",
    }
    assert {each["subPath"] for each in found} == files.keys()


def test_the_administrator_comes_from_the_secret() -> None:
    """Name and password are keys that the Secret has."""
    told = environment(container(pod(), "grafana"))
    keys = {name: value["secretKeyRef"]["key"] for name, value in told.items()}
    assert keys == {"GF_SECURITY_ADMIN_USER": "admin-user", "GF_SECURITY_ADMIN_PASSWORD": "admin-password"}
    secret = render(BUNDLED).find("Secret", told["GF_SECURITY_ADMIN_USER"]["secretKeyRef"]["name"])
    assert set(secret["data"]) == set(keys.values())


def test_its_data_can_outlive_it() -> None:
    """In a claim, which is handed over, instead of the pod's own folder."""
    assert pod()["volumes"][-1] == {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}
    spec = deployment(persistence={"enabled": True})
    claim = {"claimName": "tinderbox-grafana"}
    assert spec["template"]["spec"]["volumes"][-1] == {"name": "data", "persistentVolumeClaim": claim}
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert mounts(container(pod(), "grafana"))["/var/lib/grafana"] == "data"


def test_places_and_size() -> None:
    """Node selector, tolerations, CPU and memory are values."""
    found = pod(nodeSelector={"a": "b"}, tolerations=[{"key": "x"}], cpu="1", memory="1Gi")
    assert found["nodeSelector"] == {"a": "b"}
    assert found["tolerations"][-1] == {"key": "x"}
    assert container(found, "grafana")["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


def test_a_change_of_its_configuration_restarts_it() -> None:
    """The pod carries a digest of what it reads once."""

    def digest(**values: object) -> str:
        return str(deployment(**values)["template"]["metadata"]["annotations"])

    assert digest() == digest(memory="1Gi")
    assert digest() != digest(prometheusUrl="http://other:9090")
