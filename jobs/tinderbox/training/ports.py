"""The address at which other workers reach one: a port of a small range, which no other agent of the machine has."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tinderbox.errors import TinderboxError

PORTS = range(7100, 7164)
"""The chart lets executors reach each other at these."""


def find_host(url: str) -> str:
    """Return the address of this machine by which it reaches the driver at a URL; others reach it there, too."""
    parts = urlsplit(url)
    infos = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, place = infos[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(place)  # nothing is sent
        return str(probe.getsockname()[0])


@contextmanager
def held_port(host: str, folder: Path | None = None) -> Iterator[int]:
    """Hold a port at which nobody listens, until the block ends or this process does; a worker may listen there.

    Raises:
        TinderboxError: None is free.
    """
    # To listen at the port would keep it from the worker, so agents tell each other by locks which ports they hold.
    locks = folder or Path(tempfile.gettempdir(), f"tinderbox-ports-{os.getuid()}")
    locks.mkdir(parents=True, exist_ok=True)
    for port in PORTS:
        with (locks / str(port)).open("w") as lock:
            if _lock(lock) and _is_free(host, port):
                yield port
                return
    raise TinderboxError(f"none of the ports {PORTS.start} to {PORTS.stop - 1} is free for a worker; end what has them")


def _lock(file: IO[str]) -> bool:
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _is_free(host: str, port: int) -> bool:
    """Whether one could listen there now; connections that have ended lately are no hindrance."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def join_address(host: str, port: int) -> str:
    """Return host and port as one text; an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
