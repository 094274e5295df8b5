"""A record on its way to storage and back: lines go down in groups, and nobody is answered before they are safe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from tinderbox.errors import TinderboxError

E = TypeVar("E")


class Log(Protocol):
    """An append-only log in storage, one segment for each driver generation."""

    @property
    def is_quick(self) -> bool:
        """Whether appending takes so little that handing it to a thread would take longer."""

    def read(self) -> Iterable[bytes]:
        """Return the segments in order, each as the bytes that are in it."""

    def append(self, lines: bytes) -> None:
        """Add lines to this generation's segment and return when they are safe.

        Raises:
            Superseded: A later generation has begun its segment.
            OSError: Storage does not take them.
        """


def decoded(segments: Iterable[bytes], decode: Callable[[bytes], E]) -> Iterator[tuple[str, E]]:
    """Return what is on the lines of a record, with the words for where each one is.

    A last line that was torn by a crash was never acknowledged, and is dropped.

    Raises:
        TinderboxError: A line inside a segment is not what `decode` knows.
    """
    for number, segment in enumerate(segments, start=1):
        *lines, _ = segment.split(b"\n")
        for line_number, line in enumerate(lines, start=1):
            place = f"line {line_number} of segment {number}"
            try:
                event = decode(line)
            except ValueError as error:
                raise TinderboxError(f"the record is damaged: {place} is no event; restore it from a backup") from error
            yield place, event


class Lines:
    """Collects lines and writes them in groups: one sync to storage serves all who wait for it.

    `added` counts the lines taken so far. After a write that failed there is no other one: it may have left half a line
    behind, and lines that follow a gap are worth nothing.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pending: list[bytes] = []
        self.added = self._safe = 0
        self._writing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    def put(self, line: bytes) -> None:
        """Take a line; it is safe once a `flush` begun afterwards has returned."""
        self._pending.append(line)
        self.added += 1

    def begin(self) -> None:
        """Write what was added before anybody waits for it, and return when it is safe.

        Raises:
            Superseded: A later driver writes this record.
            OSError: Storage does not take it.
        """
        self._log.append(b"".join(self._pending))
        self._pending, self._safe = [], self.added

    async def flush(self) -> None:
        """Return when every line added so far is safe in storage.

        Raises:
            Superseded: A later driver writes this record.
            OSError: Storage does not take them.
        """
        wanted = self.added
        while self._safe < wanted:
            if self._failure is not None:
                raise self._failure
            if self._writing is None:
                self._writing = asyncio.create_task(self._write())
            # A client that hangs up must not cancel the write that others wait for.
            await asyncio.shield(self._writing)

    async def _write(self) -> None:
        await asyncio.sleep(0)  # Who has been heard already joins this group.
        group, self._pending = self._pending, []
        lines = b"".join(group)
        try:
            if self._log.is_quick:
                self._log.append(lines)
            else:
                await asyncio.to_thread(self._log.append, lines)
        except Exception as error:
            self._failure = error
        else:
            self._safe += len(group)
        finally:
            self._writing = None
