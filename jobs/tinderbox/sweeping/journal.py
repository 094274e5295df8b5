"""The study's record on its way to storage: events go down in groups, and nobody is answered before they are safe."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from tinderbox.config import Constraint, Metric
from tinderbox.errors import TinderboxError
from tinderbox.sweeping.events import CheckpointSaved, Event, Reported, decode, encode
from tinderbox.sweeping.study import Study


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


def replay(segments: Iterable[bytes]) -> Iterator[Event]:
    """Return the events of a record; a last line that was torn by a crash was never acknowledged and is dropped.

    Raises:
        TinderboxError: A line inside a segment is not an event.
    """
    for _, event in _placed(segments):
        yield event


def _placed(segments: Iterable[bytes]) -> Iterator[tuple[str, Event]]:
    """Return the events of a record with the words for where each one is."""
    for number, segment in enumerate(segments, start=1):
        *lines, _ = segment.split(b"\n")
        for line_number, line in enumerate(lines, start=1):
            place = f"line {line_number} of segment {number}"
            try:
                event = decode(line)
            except ValueError as error:
                raise TinderboxError(f"the record is damaged: {place} is no event; restore it from a backup") from error
            yield place, event


def rebuild(
    segments: Iterable[bytes],
    metric: str,
    direction: str,
    further: Sequence[Metric] = (),
    constraints: Sequence[Constraint] = (),
) -> Study:
    """Return the study that a record adds up to, with the aims of its job.

    Raises:
        TinderboxError: A line inside a segment is not an event, or tells of what was never begun.
    """
    study = Study(metric, direction, further, constraints)
    for place, event in _placed(segments):
        try:
            study.apply(event)
        except (KeyError, IndexError) as error:
            raise TinderboxError(
                f"the record is damaged: {place} does not follow from those before it; restore it from a backup"
            ) from error
    return study


class Journal:
    """Collects events and writes them in groups: one sync to storage serves all who wait for it.

    `added` counts the events taken so far, and `news` those among them after which a slot that waits, or the search,
    may have something to do. After a write that failed there is no other one: it may have left half a line behind,
    and events that follow a gap are worth nothing.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pending: list[bytes] = []
        self.added = self.news = self._safe = 0
        self._writing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    def add(self, event: Event) -> None:
        """Take an event; it is safe once a `flush` begun afterwards has returned."""
        self._pending.append(encode(event))
        self.added += 1
        self.news += not isinstance(event, Reported | CheckpointSaved)

    def begin(self) -> None:
        """Write what was added before anybody waits for it, and return when it is safe.

        Raises:
            Superseded: A later driver writes this study's record.
            OSError: Storage does not take it.
        """
        self._log.append(b"".join(self._pending))
        self._pending, self._safe = [], self.added

    async def flush(self) -> None:
        """Return when every event added so far is safe in storage.

        Raises:
            Superseded: A later driver writes this study's record.
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
