"""The Prometheus operator makes of the chart's monitor and rules what the chart's own Prometheus has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster import binaries, elsewhere
from tests.cluster.binaries import binary
from tests.cluster.commands import run
from tests.cluster.objects import Space, Thing, pod
from tests.on_kubernetes import operated
from tests.on_kubernetes.prometheus import Prometheus, forwarded
from tests.on_kubernetes.release import CHART, SMALL

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

Open = Callable[..., "Release"]
Eventually = Callable[[Callable[[], bool], float], bool]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

STACK = {"release": "stack"}
VALUES = {
    "console.enabled": "true",
    "monitoring.podMonitors.enabled": "true",
    "monitoring.podMonitors.labels.release": "stack",
    "monitoring.podMonitors.interval": "5s",
    "monitoring.rules.enabled": "true",
    "monitoring.rules.labels.release": "stack",
}
JOBS = {
    "tinderbox": ("metrics", "/metrics"),
    "tinderbox-spark-driver": ("ui", "/metrics/prometheus/"),
    "tinderbox-spark-executors": ("ui", "/metrics/executors/prometheus/"),
}
PAGES = """
for kind in prometheus executors/prometheus; do
    mkdir -p /tmp/pages/metrics/$kind
    echo asked 1 >/tmp/pages/metrics/$kind/index.html
done
echo .html:text/plain >/tmp/types
exec httpd -f -p 4040 -h /tmp/pages -c /tmp/types
"""
"""What stands in for a driver's page."""


@dataclass(frozen=True)
class Operated:
    """A release, and a Prometheus that the operator runs for it."""

    release: Release
    prometheus: Prometheus

    @property
    def space(self) -> Space:
        """Their namespace."""
        return self.release.space


@pytest.fixture(scope="module")
def kinds(kubeconfig: Path) -> Iterator[None]:
    """A cluster that knows the operator's kinds."""
    if elsewhere.named() is not None:
        pytest.skip("a cluster that KUBECONFIG names may have an operator of its own: it is left alone")
    for name in ("operator", "prometheus"):
        if name in binaries.missing([name]):
            pytest.skip(f"there is no {name}: python -m tests.cluster build {name}")
    with operated.kinds(Space("default", kubeconfig)):
        yield


@pytest.fixture(scope="module")
def seen(kinds: None, opened: Open) -> Iterator[Operated]:
    """A release with pods that look like drivers, and the operator with a Prometheus for it and one for others."""
    release = opened("operated", SMALL | VALUES)
    version = yaml.safe_load((CHART / "values.yaml").read_text())["prometheus"]["image"]["tag"]
    with operated.operator(release.space, release.folder / "operator.log"):
        release.space.apply(
            _driver("driver", PAGES),
            _driver("ended", "true"),
            *operated.account("mine"),
            operated.prometheus("mine", version, STACK, 1),
            operated.prometheus("another", version, {"release": "another"}, 0),
        )
        release.space("wait", "--for=condition=Reconciled", "--timeout=60s", "prometheus/another")
        release.space("wait", "--for=condition=Available", "--timeout=120s", "prometheus/mine")
        release.space.await_ready("driver")
        release.space("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", "pod/ended")
        with forwarded(release, "prometheus-operated") as prometheus:
            yield Operated(release, prometheus)


def _driver(name: str, script: str) -> Thing:
    """A pod with the label and the port of a driver's page."""
    thing = pod(name, script, ports=[{"name": "ui", "containerPort": 4040}])
    thing["metadata"]["labels"]["app.kubernetes.io/part-of"] = "tinderbox"
    return thing


def steps(job: Thing, action: str) -> list[Thing]:
    """The relabelling of a scrape job that does one thing; what names no action replaces."""
    return [step for step in job["relabel_configs"] if step.get("action", "replace") == action]


