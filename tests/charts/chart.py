"""Renders the chart and finds things in what comes out."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import binaries
from tests.cluster.errors import Missing

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "tinderbox"
MANIFESTS = sorted((ROOT / "jobs").glob("*.yaml"))
OPERATOR = ("monitoring.coreos.com/v1/PodMonitor", "monitoring.coreos.com/v1/PrometheusRule")

Thing = dict[str, Any]

BUNDLED: Thing = {"prometheus": {"enabled": True}, "grafana": {"enabled": True}}
"""Values of a release that brings its own monitoring."""


class Refused(Exception):
    """What helm says of values that it does not take."""


@dataclass(frozen=True)
class Rendered:
    """What a release consists of, tests included."""

    things: list[Thing]

    def kinds(self) -> list[str]:
        """The names of all objects, as kind/name."""
        return sorted(f"{thing['kind']}/{thing['metadata']['name']}" for thing in self.things)

    def find(self, kind: str, name: str) -> Thing:
        """One object."""
        found = [thing for thing in self.things if (thing["kind"], thing["metadata"]["name"]) == (kind, name)]
        assert len(found) == 1, f"{kind}/{name} is not among {self.kinds()}"
        return found[0]

    def held(self, config_map: str, key: str) -> Thing:
        """The YAML under a key of a ConfigMap."""
        tree: Thing = yaml.safe_load(self.find("ConfigMap", config_map)["data"][key])
        return tree

    def settings(self, release: str = "tinderbox") -> dict[str, str]:
        """Spark's settings, as text."""
        lines = self.find("ConfigMap", f"{release}-spark")["data"]["spark-defaults.conf"].splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def executor(self) -> Thing:
        """The pod that Spark is to make its executors of."""
        return self.held("tinderbox-spark", "executor.yaml")

    def driver(self, release: str = "tinderbox") -> Thing:
        """The Job that `tinderbox submit` is to make its Jobs of."""
        return self.held(f"{release}-driver", "driver.yaml")

    def driver_pod(self) -> Thing:
        """The specification of that Job's pod."""
        pod: Thing = self.driver()["spec"]["template"]["spec"]
        return pod


def find_tool(name: str) -> str | None:
    """The path of helm, helm3 or promtool, on the PATH or among what the test cluster has built, None without one."""
    try:
        return shutil.which(name) or str(binaries.binary(name))
    except Missing:
        return None


def render(
    values: Thing | None = None, release: str = "tinderbox", helm: str = "helm", operator: bool = True, **also: Thing
) -> Rendered:
    """Render the chart for a cluster with or without the Prometheus operator; `also` are values, by their first key.

    Raises:
        Refused: The schema or a guard does not take the values.
    """
    kinds = OPERATOR if operator else ()
    text = _template(json.dumps({**(values or {}), **also}), release, find_tool(helm) or helm, kinds)
    # PyYAML in Python takes longer than helm does.
    documents = yaml.load_all(text, yaml.CSafeLoader)
    return Rendered([thing for thing in documents if thing])


def refusal(values: Thing, operator: bool = True, **also: Thing) -> str:
    """What helm says of values that it must not take."""
    with pytest.raises(Refused) as refused:
        render(values, operator=operator, **also)
    return str(refused.value)


@functools.cache
def _template(values: str, release: str, helm: str, kinds: tuple[str, ...]) -> str:
    # A helm that is built from its module says that Kubernetes is 1.20.
    command = [helm, "template", release, str(CHART), "--namespace", "ml", "--kube-version", "1.36.0", "--values", "-"]
    command += [f"--api-versions={kind}" for kind in kinds]
    done = subprocess.run(command, input=values, capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def container(pod: Thing, name: str) -> Thing:
    """One container of a pod's specification."""
    found: Thing = next(each for each in pod["containers"] if each["name"] == name)
    return found


def environment(of: Thing) -> dict[str, Any]:
    """A container's variables: a value, or what it is taken from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in of["env"]}


def mounts(of: Thing) -> dict[str, str]:
    """Where a container mounts which volume."""
    return {each["mountPath"]: each["name"] for each in of["volumeMounts"]}


def pods_of(thing: Thing) -> list[Thing]:
    """The specifications of all pods that an object makes, those in ConfigMaps too."""
    if thing["kind"] == "ConfigMap":
        held = [yaml.safe_load(text) for key, text in thing["data"].items() if key in ("driver.yaml", "executor.yaml")]
        return [pod for each in held for pod in pods_of(each)]
    if thing["kind"] == "Pod":
        return [thing["spec"]]
    return [thing["spec"]["template"]["spec"]] if "template" in thing.get("spec", {}) else []


def manifest(path: Path) -> tuple[Thing, Thing]:
    """The ConfigMap and the Job of a file in jobs/."""
    config_map, job = yaml.safe_load_all(path.read_text())
    return config_map, job
