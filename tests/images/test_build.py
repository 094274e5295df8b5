"""What people do with the build: an image of their own, a change of the code, a bill of materials."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from images import base, build
from images.engine import engine

if TYPE_CHECKING:
    from tests.images.conftest import Image

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

README = base.DOCKERFILE.with_name("README.md")
INSTALLED = {
    "humanize/__init__.py": "def intcomma(number):\n    return f'{number:,}'\n",
    "humanize-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: humanize\nVersion: 1.0\n",
    "humanize-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "humanize-1.0.dist-info/RECORD": "",
}

Build = Callable[..., str]


@pytest.fixture
def build_from(image: Image, tmp_path: Path) -> Iterator[Build]:
    """A function that builds an image from a Dockerfile's text and more files; it is gone after the test."""
    names = []

    def run(dockerfile: str, *arguments: str, context: Path = tmp_path) -> str:
        names.append(f"tinderbox-test:{len(names)}")
        (tmp_path / "Dockerfile").write_text(dockerfile)
        options = [*image.docker.building, "--file", str(tmp_path / "Dockerfile"), "--tag", names[-1], *arguments]
        image.docker.run("build", "--quiet", *options, context)
        return names[-1]

    yield run
    for name in reversed(names):
        image.docker.succeeds("rmi", name)


def test_the_readmes_dockerfile_adds_a_package_and_code(image: Image, build_from: Build, tmp_path: Path) -> None:
    """As it stands there, but for a stand-in of PyPI below it; and the pod's user can import both."""
    (lines,) = re.findall(r"<!-- tested -->\n```dockerfile\n(.+?)```", README.read_text(), re.DOTALL)
    assert len(lines.splitlines()) == 3
    with zipfile.ZipFile(tmp_path / "humanize-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in INSTALLED.items():
            wheel.writestr(name, text)
    (tmp_path / "lenet_of_mine.py").write_text("import humanize\nprint(humanize.intcomma(1000))\n")
    pypi = f"FROM {image.name}\nCOPY *.whl /wheels/\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n"
    below = build_from(pypi)
    mine = build_from(lines.replace(f"FROM {build.image()}", f"FROM {below}"))
    image_of_mine = type(image)(image.docker, mine)
    assert image_of_mine.run("python", "-c", "import lenet_of_mine") == "1,000\n"


def test_a_change_of_the_code_moves_one_small_layer(image: Image, build_from: Build, tmp_path: Path) -> None:
    """All layers below it are the same, so a registry and the nodes have them."""
    context = tmp_path / "repository"
    for name in ("jobs/tinderbox", "images/tinderbox"):
        shutil.copytree(build.ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt", "README.md"):
        shutil.copy2(build.ROOT / name, context / name)
    (context / "jobs/tinderbox/changed.py").write_text("CHANGED = 1\n")
    shutil.copy2(f"{base.DOCKERFILE}.dockerignore", tmp_path / "Dockerfile.dockerignore")
    arguments = [f"--build-arg=BASE={base.find(image.docker)}"]
    changed = build_from(base.DOCKERFILE.read_text(), *arguments, context=context)
    before, after = (layers(image, name) for name in (image.name, changed))
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    history = image.docker.run("history", "--human=false", "--format", "{{.Size}}", changed).split()
    assert 0 < int(next(size for size in history if size != "0")) < 5_000_000


def layers(image: Image, name: str) -> list[str]:
    """The digests of an image's layers, the lowest first."""
    return list(json.loads(image.docker.run("image", "inspect", "--format", "{{json .RootFS.Layers}}", name)))


def test_the_bill_has_debian_python_java_and_jars() -> None:
    """One component of each kind, with the version that is in the image."""
    if not build.BILL.exists():
        pytest.skip("there is no build/tinderbox-sbom.json: make images writes it")
    bill: dict[str, Any] = json.loads(build.BILL.read_text())
    links = {component.get("purl", "").partition("?")[0] for component in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    pins = dict(re.findall(r"^(tensorflow-cpu|pyspark)==(\S+)", (build.ROOT / "constraints.txt").read_text(), re.M))
    assert {f"pkg:pypi/{name}@{version}" for name, version in pins.items()} <= links
    for start in ("pkg:deb/debian/tini@", "pkg:generic/openjdk@17", "pkg:maven/org.apache.spark/spark-core_2.13@"):
        assert [link for link in links if link.startswith(start)], start


def test_docker_has_several_users(image: Image) -> None:
    """A second one does not wait for the first, and does not end what the first still uses."""
    with engine() as second:
        assert second.succeeds("info")
    assert image.docker.succeeds("info")
