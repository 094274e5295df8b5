"""Settings of the kernel that the whole machine shares: the cluster changes them, and puts them back when it goes."""

import json
from pathlib import Path

from tests.cluster.layout import ROOT

SAVED = ROOT / "kernel.json"
PROC = Path("/proc/sys")
# Each node's kubelet, containerd and pods watch files; the usual 128 watchers a user are too few for three nodes.
WANTED = {"net/ipv4/ip_forward": 1, "fs/inotify/max_user_instances": 8192, "fs/inotify/max_user_watches": 524288}
# A kubelet changes these by itself.
TOUCHED = (
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def tune() -> None:
    """Remember the settings once, then raise those that are too low."""
    if not SAVED.exists():
        SAVED.parent.mkdir(parents=True, exist_ok=True)
        SAVED.write_text(json.dumps({name: read(name) for name in (*WANTED, *TOUCHED) if (PROC / name).exists()}))
    for name, least in WANTED.items():
        if int(read(name)) < least:
            (PROC / name).write_text(str(least))


def restore() -> None:
    """Put the remembered settings back."""
    saved = json.loads(SAVED.read_text()) if SAVED.exists() else {}
    for name, value in saved.items():
        if read(name) != value:
            (PROC / name).write_text(value)


def read(name: str) -> str:
    """One setting as it is now."""
    return (PROC / name).read_text().strip()