def test_scrape_jobs_are_the_charts(seen: Operated) -> None:
    """Three of them, each for a port by name and a path, among pods of this namespace that are Tinderbox's."""
    jobs = operated.configuration(seen.space, "mine")["scrape_configs"]
    found = {}
    for job in jobs:
        kept = {step["source_labels"][0].removeprefix("__meta_kubernetes_pod_"): step for step in steps(job, "keep")}
        assert kept["label_app_kubernetes_io_part_of"]["regex"] == "(tinderbox);true"
        names = [step["replacement"] for step in steps(job, "replace") if step.get("target_label") == "job"]
        found[names[-1]] = (kept["container_port_name"]["regex"], job["metrics_path"])
        (search,) = job["kubernetes_sd_configs"]
        assert (search["role"], search["namespaces"]["names"]) == ("pod", [seen.space.name])
        assert job["scrape_interval"] == "5s"
    assert found == JOBS
    assert len(jobs) == len(JOBS)


def test_promtool_accepts_what_the_operator_wrote(seen: Operated, tmp_path: Path) -> None:
    """The configuration, and the files of rules that it names."""
    tree = operated.configuration(seen.space, "mine")
    assert len(tree["rule_files"]) == 1
    tree["rule_files"] = [name.replace("/etc/prometheus/rules", str(tmp_path)) for name in tree["rule_files"]]
    for name, text in operated.rules(seen.space, "mine").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(tree))
    said = run(binary("promtool"), "check", "config", tmp_path / "prometheus.yaml")
    assert said.count("rules found") == len(groups())


def groups() -> dict[str, list[Thing]]:
    """The rules of the repository, by group."""
    return dict(_groups(file.read_text()) for file in sorted((CHART / "monitoring" / "rules").glob("*.yaml")))


def _groups(text: str) -> tuple[str, list[Thing]]:
    (group,) = yaml.safe_load(text)["groups"]
    return group["name"], group["rules"]


def test_rules_are_those_of_the_repository(seen: Operated, eventually: Eventually) -> None:
    """Group by group, and Prometheus evaluates each of them."""
    assert dict(map(_groups, operated.rules(seen.space, "mine").values())) == groups()
    names = [rule.get("alert") or rule["record"] for rules in groups().values() for rule in rules]
    assert sorted(rule["name"] for rule in seen.prometheus.rules()) == sorted(names)
    assert eventually(lambda: {rule["health"] for rule in seen.prometheus.rules()} == {"ok"}, 60)


def test_its_prometheus_scrapes_console_and_driver(seen: Operated, eventually: Eventually) -> None:
    """The pods that run and nobody else, with the labels that the chart's own Prometheus gives them."""
    (console,) = (pod["metadata"]["name"] for pod in seen.release.pods("app.kubernetes.io/component=console"))
    pods = {"tinderbox": console, "tinderbox-spark-driver": "driver", "tinderbox-spark-executors": "driver"}
    wanted = [{"namespace": seen.space.name, "pod": name, "job": job} for job, name in pods.items()]

    def labels() -> list[dict[str, str]]:
        up = [target["labels"] for target in seen.prometheus.targets() if target["health"] == "up"]
        bare = [{name: value for name, value in each.items() if name != "instance"} for each in up]
        return sorted(bare, key=lambda each: each["job"])

    assert eventually(lambda: labels() == wanted, 60), seen.prometheus.targets()
    assert len(seen.prometheus.targets()) == len(wanted)


def test_a_prometheus_for_other_labels_has_nothing(seen: Operated) -> None:
    """The labels from the values decide."""
    tree = operated.configuration(seen.space, "another")
    assert tree["scrape_configs"] == []
    assert operated.rules(seen.space, "another") == {}


def test_without_labels_nothing_is_chosen(seen: Operated, eventually: Eventually) -> None:
    """A monitor and rules that lose them are passed over from then on."""
    seen.space("label", "podmonitors,prometheusrules", "--all", "release-")

    def chosen() -> list[Thing]:
        return [*operated.configuration(seen.space, "mine")["scrape_configs"], *operated.rules(seen.space, "mine")]

    try:
        assert eventually(lambda: chosen() == [], 30)
    finally:
        seen.space("label", "podmonitors,prometheusrules", "--all", "release=stack")
    assert eventually(lambda: len(chosen()) > len(JOBS), 30)
