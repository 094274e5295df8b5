"""The address at which other workers reach one: a port of a small range, which no other agent of the machine has."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import tempfile
from contextlib import suppress
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


class HeldPort:
    """Holds a port at which nobody listens, for a worker to listen there, until its block ends or this process does."""

    def __init__(self, folder: Path | None = None) -> None:
        # To listen at the port would keep it from the worker, so agents tell each other by locks which ports they hold.
        self._folder = folder or Path(tempfile.gettempdir(), f"tinderbox-ports-{os.getuid()}")
        self._held: tuple[int, IO[str]] | None = None

    def __enter__(self) -> HeldPort:
        """Hold none yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the port go."""
        self._let_go()

    def find(self) -> int:
        """Return the port, another one than before where somebody else has begun to listen there.

        Raises:
            TinderboxError: None is free.
        """
        if self._held is not None and _is_free(self._held[0]):
            return self._held[0]
        self._let_go()
        self._folder.mkdir(parents=True, exist_ok=True)
        for port in PORTS:
            lock = (self._folder / str(port)).open("w")
            if _lock(lock) and _is_free(port):
                self._held = port, lock
                return port
            lock.close()
        raise TinderboxError(
            f"none of the ports {PORTS.start} to {PORTS.stop - 1} is free for a worker; end what has them"
        )

    def _let_go(self) -> None:
        if self._held is not None:
            self._held[1].close()
            self._held = None


def _lock(file: IO[str]) -> bool:
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _is_free(port: int) -> bool:
    """Whether one could listen there now, as workers do, at all addresses; connections of late are no hindrance."""
    for family, place in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - nobody listens
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((place, port))
        except OSError as error:
            if family == socket.AF_INET or error.errno == errno.EADDRINUSE:  # else the machine has no IPv6
                return False
    return True


def join_address(host: str, port: int) -> str:
    """Return host and port as one text; an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
