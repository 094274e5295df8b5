"""A container as a pod has it: nobody's root, nothing to write to but /tmp and the working folder, no network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from images import build
from images.engine import Engine, engine
from images.errors import ImageError

ROOT = Path(__file__).parents[2]
# What `restricted` Pod Security asks for, and a read-only root. Docker gives a container without a network no line for
# its own name in /etc/hosts, as every pod has: it is called localhost.
AS_A_POD = {
    "--network": "none",
    "--hostname": "localhost",
    "--cap-drop": "ALL",
    "--security-opt": "no-new-privileges",
    "--user": "1000:1000",
    "--workdir": "/work",
}
WRITABLE = ["--tmpfs", "/tmp:exec,mode=1777", "--tmpfs", "/work:exec,uid=1000,gid=1000"]  # noqa: S108


@dataclass(frozen=True)
class Image:
    """An image that commands run in."""

    docker: Engine
    name: str

    def run(self, *command: str, options: tuple[str, ...] = (), given: str = "") -> str:
        """What a command prints inside the container, which it has to end well in."""
        done = self.start(*command, options=options, given=given)
        assert done.returncode == 0, done.stderr[-5000:] or done.stdout[-5000:]
        return done.stdout

    def start(self, *command: str, options: tuple[str, ...] = (), given: str = "") -> subprocess.CompletedProcess[str]:
        """How a command in the container ended."""
        pod = ["run", "--rm", "--interactive", "--read-only", *chain.from_iterable(AS_A_POD.items()), *WRITABLE]
        arguments = [self.docker.client, *pod, *options, self.name, *command]
        return subprocess.run(
            arguments, input=given, capture_output=True, text=True, env=self.docker.environment(), timeout=600
        )

    def python(self, code: str, options: tuple[str, ...] = ()) -> str:
        """What a Python program prints inside the container."""
        return self.run("python", "-", options=options, given=code)


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """A Docker that answers."""
    try:
        with engine() as found:
            yield found
    except ImageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def image(docker: Engine) -> Image:
    """The image of this version."""
    name = os.environ.get("TINDERBOX_IMAGE") or build.image()
    if not docker.succeeds("image", "inspect", name):
        pytest.skip(f"there is no image {name}: make images builds it")
    return Image(docker, name)
