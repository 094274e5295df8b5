"""The registry inside the cluster's network: only layers that changed move, and a wrong name is not found.

Nodes reach it on the bridge, and Docker on this machine on 127.0.0.1, the one address it trusts over plain http. The
two processes share one folder, which outlives the cluster.
"""

import hashlib
import http.client
import json
import socket
from collections.abc import Sequence
from typing import Any

from tests.cluster import processes, templates
from tests.cluster.binaries import cache
from tests.cluster.errors import ClusterError
from tests.cluster.layout import HOST, REGISTRY_PORT, ROOT

SERVER = "/usr/bin/docker-registry"
DOORS = {"registry": HOST, "registry-local": "127.0.0.1"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"  # not compressed: nothing leaves the machine


def start() -> None:
    """Start the registry and wait until it listens."""
    data = cache() / "registry"
    data.mkdir(parents=True, exist_ok=True)
    configuration = ROOT / "registry.yaml"
    templates.write(configuration, "registry.yaml", DATA=data)
    for name, address in DOORS.items():
        environment = {"REGISTRY_HTTP_ADDR": f"{address}:{REGISTRY_PORT}", "OTEL_TRACES_EXPORTER": "none"}
        processes.ensure(name, [SERVER, "serve", configuration], environment)
    processes.wait("the registry did not answer", lambda: all(map(_listens, DOORS.values())), 20, *DOORS)


def push(name: str, tag: str, configuration: dict[str, Any], layers: Sequence[bytes]) -> None:
    """Put one image into the registry, as far as it is not there yet."""
    entries = [_upload(name, LAYER, layer) for layer in layers]
    rootfs = {"type": "layers", "diff_ids": [entry["digest"] for entry in entries]}
    config = _upload(name, CONFIGURATION, json.dumps(configuration | {"rootfs": rootfs}).encode())
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": entries}
    _request("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), {"Content-Type": MANIFEST})


def _upload(name: str, kind: str, content: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if _request("HEAD", f"/v2/{name}/blobs/{digest}", accept=(200, 404)).status == 404:
        place = _request("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
        join = "&" if "?" in place else "?"
        _request("PUT", f"{place}{join}digest={digest}", content, {"Content-Type": "application/octet-stream"})
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _request(
    method: str,
    place: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    accept: Sequence[int] = (200, 201, 202),
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(HOST, REGISTRY_PORT, timeout=60)
    connection.request(method, place, body, headers or {})
    response = connection.getresponse()
    said = response.read()
    connection.close()
    if response.status not in accept:
        raise ClusterError(f"the registry answers {response.status} to {method} {place}: {said.decode()}")
    return response


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, REGISTRY_PORT)) == 0
