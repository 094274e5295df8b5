"""Sends a job to a cluster, with all that its driver needs."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tinderbox.api.inference import is_relative
from tinderbox.api.plan import describe_job
from tinderbox.config import AnyJob, SweepJob, TrainJob
from tinderbox.config.inputs import Held
from tinderbox.config.reading import beside_job, write_job
from tinderbox.errors import BadInput
from tinderbox.kube.cluster import Cluster, Release
from tinderbox.kube.jobs import submit
from tinderbox.kube.manifest import CODE_FILE, Manifest, Package, make_objects
from tinderbox.sweeping.objective import pack_code

ANEW = {"sweep": "--fresh", "infer": "--force", "train": "--fresh"}
"""What a command is told that is to begin anew."""


@dataclass(frozen=True)
class Submitted:
    """A Job that was applied, and the token of its coordinator."""

    job: Manifest
    token: str


def submit_job(
    cluster: Cluster, release: Release, file: Path, job: AnyJob, image: str | None = None, anew: bool = False
) -> Submitted:
    """Submit a checked job, with its folder of code and what else its file holds, to a release.

    Where it is to begin `anew`, a sweep or a training sets the one of its name aside, and an inference labels all.

    Raises:
        BadInput: Code and job are larger than a ConfigMap, or a Job of this name runs.
    """
    token = secrets.token_urlsafe(32)
    objects = make_objects(release.driver, pack(file, job, token, image, anew))
    submit(cluster, objects)
    return Submitted(objects[2], token)


def pack(file: Path, job: AnyJob, token: str, image: str | None, anew: bool) -> Package:
    """Return what a submission brings.

    Raises:
        BadInput: The folder of code cannot be packed, or a path means a file of this machine.
    """
    code = None if job.code is None else pack_code(file.parent / job.code)
    described = describe_job(job) | ({"code": CODE_FILE} if code else {})
    described.pop("storage", None)  # the release says where studies are
    files, template = beside_job(file)
    check_paths(named_paths(job), files)
    text = write_job(described)
    arguments = (ANEW[job.kind],) if anew else ()
    return Package(job.name, text, token, code, files, template, image, arguments, job.kind)


def named_paths(job: AnyJob) -> dict[str, str | None]:
    """Return the files that a job needs beside its data, by the keys that name them."""
    if isinstance(job, SweepJob):
        return {}
    named = {} if job.model is None else {"model": job.model.path, "model.weights": job.model.weights}
    if isinstance(job, TrainJob):
        return named
    if not isinstance(job.input, Held):
        named["input"] = job.input.path
    return {**named, "labels": job.labels}


def check_paths(named: Mapping[str, str | None], files: Collection[str]) -> None:
    """See that a job names no file that stays here; `files` travel with it.

    Raises:
        BadInput: It does.
    """
    for key, path in named.items():
        if path is not None and is_relative(path) and PurePosixPath(path).as_posix() not in files:
            raise BadInput(
                f"{key}: {path} is a file of this machine, which the cluster has not; give a URL, or the whole path "
                "of a volume in the driver's pod"
            )
