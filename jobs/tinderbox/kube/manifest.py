"""The objects that `tinderbox submit` applies: the release's own driver Job, with a job file, code and a token in it.

Manifests are plain mappings, so every rule is tested without a cluster.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinderbox.errors import BadInput

Manifest = dict[str, Any]

LARGEST_CONFIG_MAP = 1 << 20
"""In bytes, all keys of one together; the API server's rule."""

JOB_FILE, CODE_FILE = "job.yaml", "code.zip"
MOUNT = "/etc/tinderbox/job"
TOKEN_VARIABLE = "TINDERBOX_TOKEN"  # noqa: S105 - a name
JOB = f"{MOUNT}/{JOB_FILE}"
INSTANCE = "app.kubernetes.io/instance"


@dataclass(frozen=True)
class Package:
    """What one submission brings: the job file's text, a zip of code, and what else its manifest holds.

    `files` are further keys of the manifest's ConfigMap, and `template` is its Job, both empty for a plain job file;
    `arguments` go to the driver's command, `token` opens its coordinator. `kind` is the job's, and the command's.
    """

    study: str
    job: str
    token: str
    code: bytes | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    template: Manifest = field(default_factory=dict)
    image: str | None = None
    arguments: tuple[str, ...] = ()
    kind: str = "sweep"

    @property
    def name(self) -> str:
        """The name of the Job, its ConfigMap and its Secret."""
        return f"{self.kind}-{self.study}"


def make_objects(base: Manifest, package: Package) -> tuple[Manifest, Manifest, Manifest]:
    """Return ConfigMap, Secret and Job; `base` is the release's driver Job.

    Raises:
        BadInput: Job and code are more than a ConfigMap holds, or the manifest's own Job does not run them.
    """
    job = adapt(base, package.template, package.image, package.kind)
    metadata = {"name": package.name, "labels": {**job["metadata"]["labels"], INSTANCE: package.study}}
    job["metadata"] = metadata
    job["spec"]["template"]["metadata"]["labels"][INSTANCE] = package.study
    _equip(job["spec"]["template"]["spec"], package)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": package.token}}
    return _config_map(package, metadata), secret, job


def _config_map(package: Package, metadata: Manifest) -> Manifest:
    for key, text in package.files.items():
        if not isinstance(text, str):
            raise BadInput(f"ConfigMap: {key} must hold a text, got {text!r}; write it in quotes")
    texts = {**package.files, JOB_FILE: package.job}
    size = sum(len(text.encode()) for text in texts.values()) + len(package.code or b"")
    if size >= LARGEST_CONFIG_MAP:
        raise BadInput(
            f"job file and code must be below 1 MiB, what a ConfigMap holds, got {size / (1 << 20):.1f} MiB zipped; "
            "put the code into an image of your own, as images/tinderbox/README.md shows, and leave code: out"
        )
    binary = {} if package.code is None else {"binaryData": {CODE_FILE: base64.b64encode(package.code).decode()}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": texts, **binary}


def adapt(base: Manifest, own: Manifest, image: str | None = None, kind: str = "sweep") -> Manifest:
    """Return the release's driver Job, with an image in the place of its own, and what one's own manifest has on top.

    That is its driver's command and, by name, init containers, volumes, mounts and variables that the release has not;
    an image that its driver shares becomes the driver's here.

    Raises:
        BadInput: It has no driver, or one that does not run the job file.
    """
    job = copy.deepcopy(base)
    pod = job["spec"]["template"]["spec"]
    driver = driver_of(pod)
    driver["image"] = image or driver["image"]
    driver["command"] = command(kind)
    if not own:
        return job
    theirs = _own_pod(own)
    other = driver_of(theirs)
    for container in theirs.get("initContainers") or []:
        if container.get("image") == other.get("image"):
            container["image"], container["imagePullPolicy"] = driver["image"], driver["imagePullPolicy"]
    driver["command"] = _command(other, kind)
    for mine, their, lists in ((pod, theirs, ("initContainers", "volumes")), (driver, other, ("env", "volumeMounts"))):
        for key in lists:
            mine[key] = _joined(mine.get(key) or [], their.get(key) or [])
    return job


def _own_pod(own: Manifest) -> Manifest:
    """Return a copy of a Job's pod, which has a driver."""
    try:
        pod: Manifest = copy.deepcopy(own["spec"]["template"]["spec"])
        driver_of(pod)
    except (KeyError, TypeError, StopIteration):
        raise BadInput(
            "the Job beside the job file must have a container named driver, and has none; "
            "write it as in jobs/sweep-digits.yaml, or leave the Job out"
        ) from None
    return pod


def command(kind: str) -> list[str]:
    """Return what the driver of a kind of job runs."""
    return ["tini", "--", "python", "-m", "tinderbox", kind, JOB]


def _command(driver: Manifest, kind: str) -> list[str]:
    """Return what a driver runs, its arguments included; `tini` is all that the image puts before them."""
    arguments = driver.get("args") or []
    whole = [*(driver.get("command") or command(kind)[: 2 if arguments else None]), *arguments]
    if JOB not in " ".join(whole):
        raise BadInput(
            f"the Job's driver must run {JOB}, where submit puts the job, got {whole}; "
            "name the ConfigMap's key job.yaml and mount it there"
        )
    return whole


def _joined(mine: list[Manifest], theirs: list[Manifest]) -> list[Manifest]:
    """Return a list with those of another that have names of their own; the volume `job` is ours to make."""
    names = {entry["name"] for entry in mine} | {"job"}
    return [*mine, *(entry for entry in theirs if entry["name"] not in names)]


def _equip(pod: Manifest, package: Package) -> None:
    """Mount the job, name the token, and say what to run."""
    driver = driver_of(pod)
    driver["command"] = [*driver["command"], *package.arguments]
    driver["volumeMounts"].append({"name": "job", "mountPath": MOUNT})
    reference = {"secretKeyRef": {"name": package.name, "key": "token"}}
    driver["env"].append({"name": TOKEN_VARIABLE, "valueFrom": reference})
    pod["volumes"].append({"name": "job", "configMap": {"name": package.name}})


def driver_of(pod: Manifest) -> Manifest:
    """Return the driver's container of a pod's specification."""
    found: Manifest = next(container for container in pod["containers"] if container["name"] == "driver")
    return found
