"""What the machine must have before a cluster can run on it, one sentence for each thing that is missing."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from images.say import say
from tests.cluster import binaries
from tests.cluster.errors import ClusterError, Missing

# Debian package: a file that shows it is there.
PACKAGES = {
    "busybox": "/bin/busybox",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "docker-registry": "/usr/bin/docker-registry",
    "iproute2": "/sbin/ip",
    "iptables": "/usr/sbin/iptables",
    "kmod": "/sbin/modprobe",
    "mount": "/bin/mount",
    "nftables": "/usr/sbin/nft",
    "runc": "/usr/sbin/runc",
    "util-linux": "/usr/bin/nsenter",
}


def check() -> None:
    """Stop with the first thing that is missing; in CI, install the Debian packages instead."""
    if reason := unfit():
        raise Missing(reason)
    if lacking := lacking_packages():
        if os.environ.get("CI") != "true":
            raise Missing(f"Debian packages are missing: apt-get install --no-install-recommends {' '.join(lacking)}")
        _install(lacking)


def unfit() -> str | None:
    """Why this machine or user cannot run a cluster of its own, if so."""
    if platform.system() != "Linux":
        return f"a cluster of its own needs Linux, and this is {platform.system()}: name a cluster in KUBECONFIG"
    if os.geteuid() != 0:
        return "a cluster of its own needs root, for network, mounts and cgroups: use sudo, or name one in KUBECONFIG"
    if not Path("/proc/self/ns/pid").exists():
        return "this kernel has no process namespaces: a node cannot run here"
    if binaries.missing() and shutil.which("go") is None:
        return "the cluster's binaries are built from Go modules and there is no go: install Go 1.26 or newer"
    return None


def lacking_packages() -> list[str]:
    """The Debian packages that are not installed."""
    return [package for package, file in PACKAGES.items() if not Path(file).exists()]


def why_not() -> str | None:
    """Why a test cannot have a cluster of its own, if so: what it would have to build, or outside of CI to install."""
    lacking = [*([] if os.environ.get("CI") == "true" else lacking_packages()), *binaries.missing()]
    return unfit() or (f"not there: {', '.join(lacking)}; make cluster-up" if lacking else None)


def _install(packages: list[str]) -> None:
    say(f"installing {' '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "--quiet", *arguments], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"apt-get {arguments[0]} failed: {done.stderr.strip()}")
