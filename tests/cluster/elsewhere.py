"""Clusters that are not made here: the one that KUBECONFIG names, and kind's where its user has Docker and kind."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.binaries import cache
from tests.cluster.commands import run, succeeds
from tests.cluster.layout import KUBECONFIG, NODES

KIND = "tinderbox"


def named() -> str | None:
    """The value of KUBECONFIG, where it names a cluster that answers and that is not made here."""
    value = os.environ.get("KUBECONFIG")
    if not value or Path(value) == KUBECONFIG or shutil.which("kubectl") is None:
        return None
    return value if succeeds("kubectl", "--request-timeout=5s", "get", "--raw", "/readyz") else None


def kind_usable() -> bool:
    """Whether kind is installed and Docker answers."""
    return shutil.which("kind") is not None and succeeds("docker", "info")


def kind_kubeconfig() -> Path:
    """Where kind's kubeconfig is kept."""
    return cache() / "kind.conf"


def kind_up() -> Path:
    """Make kind's cluster unless it is there; its kubeconfig."""
    if KIND not in run("kind", "get", "clusters").split():
        roles = ["control-plane", *["worker"] * NODES]
        shape = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": [{"role": role} for role in roles]}
        kind_kubeconfig().parent.mkdir(parents=True, exist_ok=True)
        command = ["create", "cluster", "--name", KIND, "--wait", "120s", "--kubeconfig", kind_kubeconfig()]
        run("kind", *command, "--config", "-", given=json.dumps(shape))
    return kind_kubeconfig()


def kind_down() -> None:
    """Remove kind's cluster, if there is one."""
    if kind_kubeconfig().exists():
        subprocess.run(["kind", "delete", "cluster", "--name", KIND], check=True)
        kind_kubeconfig().unlink()
