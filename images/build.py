"""Build the image, its bill of materials, and the table of its parts; push it."""

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from images import base, parts
from images.engine import Engine
from images.errors import ImageError
from images.say import answer, say

ROOT = Path(__file__).parents[1]
BILL = ROOT / "build" / "tinderbox-sbom.json"
# Where a machine says that it trusts other certificates than everybody's: a build needs them for PyPI then.
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def image(variant: str = "cpu") -> str:
    """The image's name, with the package's version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return f"tinderbox:{version}" if variant == "cpu" else f"tinderbox:{version}-{variant}"


def build(docker: Engine, base_image: str | None = None, arguments: Sequence[str] = ()) -> str:
    """Build the image and return its name; each argument is one of the Dockerfile's, as NAME=VALUE."""
    check_arguments(arguments)
    given = [f"BASE={base_image or base.find(docker)}", *arguments]
    variant = dict(argument.split("=", 1) for argument in given).get("VARIANT", "cpu")
    say(f"building {image(variant)} on {given[0].removeprefix('BASE=')}; many minutes the first time")
    docker.run("build", *_common(docker), *_arguments(given), "--file", base.DOCKERFILE, "--tag", image(variant), ROOT)
    return image(variant)


def write_bill(docker: Engine, name: str) -> None:
    """Write the CycloneDX bill of materials of an image: Debian's packages, Python's, and Java's jars."""
    file = base.DOCKERFILE.with_name("bill.Dockerfile")
    BILL.parent.mkdir(exist_ok=True)
    docker.run("build", *_common(docker), *_arguments([f"IMAGE={name}"]), "--file", file, "--output", BILL.parent, ROOT)
    answer(f"bill of materials: {BILL.relative_to(ROOT)}")


def show_parts(docker: Engine, name: str) -> None:
    """Print the size of the image, part by part."""
    with Path(parts.__file__).open("rb") as script:
        command = ["run", "--rm", "--interactive", "--network", "none", "--read-only", "--user", "0"]
        answer(docker.run(*command, "--entrypoint", "python", name, "-", given=script).rstrip())


def push(docker: Engine, name: str, registry: str) -> str:
    """Push an image to a registry, as HOST:PORT, under the name by which pods ask for it; only new layers move."""
    there = f"{registry}/library/{name}"
    docker.run("tag", name, there)
    docker.run("push", "--quiet", there)
    docker.run("rmi", there)
    return there


def _common(docker: Engine) -> list[str]:
    files = [os.environ[name] for name in CERTIFICATES if Path(os.environ.get(name, "")).is_file()]
    secret = ["--secret", f"id=certificates,src={files[0]}"] if files else []
    return [*docker.building, "--progress", "plain" if os.environ.get("CI") else "auto", *secret]


def check_arguments(given: Sequence[str]) -> None:
    """Refuse what Docker would ignore.

    Raises:
        ImageError: An argument is not NAME=VALUE.
    """
    for argument in given:
        if not re.match(r"[A-Z_]+=", argument):
            raise ImageError(f"a build argument is NAME=VALUE, got {argument!r}")


def _arguments(given: Sequence[str]) -> list[str]:
    return [word for argument in given for word in ("--build-arg", argument)]
