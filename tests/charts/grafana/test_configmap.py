"""What the bundled Grafana is told, and what it is refused without."""

from __future__ import annotations

from configparser import ConfigParser

import yaml

from tests.charts.chart import BUNDLED, Thing, refusal, render


def files(**values: object) -> dict[str, str]:
    """The files of its configuration."""
    found: dict[str, str] = render({**BUNDLED, "grafana": {"enabled": True, **values}}).find(
        "ConfigMap", "tinderbox-grafana"
    )["data"]
    return found


def source(**values: object) -> Thing:
    """Its data source."""
    (found,) = yaml.safe_load(files(**values)["datasources.yaml"])["datasources"]
    data: Thing = found
    return data


def test_nobody_looks_without_a_password_and_it_calls_nobody() -> None:
    """Neither guests nor sign-up, and no word to anybody outside."""
    told = ConfigParser()
    told.read_string(files()["grafana.ini"])
    off = [
        ("auth.anonymous", "enabled"),
        ("users", "allow_sign_up"),
        ("analytics", "reporting_enabled"),
        ("analytics", "check_for_updates"),
        ("analytics", "check_for_plugin_updates"),
        ("news", "news_feed_enabled"),
        ("plugins", "preinstall_auto_update"),
    ]
    assert [told.getboolean(*key) for key in off] == [False] * len(off)
    assert told.getboolean("plugins", "preinstall_disabled")


def test_it_asks_the_bundled_prometheus() -> None:
    """By its Service, under the uid that dashboards name."""
    service = render(BUNDLED).find("Service", "tinderbox-prometheus")
    assert source()["uid"] == source()["type"] == "prometheus"
    assert source()["url"] == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert source()["jsonData"]["timeInterval"] == "15s"


def test_it_asks_another_prometheus() -> None:
    """The URL is the last word, with or without a bundled one."""
    url = "https://prometheus.example/ml"
    assert source(prometheusUrl=url)["url"] == url
    alone = render({"grafana": {"enabled": True, "prometheusUrl": url}})
    assert url in alone.find("ConfigMap", "tinderbox-grafana")["data"]["datasources.yaml"]
    assert "Deployment/tinderbox-prometheus" not in alone.kinds()


def test_dashboards_come_from_where_they_are_mounted() -> None:
    """All of them in one folder, the study's is the first page, and nobody saves over them."""
    (provider,) = yaml.safe_load(files()["dashboards.yaml"])["providers"]
    assert (provider["folder"], provider["allowUiUpdates"]) == ("Tinderbox", False)
    pod = render(BUNDLED).find("Deployment", "tinderbox-grafana")["spec"]["template"]["spec"]
    paths = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert paths[provider["options"]["path"]] == "dashboards"
    assert f"{provider['options']['path']}/tinderbox-study.json" in files()["grafana.ini"]
    assert "tinderbox-study.json" in render(BUNDLED).find("ConfigMap", "tinderbox-dashboard-study")["data"]


def test_without_a_prometheus_it_is_refused() -> None:
    """It would show nothing."""
    told = refusal({"grafana": {"enabled": True}})
    assert "grafana.enabled=true needs a Prometheus to ask: set prometheus.enabled=true, or name yours" in told


def test_without_dashboards_it_is_refused() -> None:
    """It is there to show them."""
    told = refusal({**BUNDLED, "monitoring": {"dashboards": {"enabled": False}}})
    assert "grafana.enabled=true shows dashboards, and monitoring.dashboards.enabled=false leaves them out" in told
