"""The exporter of this process, where the environment asks for one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from tinderbox.errors import BadInput
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import Sample
from tinderbox.metrics.exporter import Exporter
from tinderbox.metrics.meter import SOCKET_VARIABLE
from tinderbox.metrics.pod import look_at_pod

PORT_VARIABLE, LINGER_VARIABLE = "TINDERBOX_METRICS_PORT", "TINDERBOX_METRICS_LINGER"
"""The port to answer on, none where it is empty; and for how many seconds a driver waits for the last scrape."""

Role = Literal["driver", "executor", "console"]


@contextmanager
def opened_exporter(role: Role) -> Iterator[Exporter]:
    """Lend this process's exporter, which hears its workers, and those of its pod, until the block ends.

    Where nobody has asked for one it answers nobody. Workers that are started in the block find it.

    Raises:
        BadInput: The port or the patience is no number, or the port is taken.
    """
    port, patience = _number(PORT_VARIABLE), _number(LINGER_VARIABLE)
    node = os.environ.get("TINDERBOX_NODE") or socket.gethostname()
    exporter = Exporter(node, patience or 0)
    if port is None:
        yield exporter
        return
    # What started an executor's exporter is its Java, and with it all that runs in the pod.
    root = os.getppid() if role == "executor" else os.getpid()

    def look() -> Iterator[Sample]:
        yield catalogue.POD_INFO.sample(1, node=node, role=role)
        yield from look_at_pod(node, root)

    with TemporaryDirectory(prefix="tinderbox-") as scratch:
        path = Path(os.environ.get(SOCKET_VARIABLE) or Path(scratch, "metrics"))
        with exporter.asking(look), exporter.serving(port, path), _named(path):
            yield exporter


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let workers that are started in the block find the socket."""
    before = os.environ.get(SOCKET_VARIABLE)
    os.environ[SOCKET_VARIABLE] = str(path)
    try:
        yield
    finally:
        os.environ.pop(SOCKET_VARIABLE, None)
        if before is not None:
            os.environ[SOCKET_VARIABLE] = before


def _number(variable: str) -> int | None:
    text = os.environ.get(variable, "")
    if text and not text.isdecimal():
        raise BadInput(f"{variable} must be a whole number, got {text!r}; give one, or leave it out")
    return int(text) if text else None
