"""Who may open the bundled Grafana, and whom it asks."""

from __future__ import annotations

import pytest

from tests.charts.chart import BUNDLED, Thing, render


def policy(url: str = "", **values: object) -> Thing:
    """The policy's specification, with a Prometheus of one's own at a URL."""
    given = {**BUNDLED, "grafana": {"enabled": True, "prometheusUrl": url}, "networkPolicy": values}
    spec: Thing = render(given).find("NetworkPolicy", "tinderbox-grafana")["spec"]
    return spec


def ports(rule: Thing) -> list[int]:
    """The ports of a rule."""
    return [each["port"] for each in rule["ports"]]


def test_it_holds_for_grafana() -> None:
    """It selects its pod, both ways; without Grafana or policies there is none."""
    template = render(BUNDLED).find("Deployment", "tinderbox-grafana")["spec"]["template"]
    assert policy()["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert policy()["policyTypes"] == ["Ingress", "Egress"]
    for values in ({}, {**BUNDLED, "networkPolicy": {"enabled": False}}):
        assert "NetworkPolicy/tinderbox-grafana" not in render(values).kinds()


def test_only_helms_test_may_open_it() -> None:
    """Other pods may not, until a value names them; a port-forward does not come by the network."""
    (rule,) = policy()["ingress"]
    wanted = rule["from"][0]["podSelector"]["matchLabels"].items()
    assert wanted <= render(BUNDLED).find("Pod", "tinderbox-test-grafana")["metadata"]["labels"].items()
    assert ports(rule) == [3000]
    peer = {"namespaceSelector": {"matchLabels": {"team": "web"}}}
    assert policy(grafanaFrom=[peer])["ingress"][0]["from"][1:] == [peer]


def test_it_reaches_the_bundled_prometheus_and_names() -> None:
    """Nothing outside: neither plugins nor news."""
    asked, names = policy()["egress"]
    labels = render(BUNDLED).find("Deployment", "tinderbox-prometheus")["spec"]["template"]["metadata"]["labels"]
    assert asked["to"][0]["podSelector"]["matchLabels"].items() <= labels.items()
    assert (ports(asked), ports(names)) == ([9090], [53, 53])


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://prometheus.monitoring:9091", 9091), ("http://prometheus/ml", 80), ("https://prometheus.example", 443)],
)
def test_it_reaches_another_prometheus_by_its_port(url: str, port: int) -> None:
    """That of the URL, wherever it leads; what differs behind a Service is a value."""
    assert policy(url)["egress"][0] == {"ports": [{"protocol": "TCP", "port": port}]}
    extra = {"ports": [{"port": 9090}]}
    assert policy(url, grafanaEgress=[extra])["egress"][-1] == extra
