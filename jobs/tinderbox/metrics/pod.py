"""What a pod uses: memory beside its limit, CPU time, and its Python processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tinderbox.memory import CGROUPS, find_limit, find_use, python_sizes
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import Sample


def look_at_pod(node: str, root: int, cgroups: Path = CGROUPS) -> Iterator[Sample]:
    """Yield what the container uses, and the Python processes below the process `root`, that one too."""
    if (limit := find_limit(cgroups)) is not None:
        yield catalogue.POD_LIMIT.sample(limit, node=node)
    if (used := find_use(cgroups)) is not None:
        yield catalogue.POD_MEMORY.sample(used, node=node)
    if (seconds := find_cpu_seconds(cgroups)) is not None:
        yield catalogue.POD_CPU.sample(seconds, node=node)
    sizes = list(python_sizes(root))
    yield catalogue.WORKERS.sample(len(sizes), node=node)
    yield catalogue.WORKER_BYTES.sample(sum(sizes), node=node)


def find_cpu_seconds(cgroups: Path = CGROUPS) -> float | None:
    """Return the CPU time that this container has used, None where nobody counts it."""
    with suppress(OSError, KeyError):
        lines = (cgroups / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["usage_usec"]) / 1e6
    for name in ("cpuacct/cpuacct.usage", "cpu,cpuacct/cpuacct.usage"):
        with suppress(OSError):
            return int((cgroups / name).read_text()) / 1e9
    return None
