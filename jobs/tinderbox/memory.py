"""Memory of a container and of the processes in it: the limit, whom the kernel has killed, what a process holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
"""Where a container finds its own control group: the files of version 2 there, those of version 1 in `memory`."""

_ENDLESS = 1 << 60
"""In bytes: version 1 writes "no limit" as a number beyond this one."""


def find_limit(cgroups: Path = CGROUPS) -> int | None:
    """Return how many bytes the processes of this container may hold together, None where nothing limits them."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError):
            text = (cgroups / name).read_text().strip()
            return int(text) if text != "max" and int(text) < _ENDLESS else None
    return None


def find_use(cgroups: Path = CGROUPS) -> int | None:
    """Return the bytes that count against this container's limit, the file cache that can be given up left out."""
    for size, details, cache in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        with suppress(OSError):
            counts = dict(line.split() for line in (cgroups / details).read_text().splitlines())
            return max(int((cgroups / size).read_text()) - int(counts.get(cache, 0)), 0)
    return None


def count_kills(cgroups: Path = CGROUPS) -> int:
    """Return how many processes of this container the kernel has killed so far because memory was used up."""
    for name in ("memory.events", "memory/memory.oom_control"):
        with suppress(OSError):
            counts = dict(line.split() for line in (cgroups / name).read_text().splitlines())
            return int(counts.get("oom_kill", 0))
    return 0


def bound(group: int) -> int:
    """Return a number of bytes that the processes of a group hold for themselves at most.

    It is read in 20 microseconds for each process, and counts what they share with others, too.
    """
    return _add(group, lambda process: process.memory_info().rss)


def held(group: int) -> int:
    """Return how many bytes the processes of a group hold for themselves.

    Pages that are shared are left out (USS), and those of files, which can be given up, as far as these are more. The
    kernel goes through all pages for it: 1 ms for small processes and for large arrays, 22 ms for one that has imported
    TensorFlow. What a process shares with one that it has forked is in neither's number.
    """
    return _add(group, _private)


def anonymous(pid: int) -> int:
    """Return how many bytes a process has in memory that come from no file, 0 if it has ended."""
    with suppress(psutil.Error):
        info = psutil.Process(pid).memory_info()
        return int(info.rss - info.shared)
    return 0


def python_sizes(root: int) -> Iterator[int]:
    """Yield the resident bytes of the Python processes below `root`, that one too; shared pages count for each."""
    with suppress(psutil.Error):
        top = psutil.Process(root)
        for process in [top, *top.children(recursive=True)]:
            with suppress(psutil.Error):  # it has ended meanwhile
                if Path(process.exe()).name.startswith("python"):  # a command's own name hides it
                    yield int(process.memory_info().rss)


def parent(pid: int) -> int:
    """Return who has started a process, 0 if it has ended."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).ppid())
    return 0


def _private(process: psutil.Process) -> int:
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    except FileNotFoundError:  # no Linux, or no container's
        return int(process.memory_full_info().uss)
    sizes = {name: int(size) << 10 for name, size in (line.split()[:2] for line in lines)}
    own = sizes.get("Private_Clean:", 0) + sizes.get("Private_Dirty:", 0)
    return min(own, sizes.get("Pss_Anon:", own) + sizes.get("Pss_Shmem:", 0))


def _add(group: int, size: Callable[[psutil.Process], int]) -> int:
    total = 0
    for pid in psutil.pids():
        with suppress(psutil.Error, OSError):  # it has ended meanwhile, or is somebody else's
            if os.getpgid(pid) == group:
                total += size(psutil.Process(pid))
    return total
