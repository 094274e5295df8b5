"""How a worker process learns what it is, and is heard of before it has loaded anything."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from tinderbox.training.channel import Channel
from tinderbox.training.records import Assignment


class Arrival:
    """Takes the assignment in a thread, and opens its way to the driver at once: the worker beats from then on.

    The user's code may take its time to load; who is frozen in that is found as everyone else is.
    """

    def __init__(self, connection: Connection, door: Callable[[Assignment], Channel]) -> None:
        self._connection, self._door = connection, door
        self._assignment: Assignment | None = None
        self._opened: Channel | Exception | None = None
        self._thread = threading.Thread(target=self._take, name="arrival", daemon=True)
        self._thread.start()

    def wait(self) -> Assignment | None:
        """Return the assignment once it is there, None where nobody will send one any more."""
        self._thread.join()
        return self._assignment

    def channel(self) -> Channel:
        """Return the way to the driver, or raise what opening it raised."""
        if isinstance(self._opened, Exception):
            raise self._opened
        assert self._opened is not None  # noqa: S101 - an assignment has come
        return self._opened

    def _take(self) -> None:
        with suppress(EOFError):
            self._assignment = self._connection.recv()
        if self._assignment is not None:
            try:
                self._opened = self._door(self._assignment)
            except Exception as error:
                self._opened = error
