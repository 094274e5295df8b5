"""The Prometheus operator, run on this machine for one namespace of the cluster, and what it makes there."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from images.say import tail
from tests.cluster import images
from tests.cluster.binaries import TOOLS, binary
from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.cluster.objects import Space, Thing

MODULE = "github.com/prometheus-operator/prometheus-operator"
KINDS = ("podmonitors", "probes", "prometheuses", "prometheusrules", "servicemonitors")
"""What the operator reads for a Prometheus; it does without the kinds of other things that it can run."""


@contextmanager
def kinds(space: Space) -> Iterator[None]:
    """Let the cluster know the operator's kinds, as they lie beside its source, and forget them with all objects."""
    found = json.loads(run("go", "-C", TOOLS / "operator", "mod", "download", "-json", MODULE))
    folder = Path(found["Dir"]) / "example" / "prometheus-operator-crd"
    files = [f"--filename={folder}/monitoring.coreos.com_{kind}.yaml" for kind in KINDS]
    try:
        # The larger ones do not fit into the annotation that kubectl would write.
        space("apply", "--server-side", *files)
        space("wait", "--for=condition=Established", "--timeout=30s", *files)
        yield
    finally:
        space("delete", "--ignore-not-found", *files)


@contextmanager
def operator(space: Space, log: Path) -> Iterator[None]:
    """Run the operator beside the cluster, for one namespace."""
    command = [
        str(binary("operator")),
        f"--namespaces={space.name}",
        f"--prometheus-config-reloader={images.push_program('prometheus-config-reloader')}",
        "--config-reloader-cpu-limit=0",  # with a hundredth of a core it takes ten seconds to start
        "--web.listen-address=127.0.0.1:0",
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"KUBECONFIG": str(space.kubeconfig)}
        )
    try:
        yield
    except ClusterError as error:
        raise ClusterError(f"{error}\n{log} says:\n{tail(log)}") from error
    finally:
        process.terminate()
        process.wait(20)


def account(name: str) -> list[Thing]:
    """A service account that may look for pods, for a Prometheus."""
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {
            **head,
            "kind": "Role",
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        },
        {
            **head,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        },
    ]


def prometheus(name: str, version: str, labels: dict[str, str], replicas: int) -> Thing:
    """A Prometheus for monitors and rules that have these labels, allowed under `restricted`."""
    spec = {
        "image": images.push_program("prometheus"),
        "version": version,
        "replicas": replicas,
        "serviceAccountName": name,
        "podMonitorSelector": {"matchLabels": labels},
        "ruleSelector": {"matchLabels": labels},
        "evaluationInterval": "5s",
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": name},
        "spec": spec,
    }


def configuration(space: Space, name: str) -> Thing:
    """What the operator configures a Prometheus with."""
    secret = json.loads(space("get", "secret", f"prometheus-{name}", "--output=json"))
    tree: Thing = yaml.safe_load(gzip.decompress(base64.b64decode(secret["data"]["prometheus.yaml.gz"])))
    return tree


def rules(space: Space, name: str) -> dict[str, str]:
    """The files of rules that the operator gives to a Prometheus, by folder and name."""
    maps: list[Any] = json.loads(space("get", "configmaps", f"--selector=prometheus-name={name}", "--output=json"))[
        "items"
    ]
    return {f"{each['metadata']['name']}/{file}": text for each in maps for file, text in each.get("data", {}).items()}
