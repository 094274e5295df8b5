"""What NetworkPolicies allow: no policy engine runs in the test cluster, so cyclonus judges them."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tests.cluster import binaries
from tests.cluster.commands import run
from tests.cluster.layout import HOST

Flow = tuple[str, str, int]
"""A connection: the component that opens it, the one that it goes to, or `elsewhere`, and the port there."""


def judge(policies: list[dict[str, Any]], namespace: str, flows: Collection[Flow], folder: Path) -> dict[Flow, bool]:
    """Say of each flow whether the policies of a namespace allow it; files for cyclonus go to a folder."""
    (folder / "policies.json").write_text(json.dumps({"kind": "List", "apiVersion": "v1", "items": policies}))
    asked = sorted(flows)
    (folder / "traffic.json").write_text(json.dumps([_traffic(namespace, *flow) for flow in asked]))
    command = ["analyze", "--mode", "query-traffic", "--policy-path", folder / "policies.json"]
    answer = run(binaries.binary("cyclonus"), *command, "--traffic-path", folder / "traffic.json")
    verdicts = [line.split("|")[2].strip() for line in answer.splitlines() if "IS ALLOWED?" in line]
    return {flow: {"TRUE": True, "FALSE": False}[verdict] for flow, verdict in zip(asked, verdicts, strict=True)}


def _traffic(namespace: str, source: str, target: str, port: int) -> dict[str, Any]:
    """A connection as cyclonus asks for it."""
    return {
        "Source": _peer(namespace, source),
        "Destination": {"IP": HOST} if target == "elsewhere" else _peer(namespace, target),
        "Protocol": "TCP",
        "ResolvedPort": port,
        "ResolvedPortName": "",
    }


def _peer(namespace: str, component: str) -> dict[str, Any]:
    own = {
        "PodLabels": {"app.kubernetes.io/part-of": "tinderbox", "app.kubernetes.io/component": component},
        "NamespaceLabels": {"kubernetes.io/metadata.name": namespace},
        "Namespace": namespace,
    }
    return {"Internal": own, "IP": "10.0.0.1"}
