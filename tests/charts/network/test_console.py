"""Who may open the console."""

from tests.charts.chart import Thing, render


def policy(values: Thing | None = None, **also: Thing) -> Thing:
    """The policy's specification."""
    spec: Thing = render(values, **also).find("NetworkPolicy", "tinderbox-console")["spec"]
    return spec


def test_only_helms_test_may() -> None:
    """Other pods may not, until a value names them; a port-forward does not come by the network."""
    rule = policy()["ingress"][0]
    assert [each["port"] for each in rule["ports"]] == [18080]
    wanted = rule["from"][0]["podSelector"]["matchLabels"].items()
    assert wanted <= render().find("Pod", "tinderbox-test-console")["metadata"]["labels"].items()
    peer = {"namespaceSelector": {"matchLabels": {"team": "web"}}}
    assert policy({"networkPolicy": {"consoleFrom": [peer]}})["ingress"][0]["from"][1:] == [peer]


def test_monitoring_reads_its_metrics() -> None:
    """At the port of the container, and no other."""
    metrics = policy()["ingress"][1]
    assert [each["port"] for each in metrics["ports"]] == [9095]
    assert metrics["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["monitoring"]
    assert len(policy({"monitoring": {"enabled": False}})["ingress"]) == 1


def test_it_reaches_what_holds_the_logs() -> None:
    """Names only, while they are on a volume; object storage, at whatever port, else."""
    assert [each["port"] for each in policy()["egress"][0]["ports"]] == [53, 53]
    assert len(policy()["egress"]) == 1
    extra = {"ports": [{"port": 9000}]}
    rules = policy({"console": {"eventLog": "s3a://b/e"}}, networkPolicy={"driverEgress": [extra]})["egress"]
    assert rules[1:] == [{"ports": [{"protocol": "TCP", "port": 443}]}, extra]
