"""The provisioner of volumes: a folder on the node that the scheduler chose, for each claim, and gone with the claim.

It follows the claims and the volumes of the cluster until it is ended. A volume can be mounted on its own node alone,
and by one node's pods at a time, as a disk in that machine would be.
"""

import base64
import http.client
import json
import shutil
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from images.say import say
from tests.cluster import processes
from tests.cluster.layout import API_PORT, HERE, HOST, KEYS, KUBECONFIG, PROVISIONER, ROOT

Thing = dict[str, Any]

NODE_CHOSEN = "volume.kubernetes.io/selected-node"
ASKED = "volume.kubernetes.io/storage-provisioner"
MADE_BY = "pv.kubernetes.io/provisioned-by"
ONE_NODE = {"ReadWriteOnce", "ReadWriteOncePod"}
PATIENCE = 1.0


def start() -> None:
    """Start the provisioner unless it runs."""
    package = Path(__file__).parent
    processes.ensure(
        "volumes", [sys.executable, "-m", "tests.cluster.volumes"], {"PYTHONPATH": str(package.parent.parent)}
    )


def follow() -> None:
    """Serve claims and volumes until the process ends."""
    api = Api()
    claims = threading.Thread(target=_serve, args=(api, "persistentvolumeclaims", provide), daemon=True)
    claims.start()
    _serve(api, "persistentvolumes", release)


def provide(api: "Api", claim: Thing) -> None:
    """Make the volume that a claim waits for, once a node is chosen."""
    notes = claim["metadata"].get("annotations", {})
    if notes.get(ASKED) != PROVISIONER or NODE_CHOSEN not in notes or claim["spec"].get("volumeName"):
        return
    if refused := set(claim["spec"]["accessModes"]) - ONE_NODE:
        api.create("/api/v1/namespaces/{namespace}/events".format(**claim["metadata"]), refusal(claim, refused))
        return
    wanted = volume(claim, notes[NODE_CHOSEN])
    # Like an empty disk: root's, so a pod that is not root needs an fsGroup.
    _folder(wanted).mkdir(mode=0o755, exist_ok=True)
    api.create("/api/v1/persistentvolumes", wanted)
    say(f"made {wanted['metadata']['name']} on {notes[NODE_CHOSEN]}")


def release(api: "Api", found: Thing) -> None:
    """Remove a volume, folder and all, once its claim is gone."""
    made_by = found["metadata"].get("annotations", {}).get(MADE_BY)
    if made_by != PROVISIONER or found.get("status", {}).get("phase") != "Released":
        return
    if found["spec"]["persistentVolumeReclaimPolicy"] != "Delete":
        return
    shutil.rmtree(_folder(found), ignore_errors=True)
    api.delete(f"/api/v1/persistentvolumes/{found['metadata']['name']}")
    say(f"removed {found['metadata']['name']}")


def volume(claim: Thing, node: str) -> Thing:
    """The volume for a claim, on a node."""
    about, spec = claim["metadata"], claim["spec"]
    name = f"pvc-{about['uid']}"
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {MADE_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec["storageClassName"],
            "claimRef": {"kind": "PersistentVolumeClaim", **{key: about[key] for key in ("namespace", "name", "uid")}},
            "local": {"path": f"{HERE}/volumes/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def refusal(claim: Thing, modes: set[str]) -> Thing:
    """The event that tells why a claim gets no volume; `kubectl describe` shows it."""
    about = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{about['name']}.", "namespace": about["namespace"]},
        "involvedObject": {
            "kind": "PersistentVolumeClaim",
            **{key: about[key] for key in ("namespace", "name", "uid")},
        },
        "type": "Warning",
        "reason": "ProvisioningFailed",
        "message": f"volumes here belong to one node: {', '.join(sorted(modes))} is not to be had",
        "source": {"component": PROVISIONER},
    }


def _folder(found: Thing) -> Path:
    terms = found["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    return ROOT / terms[0]["matchExpressions"][0]["values"][0] / "volumes" / found["metadata"]["name"]


class Api:
    """The few requests that a provisioner sends, as the cluster's administrator."""

    def __init__(self) -> None:
        user = yaml.safe_load(KUBECONFIG.read_text())["users"][0]["user"]
        pair = ROOT / "volumes.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(b"".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
        self._tls = ssl.create_default_context(cafile=str(KEYS / "ca.crt"))
        self._tls.load_cert_chain(pair)

    def watch(self, kind: str) -> Iterator[Thing]:
        """All objects of a kind as they are, then each change, until the server has enough."""
        response = self._send("GET", f"/api/v1/{kind}?watch=1")
        while line := response.readline():
            yield json.loads(line)["object"]

    def create(self, place: str, thing: Thing) -> None:
        """Make an object; one that exists stays."""
        self._send("POST", place, thing).read()

    def delete(self, place: str) -> None:
        """Remove an object; one that is gone stays gone."""
        self._send("DELETE", place).read()

    def _send(self, method: str, place: str, thing: Thing | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(HOST, API_PORT, context=self._tls)
        connection.request(method, place, json.dumps(thing) if thing else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status not in (200, 201, 404, 409):
            raise OSError(f"{response.status} to {method} {place}: {response.read().decode()}")
        return response


def _serve(api: Api, kind: str, act: Callable[[Api, Thing], None]) -> None:
    while True:
        try:
            for thing in api.watch(kind):
                act(api, thing)
        except (OSError, http.client.HTTPException) as error:
            # The API server may restart; the next watch starts with all there is.
            say(f"{kind}: {error}")
            time.sleep(PATIENCE)


if __name__ == "__main__":
    follow()
