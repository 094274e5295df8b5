"""What a cluster could leave behind on the machine, as sets that can be compared before and after."""

import os
import subprocess
from pathlib import Path

from tests.cluster import kernel, processes

# Where software of this kind leaves folders by habit.
PLACES = (
    "/etc",
    "/opt",
    "/run",
    "/run/netns",
    "/usr/libexec",
    "/var/lib",
    "/var/log",
    "/var/log/containers",
    "/var/log/pods",
)


def traces() -> dict[str, set[str]]:
    """Everything of the machine that a cluster touches, by kind."""
    return {
        "process in namespaces of its own": _foreign_processes(),
        "network namespace": _lines("ip", "netns", "list"),
        "link": {line.split(": ")[1] for line in _lines("ip", "-oneline", "link")},
        "route": _lines("ip", "-4", "route"),
        "mount": set(Path("/proc/self/mounts").read_text().splitlines()),
        "rule": {rule for table in ("filter", "nat", "mangle") for rule in _lines("iptables", "-t", table, "-S")},
        "cgroup": {str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir()},
        "folder": {str(path) for place in PLACES if Path(place).is_dir() for path in Path(place).iterdir()},
        "setting": {f"{name}={kernel.read(name)}" for name in (*kernel.WANTED, *kernel.TOUCHED)},
    }


def left_behind(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is there now and was not there before, by kind."""
    found = {kind: {thing for thing in things - before[kind] if not _docker(thing)} for kind, things in after.items()}
    return {kind: things for kind, things in found.items() if things}


def _docker(thing: str) -> bool:
    """Whether it is Docker's, which may build an image meanwhile; nothing of ours has such a name."""
    return "docker" in thing or thing == "/run/runc" or thing.startswith("veth")


def _foreign_processes() -> set[str]:
    own = Path("/proc/self/ns/pid").readlink()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "ns" / "pid").readlink() != own and processes.started(int(folder.name)):
                found.add(f"{folder.name} {(folder / 'cmdline').read_text()} {(folder / 'cgroup').read_text()}")
        except OSError:  # it has ended meanwhile
            continue
    return found


def _lines(*command: str) -> set[str]:
    environment = os.environ | {"LC_ALL": "C"}
    return set(subprocess.run(command, capture_output=True, text=True, env=environment).stdout.splitlines())
