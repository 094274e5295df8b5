"""The image that the build starts from: Debian's own where a registry answers, else one that debootstrap makes."""

import re
import subprocess
import tempfile
from pathlib import Path

from images.engine import Engine, check
from images.errors import ImageError
from images.say import say, tail

DOCKERFILE = Path(__file__).parent / "tinderbox" / "Dockerfile"
SCRIPT = Path(__file__).with_name("debootstrap.sh")
OURS = "tinderbox-base:bookworm"


def find(docker: Engine) -> str:
    """The base to build on; what is here already is taken without asking a registry."""
    debian = pinned()
    for image in (debian, OURS):
        if docker.succeeds("image", "inspect", image):
            return image
    if docker.succeeds("pull", debian, seconds=600):
        return debian
    say("no registry has Debian's image, so debootstrap makes one from Debian's packages, once")
    _bootstrap(docker)
    return OURS


def pinned() -> str:
    """The base that the Dockerfile names."""
    match = re.search(r"^ARG BASE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    if match is None:
        raise ImageError(f"{DOCKERFILE.name} has no line ARG BASE=...")
    return match[1]


def _bootstrap(docker: Engine) -> None:
    check()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("w") as output:
            done = subprocess.run(["/bin/sh", str(SCRIPT), f"{folder}/base"], stdout=output, stderr=output)  # noqa: S603
        if done.returncode:
            raise ImageError(f"debootstrap failed and says:\n{tail(log)}")
        with Path(folder, "base.tar").open("rb") as tar:
            docker.run("import", "-", OURS, given=tar)
