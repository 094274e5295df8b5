"""Photos that all nodes reach: the model that labels them, copies of them, and files that are none."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster.layout import ROOT
from tests.cluster.objects import Thing

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

DATA = Path(os.environ.get("TINDERBOX_DATA", Path(__file__).parents[3] / "shared" / "data"))
TOP = {
    "bird": "chickadee",
    "cat": "Egyptian cat",
    "dragonfly": "dragonfly",
    "grace_hopper": "bow tie",
    "hot_dog": "hotdog",
    "parrot": "macaw",
    "sunflower": "daisy",
}
COPIES, BROKEN = 60, 20

JOB = """
kind: infer
name: photos
model: /data/squeezenet_imagenet.keras
input: /data/photos
labels: /data/imagenet_labels.txt
batch: 16
xla: false
limits: {rows: 50}
slots: 2
"""


def lay_out() -> Path:
    """Make the folder, and return it.

    Nodes see the machine's folders through an overlay, which does not notice that one of them was made again.
    """
    folder = ROOT / f"photos-{uuid.uuid4().hex[:8]}"
    (folder / "photos").mkdir(parents=True)
    for name in ("squeezenet_imagenet.keras", "imagenet_labels.txt"):
        shutil.copy(DATA / "models" / name, folder)
    whole = sorted((DATA / "photos").iterdir())
    for photo in whole:
        for copy in range(COPIES):
            shutil.copy(photo, folder / "photos" / f"{photo.stem}-{copy}{photo.suffix}")
    for number in range(BROKEN):
        content = whole[number % len(whole)].read_bytes()
        broken = [content[: len(content) // 3], b"", b"no image at all", content[:200]][number % 4]
        (folder / "photos" / f"broken-{number}.jpg").write_bytes(broken)
    return folder


def shared(name: str, folder: Path) -> list[Thing]:
    """A volume of a folder that all nodes reach, as NFS is, and the claim on it."""
    size, modes = {"storage": "1Gi"}, ["ReadOnlyMany"]
    about = {"accessModes": modes, "storageClassName": ""}
    volume = {"capacity": size, "hostPath": {"path": str(folder)}, "persistentVolumeReclaimPolicy": "Retain", **about}
    claim = {"resources": {"requests": size}, "volumeName": name, **about}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "photos"}, "spec": claim},
    ]


def mounted() -> dict[str, str]:
    """Values of a release whose drivers and executors have them at /data."""
    volumes = {}
    for who in ("driver", "executor"):
        volumes |= {
            f"{who}.volumes[0].name": "photos",
            f"{who}.volumes[0].persistentVolumeClaim.claimName": "photos",
            f"{who}.volumeMounts[0].name": "photos",
            f"{who}.volumeMounts[0].mountPath": "/data",
            f"{who}.volumeMounts[0].readOnly": "true",
        }
    return volumes


def share(release: Release, folder: Path) -> None:
    """Let a release's pods have the folder."""
    release.space.apply(*shared(release.space.name, folder))


def unshare(release: Release) -> None:
    """Remove what no namespace takes along."""
    release.space("delete", "persistentvolume", release.space.name, "--wait=false")
