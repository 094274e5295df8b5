"""A task's side of its pulse: a thread that says that it is alive, and says no more once its process is stopped."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import lru_cache

import urllib3

from tinderbox.errors import StaleAttempt, TinderboxError
from tinderbox.training.averaging.pulses import BEAT_SECONDS, Pulse
from tinderbox.web.client import Connection

_LONGEST_WAIT = urllib3.Timeout(connect=2.0, read=3.0)


@lru_cache(maxsize=1)
def _connect(url: str, token: str) -> Connection:
    """Return the way to a driver, the same for all tasks of this process."""
    return Connection(url, token)


@contextmanager
def beating(url: str, token: str, pulse: Pulse) -> Iterator[None]:
    """Tell the driver at `url` of a task until the block ends; that it has, too."""
    connection, ended = _connect(url, token), threading.Event()

    def beat() -> None:
        try:
            while not ended.is_set():
                _send(connection, pulse)
                ended.wait(BEAT_SECONDS)
            _send(connection, replace(pulse, over=True))
        except StaleAttempt:  # nobody waits for this task any more
            return

    threading.Thread(target=beat, name="pulse", daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _send(connection: Connection, pulse: Pulse) -> None:
    body = json.dumps(asdict(pulse)).encode()
    try:
        connection.send("POST", "/pulse", body, timeout=_LONGEST_WAIT, retries=False)
    except StaleAttempt:
        raise
    except (TinderboxError, urllib3.exceptions.HTTPError):  # what the driver does not hear now is said again
        return
