"""A release on a cluster: the storage that it keeps, and where its jobs stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tinderbox.config.reading import set_line
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube.cluster import Cluster, Release
from tinderbox.kube.forward import forwarded
from tinderbox.kube.jobs import Progress, ended, find_console, find_job, look
from tinderbox.kube.manifest import JOB_FILE

FILES_PORT = 8080

_FIXED = {
    "infer": "batch inference, whose slots stay as they are; delete it, and submit it with other ones: it goes on "
    "where it was",
    "train": "training, whose workers stay as they are: it takes fewer where there are fewer, and more once they come",
}
"""Jobs that have no slots to scale, and what is said of them."""


@contextmanager
def opened_storage(cluster: Cluster, release: Release) -> Iterator[str]:
    """Lend the folder or URL that keeps a release's runs, behind a port-forward to the console where it is a claim.

    Raises:
        TinderboxError: The release has no console that is ready, or it stops to answer.
    """
    if "://" in release.storage:
        yield release.storage
        return
    console = find_console(cluster, release.name)
    if console is None:
        raise TinderboxError(
            f"release {release.name} has no console that is ready, and what it keeps lies in a claim: "
            "install it with console.enabled=true, or wait for it"
        )
    with forwarded(cluster, console, FILES_PORT) as url:
        try:
            yield url
        except TinderboxError:
            raise
        except Exception as error:  # those of fsspec's HTTP client have no base class that is ours to know
            raise TinderboxError(f"storage cannot be read from console {console}: {error}; try again") from error


def scale_study(cluster: Cluster, study: str, slots: int) -> str:
    """Write how many slots a study is to have into the ConfigMap of its Job, and return what that is called.

    Raises:
        BadInput: The namespace has no such Job, it has ended or is none of a study, or its job file is nowhere that
            could be edited.
    """
    job = find_job(cluster, study)
    name, volumes = job["metadata"]["name"], job["spec"]["template"]["spec"].get("volumes") or []
    if ended(job) is not None:
        raise BadInput(f"job {name} has ended, so it has no slots; submit the changed job file to go on")
    held = next((volume.get("configMap", {}).get("name") for volume in volumes if volume["name"] == "job"), None)
    found = None if held is None else cluster.find("config_map", held)
    if held is None or found is None or JOB_FILE not in (found.get("data") or {}):
        raise BadInput(f"job {name} has its job file in no ConfigMap; change slots where the file is")
    text = found["data"][JOB_FILE]
    if fixed := re.search(r"^kind:[ \t]*(infer|train)\b", text, re.MULTILINE):
        raise BadInput(f"job {name} is a {_FIXED[fixed[1]]}")
    text = set_line(text, "slots", str(slots))
    cluster.merge("config_map", held, {"data": {JOB_FILE: text}})
    return f"ConfigMap {held}"


def find_progress(cluster: Cluster, name: str) -> Progress:
    """Return where the Job of a run stands.

    Raises:
        BadInput: The namespace has none.
    """
    return look(cluster, find_job(cluster, name))
