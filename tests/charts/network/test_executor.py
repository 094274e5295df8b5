"""Who may talk to executors, and to whom they may."""

from tests.charts.chart import Thing, render
from tinderbox.training.worker.ports import PORTS

WORKERS = {"protocol": "TCP", "port": PORTS.start, "endPort": PORTS.stop - 1}
"""Where a training's workers hear each other."""


def policy(**values: object) -> Thing:
    """The policy's specification."""
    spec: Thing = render({"networkPolicy": values}).find("NetworkPolicy", "tinderbox-executor")["spec"]
    return spec


def component(peer: Thing) -> str:
    """The component that a peer names."""
    return str(peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"])


def test_it_holds_for_executors() -> None:
    """It selects the pods of the template that Spark reads."""
    assert policy()["podSelector"]["matchLabels"].items() <= render().executor()["metadata"]["labels"].items()
    assert policy()["policyTypes"] == ["Ingress", "Egress"]


def test_only_blocks_updates_and_metrics_come_in() -> None:
    """Driver and executors fetch blocks, workers of a training share updates, monitoring reads metrics."""
    blocks, updates, metrics = policy()["ingress"]
    assert [component(peer) for peer in blocks["from"]] == ["driver", "executor"]
    assert [each["port"] for each in blocks["ports"]] == [int(render().settings()["spark.blockManager.port"])]
    assert [component(peer) for peer in updates["from"]] == ["executor"]
    assert updates["ports"] == [WORKERS]
    assert [each["port"] for each in metrics["ports"]] == [9095]


def test_executors_reach_no_api_server() -> None:
    """Their driver, each other and names: code of a trial gets no further, unless a value lets it."""
    driver, executors, names = policy()["egress"]
    assert component(driver["to"][0]) == "driver"
    assert [each["port"] for each in driver["ports"]] == [7078, 7079, 7070]
    assert component(executors["to"][0]) == "executor"
    assert executors["ports"] == [{"protocol": "TCP", "port": 7079}, WORKERS]
    assert [each["port"] for each in names["ports"]] == [53, 53]
    extra = {"ports": [{"port": 443}]}
    assert policy(executorEgress=[extra])["egress"][-1] == extra
