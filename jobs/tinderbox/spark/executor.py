"""What a slot finds in its executor: where it is, its GPUs and memory, and the notice that all of it is taken away."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark import TaskContext

from tinderbox.allowance import Share
from tinderbox.memory import CGROUPS, find_limit

NOTICE_VARIABLE = "TINDERBOX_DECOMMISSION"
"""Names the file that the pod's preStop hook makes."""


def find_place() -> tuple[str, str]:
    """Return the names of the node and the pod that this process is in, both the machine's where there is no pod."""
    name = socket.gethostname()
    # A pod's host name is its name cut to 63 characters, and a dead pod is told of by its whole name.
    return os.environ.get("TINDERBOX_NODE") or name, os.environ.get("POD_NAME") or name


def find_gpus(context: TaskContext | None) -> list[str]:
    """Return the addresses of the GPUs that Spark has given to a task, none where it knows of none."""
    given = context.resources().get("gpu") if context else None
    return list(given.addresses) if given else []


def find_share(heap: int, slots: int, cgroups: Path = CGROUPS) -> Share | None:
    """Return a slot's part of the executor's memory; None where it has no limit, or not a known number of slots."""
    limit = find_limit(cgroups)
    return None if limit is None or not slots else Share(limit, heap, slots)


@contextmanager
def noticing() -> Iterator[Callable[[], bool]]:
    """Lend a check whether this executor is being taken away: its pod's hook has said so, or this process got SIGTERM.

    Python can take a signal in its main thread only, which is the one that Spark runs tasks in.
    """
    path, told = os.environ.get(NOTICE_VARIABLE), list[int]()
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number)) if is_main else None
    try:
        yield lambda: bool(told) or (path is not None and Path(path).exists())
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
