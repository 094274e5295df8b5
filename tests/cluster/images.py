"""The images that the cluster itself needs, and one for tests: each is a single program and what it is linked with."""

import io
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.cluster import registry
from tests.cluster.binaries import binary

BUSYBOX_FILE = Path("/bin/busybox")
PAUSE = "pause:3.10"
COREDNS = "coredns:1.15.0"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def push_all() -> None:
    """Put the images into the registry, under the names that Docker's own library has."""
    _push(PAUSE, {"Entrypoint": ["/pause"]}, layer({"/pause": binary("pause")}))
    _push(COREDNS, {"Entrypoint": ["/coredns"]}, layer({"/coredns": binary("coredns")}))
    files = {"/bin/busybox": BUSYBOX_FILE} | {str(library): library for library in _libraries(BUSYBOX_FILE)}
    _push(busybox(), {"Cmd": ["sh"]}, layer(files, _applets(), ["tmp"]))


@cache
def busybox() -> str:
    """The image with a shell and small tools, for tests; its tag is the version."""
    banner = subprocess.run([BUSYBOX_FILE], capture_output=True, text=True, check=True).stdout
    return f"busybox:{banner.split()[1].removeprefix('v')}"


def _libraries(program: Path) -> list[Path]:
    """The shared libraries of a program, its loader too; a static one has none."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return [Path(word) for word in told.split() if word.startswith("/")]


def _applets() -> list[str]:
    listed = subprocess.run([BUSYBOX_FILE, "--list"], capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split() if name != "busybox"]


def push_prometheus(image: str) -> None:
    """Put Prometheus, as it was built here, into the registry, by the name that a chart has for its image."""
    _push(image, {"Cmd": ["/bin/prometheus"]}, layer({"/bin/prometheus": binary("prometheus")}), group="")


def push_program(name: str) -> str:
    """Put one program, as it was built here, into the registry as an image that runs it, and return its name."""
    image = f"{name}:{binary(name).parent.name}"
    _push(image, {"Entrypoint": [f"/bin/{name}"]}, layer({f"/bin/{name}": binary(name)}))
    return image


def _push(image: str, settings: dict[str, Any], content: bytes, group: str = "library/") -> None:
    name, tag = image.split(":")
    configuration = {
        "os": "linux",
        "architecture": ARCHITECTURE[platform.machine()],
        "config": {"Env": ["PATH=/bin"], **settings},
    }
    registry.push(f"{group}{name}", tag, configuration, [content])


def layer(files: Mapping[str, Path], applets: Iterable[str] = (), open_folders: Iterable[str] = ()) -> bytes:
    """A layer as a tar: always the same bytes for the same files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in open_folders:
            folder = _entry(name, 0o1777)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
        for place, source in files.items():
            entry = _entry(place, 0o755)
            entry.size = source.stat().st_size
            with source.open("rb") as stream:
                archive.addfile(entry, stream)
        for applet in applets:
            link = _entry(f"/bin/{applet}", 0o777)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return content.getvalue()


def _entry(place: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(place.lstrip("/"))
    entry.mode = mode
    return entry
