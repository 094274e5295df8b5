"""A record on its way to storage and back: lines go down in groups, and nobody is answered before they are safe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Generic, Protocol, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter

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


class Events(Generic[E]):
    """The events of a record as JSON lines, and back; `union` is of all that there are, told apart by their `type`."""

    def __init__(self, union: Any) -> None:
        # A union does not take over how its members write NaN: it would become null, which is no number for a reader.
        self._adapter: TypeAdapter[E] = TypeAdapter(
            Annotated[union, Field(discriminator="type")], config=ConfigDict(ser_json_inf_nan="strings")
        )

    def encode(self, event: E) -> bytes:
        """Return an event as one JSON line; NaN and infinities become texts, so that every JSON reader can read it."""
        return self._adapter.dump_json(event) + b"\n"

    def decode(self, line: bytes) -> E:
        """Return the event of one JSON line.

        Raises:
            ValueError: The line is not a whole, known event.
        """
        return self._adapter.validate_json(line)

    def replay(self, segments: Iterable[bytes]) -> Iterator[E]:
        """Return the events of a record; a last line that was torn by a crash was never acknowledged and is dropped.

        Raises:
            TinderboxError: A line inside a segment is not an event.
        """
        for _, event in self._placed(segments):
            yield event

    def rebuild(self, segments: Iterable[bytes], apply: Callable[[E], None]) -> None:
        """Have each event of a record applied to what they add up to.

        Raises:
            TinderboxError: A line inside a segment is not an event, or tells of what was never begun.
        """
        for place, event in self._placed(segments):
            try:
                apply(event)
            except (KeyError, IndexError) as error:
                raise TinderboxError(
                    f"the record is damaged: {place} does not follow from those before it; restore it from a backup"
                ) from error

    def _placed(self, segments: Iterable[bytes]) -> Iterator[tuple[str, E]]:
        """Yield events, each with the words for where it is."""
        for number, segment in enumerate(segments, start=1):
            *lines, _ = segment.split(b"\n")
            for line_number, line in enumerate(lines, start=1):
                place = f"line {line_number} of segment {number}"
                try:
                    event = self.decode(line)
                except ValueError as error:
                    damaged = f"the record is damaged: {place} is no event; restore it from a backup"
                    raise TinderboxError(damaged) from error
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
