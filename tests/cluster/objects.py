"""The objects that tests put on a cluster, small and allowed under `restricted`."""

import json
from pathlib import Path
from typing import Any

from tests.cluster import images
from tests.cluster.control import kubectl
from tests.cluster.errors import ClusterError
from tests.cluster.layout import KUBECONFIG

Thing = dict[str, Any]

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
    "runAsNonRoot": True,
    "runAsUser": 1000,
}
SLEEP = "trap 'exit 0' TERM; while :; do sleep 1 & wait; done"


def namespace(name: str) -> Thing:
    """A namespace that enforces the strictest level of Pod Security."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(
    name: str, script: str = SLEEP, *, node: str | None = None, claim: str | None = None, **container: Any
) -> Thing:
    """A pod that runs a shell script, on a node if one is named, with a claim mounted at /data if one is named."""
    settings = {"name": "main", "image": images.busybox(), "command": ["sh", "-c", script]}
    settings |= {"securityContext": RESTRICTED, **container}
    spec: Thing = {"containers": [settings], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    if node:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    if claim:
        settings["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        spec["securityContext"] = {"fsGroup": 1000}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def claim(name: str) -> Thing:
    """A claim on a volume of the default class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def service(name: str, port: int) -> Thing:
    """A service before the pod of the same name."""
    spec = {"selector": {"app": name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


class Space:
    """One namespace, and what a test does in it."""

    def __init__(self, name: str, kubeconfig: Path = KUBECONFIG) -> None:
        self.name, self.kubeconfig = name, kubeconfig

    def apply(self, *things: Thing) -> None:
        """Make objects."""
        self("apply", "--filename=-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)}))

    def await_ready(self, *pods: str) -> None:
        """Wait until pods are ready; where they do not get so, say what became of them."""
        try:
            self("wait", "--for=condition=Ready", "--timeout=60s", *(f"pod/{name}" for name in pods))
        except ClusterError as error:
            raise ClusterError(f"{error}\n{self('get', 'events')}") from error

    def read(self, what: str, path: str) -> str:
        """One field of one object."""
        return self("get", what, f"--output=jsonpath={{{path}}}")

    def shell(self, name: str, script: str) -> str:
        """What a script prints in a pod."""
        return self("exec", name, "--", "sh", "-c", script)

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        """What kubectl prints for this namespace."""
        return kubectl(f"--namespace={self.name}", *arguments, given=given, kubeconfig=self.kubeconfig)
