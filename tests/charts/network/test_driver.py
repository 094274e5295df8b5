"""Who may talk to drivers, and to whom they may."""

from tests.charts.chart import MANIFESTS, Thing, manifest, render


def policy(**values: object) -> Thing:
    """The policy's specification."""
    spec: Thing = render({"networkPolicy": values}).find("NetworkPolicy", "tinderbox-driver")["spec"]
    return spec


def ports(rule: Thing) -> list[int]:
    """The ports of a rule."""
    return [each["port"] for each in rule["ports"]]


def test_it_holds_for_drivers() -> None:
    """It selects the pods of the manifests and of `submit`, both ways."""
    wanted = policy()["podSelector"]["matchLabels"].items()
    assert policy()["policyTypes"] == ["Ingress", "Egress"]
    jobs = [render().driver(), *(manifest(path)[1] for path in MANIFESTS)]
    assert all(wanted <= job["spec"]["template"]["metadata"]["labels"].items() for job in jobs)


def test_executors_reach_rpc_blocks_and_coordinator() -> None:
    """Executors come in by the three ports that Spark's settings fix, and nobody else does."""
    rule, metrics = policy()["ingress"]
    settings = render().settings()
    fixed = ["spark.driver.port", "spark.driver.blockManager.port", "spark.tinderbox.coordinator.port"]
    assert ports(rule) == [int(settings[key]) for key in fixed]
    wanted = rule["from"][0]["podSelector"]["matchLabels"].items()
    assert wanted <= render().executor()["metadata"]["labels"].items()
    assert ports(metrics) == [9095, 4040]
    assert metrics["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["monitoring"]


def test_drivers_reach_executors_dns_and_the_api_server() -> None:
    """Blocks of executors, names, and the endpoint's ports; the rest by a value."""
    executors, names, server = policy()["egress"]
    assert (ports(executors), ports(names), ports(server)) == ([7079], [53, 53], [443, 6443])
    extra = {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": 9000}]}
    *_, server, last = policy(apiServerPorts=[8443], driverEgress=[extra])["egress"]
    assert (ports(server), last) == ([8443], extra)


def test_metrics_can_be_closed() -> None:
    """Without monitoring namespaces or metrics nobody reads them; with several namespaces, all of them do."""
    assert len(policy(monitoringNamespaces=[])["ingress"]) == 1
    without = render({"monitoring": {"enabled": False}}).find("NetworkPolicy", "tinderbox-driver")["spec"]
    assert len(without["ingress"]) == 1
    rule = policy(monitoringNamespaces=["a", "b"])["ingress"][1]
    assert rule["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["a", "b"]


def test_there_may_be_no_policies() -> None:
    """One switch turns all of them off."""
    assert "NetworkPolicy" not in str(render({"networkPolicy": {"enabled": False}}).kinds())
