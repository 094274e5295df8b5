"""Who may ask the bundled Prometheus, and whom it scrapes."""

from __future__ import annotations

from tests.charts.chart import BUNDLED, Thing, render


def policy(**values: object) -> Thing:
    """The policy's specification."""
    spec: Thing = render({**BUNDLED, "networkPolicy": values}).find("NetworkPolicy", "tinderbox-prometheus")["spec"]
    return spec


def peers(rule: Thing, side: str = "to") -> list[str]:
    """The components that a rule names."""
    return [each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in rule[side]]


def ports(rule: Thing) -> list[int]:
    """The ports of a rule."""
    return [each["port"] for each in rule["ports"]]


def test_it_holds_for_prometheus() -> None:
    """It selects its pod, both ways; without Prometheus or policies there is none."""
    template = render(BUNDLED).find("Deployment", "tinderbox-prometheus")["spec"]["template"]
    assert policy()["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert policy()["policyTypes"] == ["Ingress", "Egress"]
    for values in ({}, {**BUNDLED, "networkPolicy": {"enabled": False}}):
        assert "NetworkPolicy/tinderbox-prometheus" not in render(values).kinds()


def test_grafana_and_helms_test_may_ask() -> None:
    """Other pods may not, until a value names them."""
    (rule,) = policy()["ingress"]
    assert (peers(rule, "from"), ports(rule)) == (["grafana", "test"], [9090])
    peer = {"namespaceSelector": {"matchLabels": {"team": "web"}}}
    assert policy(prometheusFrom=[peer])["ingress"][0]["from"][2:] == [peer]


def test_it_reaches_what_it_scrapes_and_no_more() -> None:
    """Metrics of all pods, Spark's page of drivers, names, and the API server."""
    metrics, page, names, server = policy(apiServerPorts=[8443])["egress"]
    assert (peers(metrics), ports(metrics)) == (["driver", "executor", "console"], [9095])
    assert (peers(page), ports(page)) == (["driver"], [4040])
    assert (ports(names), ports(server)) == ([53, 53], [8443])


def test_what_it_may_reach_lets_it_in() -> None:
    """The other end's policy names it for the same ports, besides the monitoring namespaces or without any."""
    release = render({**BUNDLED, "networkPolicy": {"monitoringNamespaces": []}})
    for component, wanted in (("driver", [9095, 4040]), ("executor", [9095]), ("console", [9095])):
        rule = release.find("NetworkPolicy", f"tinderbox-{component}")["spec"]["ingress"][-1]
        assert (peers(rule, "from"), ports(rule)) == (["prometheus"], wanted)
    both = render(BUNDLED).find("NetworkPolicy", "tinderbox-driver")["spec"]["ingress"][-1]["from"]
    assert [list(peer) for peer in both] == [["namespaceSelector"], ["podSelector"]]
