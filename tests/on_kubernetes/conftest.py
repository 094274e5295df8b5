"""A cluster with the image on it, and releases of the chart."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from images import build
from images.engine import engine
from images.errors import ImageError
from tests.cluster import elsewhere, lifecycle, prerequisites
from tests.cluster.layout import KUBECONFIG, REGISTRY_PORT, ROOT
from tests.cluster.objects import Space
from tests.on_kubernetes.observer import Observer, Swept
from tests.on_kubernetes.photos import DATA, lay_out
from tests.on_kubernetes.release import CHART, DIGITS, Release
from tinderbox.api.result import open_study

Open = Callable[..., Release]
Eventually = Callable[[Callable[[], bool], float], bool]


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[Path]:
    """The cluster that KUBECONFIG names, which has the image already, or the one that is made here, with the image."""
    if (named := elsewhere.named()) is not None:
        yield Path(named)
        return
    if reason := prerequisites.why_not():
        pytest.skip(reason)
    ran = lifecycle.running()
    _bring_image()
    yield KUBECONFIG
    if not ran:
        lifecycle.down()


def _bring_image() -> None:
    """Start the cluster and push the image; nodes that may keep another one under its name begin anew."""
    note = ROOT / "tinderbox-image"
    try:
        with engine() as docker:
            if not docker.succeeds("image", "inspect", build.image()):
                pytest.skip(f"there is no image {build.image()}: make images builds it")
            digest = docker.run("image", "inspect", "--format={{.Id}}", build.image())
            if note.exists() and note.read_text() != digest:
                lifecycle.down()
            lifecycle.up()
            build.push(docker, build.image(), f"127.0.0.1:{REGISTRY_PORT}")
            note.write_text(digest)
    except ImageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def opened(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """A function that installs the chart in a new namespace."""
    releases: list[Release] = []

    def install(name: str, values: dict[str, str], chart: Path = CHART) -> Release:
        space = Space(f"{name}-{uuid.uuid4().hex[:4]}", kubeconfig)
        releases.append(Release(space, tmp_path_factory.mktemp(name), chart))
        releases[-1].install(values)
        return releases[-1]

    yield install
    for release in [] if os.environ.get("TINDERBOX_KEEP") else releases:
        release.remove()


@pytest.fixture(scope="session")
def photos() -> Iterator[Path]:
    """The photos' folder."""
    if not (DATA / "photos").is_dir():
        pytest.skip("there are no photos: TINDERBOX_DATA names the folder that has them")
    if elsewhere.named() is not None:
        pytest.skip("the nodes of a cluster that KUBECONFIG names do not see this machine's folders")
    folder = lay_out()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def release(opened: Open) -> Release:
    """The chart as it comes, with its image on every node."""
    return opened("whole", {"prepull.enabled": "true"})


@pytest.fixture(scope="session")
def swept(release: Release, eventually: Eventually) -> Swept:
    """The sweep, applied, followed to its end and fetched."""
    with Observer(release) as seen:
        release.space("apply", f"--filename={DIGITS}")
        eventually(lambda: release.ended("sweep-digits") is not None, 400)
    release.tinderbox("fetch", "digits")
    return Swept(
        open_study("digits", str(release.folder / "studies")),
        list(seen.pods.values()),
        seen.flows,
        release.ended("sweep-digits"),
    )
