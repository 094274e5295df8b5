"""The cgroups under which the nodes' pods run: version 1 and version 2 of the kernel's interface.

Version 1 has one tree per controller, and a new cpuset is empty until it is filled in. Version 2 has one tree, and a
controller reaches a cgroup only when its parent hands it down. A hybrid machine has version 1 and beside it a tree of
version 2 without controllers, in which runc makes its cgroups too.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError, Missing
from tests.cluster.layout import CGROUP, nodes

MOUNTS = Path("/proc/self/mounts")
UNIFIED = "/sys/fs/cgroup"
CPUSET = ("cpuset.cpus", "cpuset.mems")
# What a kubelet wants on either version; the rest is welcome where it is there.
CONTROLLERS = {"cpu", "cpuset", "memory", "pids"}


@dataclass(frozen=True)
class Trees:
    """The machine's cgroup trees: the version, and where they are mounted."""

    version: int
    roots: tuple[Path, ...]


def parse_trees(mounts: str) -> Trees:
    """The trees in the text of /proc/self/mounts; a hybrid counts as version 1, as a kubelet counts it."""
    entries = [line.split() for line in mounts.splitlines()]
    if any(kind == "cgroup2" and place == UNIFIED for _, place, kind, *_ in entries):
        return Trees(2, (Path(UNIFIED),))
    roots = dict.fromkeys(Path(place) for _, place, kind, *_ in entries if kind in ("cgroup", "cgroup2"))
    if not any(kind == "cgroup" for _, _, kind, *_ in entries):
        raise Missing(f"no cgroups are mounted under {UNIFIED}: a kubelet cannot run here")
    return Trees(1, tuple(roots))


def detect() -> Trees:
    """The trees of this machine."""
    return parse_trees(MOUNTS.read_text())


def make(trees: Trees) -> None:
    """Make one cgroup for each node, ready to hold pods."""
    for root in trees.roots:
        top = root / CGROUP
        for folder in [top, *(top / node.name for node in nodes())]:
            _hand_down(folder.parent) if trees.version == 2 else None
            folder.mkdir(exist_ok=True)
            _fill_cpuset(folder) if trees.version == 1 else None


def _fill_cpuset(folder: Path) -> None:
    for name in CPUSET:
        file = folder / name
        if file.exists() and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def _hand_down(folder: Path) -> None:
    offered = set((folder / "cgroup.controllers").read_text().split())
    control = folder / "cgroup.subtree_control"
    if lacking := sorted(CONTROLLERS - offered):
        raise Missing(f"the cgroup {folder} has no controller {', '.join(lacking)}: a kubelet needs it")
    wanted = offered - set(control.read_text().split())
    try:
        # One write for each: a controller that cannot be had must not take the others with it.
        for controller in sorted(wanted):
            control.write_text(f"+{controller}")
    except OSError as error:
        # A cgroup other than the machine's root may not both hold processes and hand down controllers.
        if not set(control.read_text().split()) >= CONTROLLERS:
            raise Missing(f"{control} refuses {controller} ({error.strerror}): "
                          "run on the machine itself, not in a container") from error  # fmt: skip


def remove(trees: Trees, node: str = "", seconds: float = 5) -> None:
    """Remove the nodes' cgroups, or one node's, once the last process in them is gone."""
    end = time.monotonic() + seconds
    for top in (root / CGROUP / node for root in trees.roots):
        while not _removed(top):
            if time.monotonic() > end:
                raise ClusterError(f"the cgroup {top} still holds processes")
            time.sleep(0.05)


def _removed(top: Path) -> bool:
    folders = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: len(path.parts), reverse=True)
    try:
        for folder in [*folders, *([top] if top.exists() else [])]:
            folder.rmdir()
    except OSError:
        return False
    return True
