"""What a worker's neighbours in the tree have said of themselves, what each still has to be told, and what was said."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = struct.Struct("<Q?qqq")


@dataclass(frozen=True)
class Heard:
    """A worker's word of itself.

    `process` tells it from another one of the same rank, and `ready` says whether it has a state to give. `known` is
    the step of each rank whose message came last, and `dense` that after which all took over one state last.
    """

    process: int
    ready: bool
    dense: int
    known: tuple[int, ...]
    at: float = 0.0
    """When it was heard, by the clock of who has heard it."""
    number: int = 0
    """It counts up, for each neighbour."""
    echo: int = 0
    """The number of what the neighbour said last: all that it sent before that has come, or is lost."""

    def pack(self) -> bytes:
        """Return it as bytes."""
        head = _HEAD.pack(self.process, self.ready, self.dense, self.number, self.echo)
        return head + struct.pack(f"<{len(self.known)}i", *self.known)


def unpack_heard(packed: bytes, workers: int, now: float) -> Heard:
    """Return what `pack` was given, as heard now.

    Raises:
        ValueError: It is not the word of one of so many workers.
    """
    if len(packed) != _HEAD.size + 4 * workers:
        raise ValueError(f"what one of {workers} workers knows has {_HEAD.size + 4 * workers} bytes, got {len(packed)}")
    process, ready, dense, number, echo = _HEAD.unpack_from(packed)
    known = struct.unpack_from(f"<{workers}i", packed, _HEAD.size)
    return Heard(process, ready, dense, known, now, number, echo)


class Neighbours:
    """What was heard of each neighbour: last, before that, and first."""

    def __init__(self, ranks: Sequence[int]) -> None:
        self.ranks = ranks
        self._last: dict[int, Heard] = {}
        self._before: dict[int, Heard | None] = {}
        self._first: dict[int, Heard] = {}

    def note(self, rank: int, heard: Heard) -> bool:
        """Note what was heard; true for a process that was never heard before."""
        before = self._before[rank] = self._last.get(rank)
        self._last[rank] = heard
        if before is not None and before.process == heard.process:
            return False
        self._first[rank] = heard
        return True

    def number(self, rank: int) -> int:
        """Return the number of what a neighbour said last, 0 for nothing."""
        heard = self._last.get(rank)
        return heard.number if heard else 0

    def last(self, rank: int) -> float:
        """Return when a neighbour was heard last, 0 for never."""
        heard = self._last.get(rank)
        return heard.at if heard else 0.0

    @property
    def ready_at(self) -> float:
        """When a neighbour was heard last that has a state to give."""
        return max([heard.at for heard in list(self._last.values()) if heard.ready], default=0.0)

    def has_told(self, dense: int, known: Sequence[int]) -> bool:
        """Whether each neighbour was heard, and what those with a state knew at first is known here."""
        if len(self._first) < len(self.ranks):
            return False
        firsts = [heard for heard in list(self._first.values()) if heard.ready]
        return all(
            heard.dense <= dense and all(ours >= theirs for ours, theirs in zip(known, heard.known, strict=True))
            for heard in firsts
        )

    def missing(self, rank: int, known: Sequence[int]) -> list[int]:
        """Return after which step of each rank a neighbour is to be told again what is known here.

        All that it lacks, where it has only now got a state; else what it has lacked for a beat, for other messages
        are on their way.
        """
        heard, before = self._last[rank], self._before[rank]
        if before is None or self._is_fresh(rank):
            return list(heard.known)
        stuck = [last == old for last, old in zip(heard.known, before.known, strict=True)]
        return [last if stuck[number] else known[number] for number, last in enumerate(heard.known)]

    def lacks_dense(self, rank: int, step: int, since: float) -> bool:
        """Whether a neighbour has not what all take over after a step, which was sent to it at a time."""
        heard, before = self._last[rank], self._before[rank]
        return heard.dense < step and (before is None or self._is_fresh(rank) or before.at > since)

    def _is_fresh(self, rank: int) -> bool:
        heard, before = self._last[rank], self._before[rank]
        return before is None or before.process != heard.process or not before.ready


class Said:
    """What was said to each neighbour, by its number, and when.

    What was sent is not sent again before the neighbour has heard a word said after it: until then it may be on its
    way, through a slow network for long.
    """

    def __init__(self) -> None:
        self._numbers = dict[int, int]()
        self._times = dict[int, float]()
        self._sent = dict[int, int]()

    def at(self, rank: int) -> float:
        """Return when something was said to a neighbour last, 0 for never."""
        return self._times.get(rank, 0.0)

    def count(self, rank: int, now: float) -> int:
        """Return the number of what is said now."""
        self._times[rank] = now
        self._numbers[rank] = self._numbers.get(rank, 0) + 1
        return self._numbers[rank]

    def note_sent(self, rank: int) -> None:
        """Note that something was sent that may take its time."""
        self._sent[rank] = self._numbers.get(rank, 0)

    def has_come(self, rank: int, echo: int) -> bool:
        """Whether a neighbour that has heard the word of number `echo` has all that was sent, or it is lost."""
        return echo > self._sent.get(rank, -1)
