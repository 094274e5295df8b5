"""The thread's side of mode threshold: what is done with each frame of a neighbour, and what neighbours are told.

Messages are passed on through the tree, and repeated where they got lost. Every second neighbours tell each other what
they know; who lacks something that was sent and does not arrive gets it again, as does one who has come anew.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable

from tinderbox.errors import TinderboxError
from tinderbox.training.records import Assignment
from tinderbox.training.threshold.coding import Message
from tinderbox.training.threshold.ledger import unseal
from tinderbox.training.threshold.links import Links
from tinderbox.training.threshold.mailbox import Mailbox
from tinderbox.training.threshold.neighbours import Heard, Neighbours, Said, unpack_heard

UPDATE, OLD_UPDATE, KNOWN, DENSE, ASK, SNAPSHOT = b"U", b"O", b"K", b"D", b"A", b"S"
"""What a frame is, by its first byte."""

_SILENT = 3.0
"""After so many seconds without a neighbour it is told more often; then, or when one waits, addresses may be old."""

_BEAT, _FIRST_BEAT = 1.0, 0.1
"""Seconds between two frames that say what is known: to a neighbour that was heard, and to others."""

_AGAIN = 5.0
"""After so many seconds without an answer a worker that rejoins asks again."""

_DENSE_HEAD = struct.Struct("<q")


class Relay(Mailbox):
    """One worker's place in the tree, as its thread has it; `links` are its connections, which that thread alone uses.

    Training begins after step `start`, with `size` parameters. `capture` returns what a worker that rejoins goes on
    from: a snapshot, and the step of each rank that is in it. What is sent is counted in bytes: `own` and `passed_on`.
    """

    def __init__(
        self,
        assignment: Assignment,
        size: int,
        staleness: int,
        start: int,
        capture: Callable[[], tuple[bytes, list[int]]],
    ) -> None:
        super().__init__(assignment.workers, staleness, start, ready=not assignment.rejoins)
        self.rank, self.own, self.passed_on = assignment.rank, 0, 0
        self._size, self._capture, self._process = size, capture, secrets.randbits(64)
        self._early, self._asked = list[tuple[int, bytes]](), 0.0
        self._links = Links(self.rank, assignment.addresses, assignment.attempt, assignment.secret)
        self._neighbours, self._said = Neighbours(self._links.neighbours), Said()
        self._takers: dict[bytes, Callable[[int, bytes], None]] = {
            UPDATE: self._take_update,
            OLD_UPDATE: self._take_old,
            KNOWN: self._take_known,
            DENSE: self._take_dense,
            ASK: self._give_snapshot,
            SNAPSHOT: self._take_snapshot,
        }

    def _receive(self) -> None:
        """Take what has come from neighbours; wait for the first of it for a while."""
        for rank, frame in self._links.receive(_FIRST_BEAT):
            if frame[:1] not in self._takers:
                raise TinderboxError(f"rank {rank} sent {frame[:1]!r}, which is no message; run one version only")
            self._takers[frame[:1]](rank, frame[1:])

    def _misses_somebody(self) -> bool:
        """Whether a neighbour is silent, or the worker has been waiting for long: they may be elsewhere by now."""
        heard = [self._neighbours.last(rank) for rank in self._neighbours.ranks]
        return self._waited() > _SILENT or any(time.monotonic() - last > _SILENT for last in heard)

    def _beat(self) -> None:
        """Tell neighbours what is known here, those for whom it is time."""
        now = time.monotonic()
        for rank in self._neighbours.ranks:
            gap = _BEAT if now - self._neighbours.last(rank) < _SILENT else _FIRST_BEAT
            if now - self._said.at(rank) >= gap:
                self._tell(rank)

    def _tell(self, rank: int) -> None:
        number, echo = self._said.count(rank, time.monotonic()), self._neighbours.number(rank)
        with self._changed:
            known = tuple(self._ledger.known)
            told = Heard(self._process, self._is_informed, self._dense[0], known, number=number, echo=echo)
        self.own += self._links.send(rank, KNOWN + told.pack())

    def _spread(self, frame: bytes, sender: int | None = None) -> None:
        for rank in self._neighbours.ranks:
            if rank != sender:
                sent = self._links.send(rank, frame)
                if frame[:1] == DENSE:
                    self._said.note_sent(rank)
                if sender is None:
                    self.own += sent
                else:
                    self.passed_on += sent

    def _dense_frame(self) -> bytes:
        step, content = self._dense
        return DENSE + _DENSE_HEAD.pack(step) + content

    def _take_update(self, sender: int, sealed: bytes) -> None:
        if not self._is_informed:
            self._early.append((sender, sealed))
            return
        message = self._read(sender, sealed)
        if self._accept(message, sealed):
            self._spread(UPDATE + sealed, sender)

    def _take_old(self, sender: int, sealed: bytes) -> None:
        message = self._read(sender, sealed)
        with self._changed:
            self._ledger.keep(message.rank, message.step, sealed)

    def _read(self, sender: int, sealed: bytes) -> Message:
        message, _ = unseal(sealed, self._size)
        if message.rank >= self.workers:
            told = f"rank {sender} sent a message of rank {message.rank} of {self.workers} workers"
            raise TinderboxError(f"{told}; run one version only")
        return message

    def _take_dense(self, sender: int, packed: bytes) -> None:
        (step,) = _DENSE_HEAD.unpack_from(packed)
        if self._keep_dense(step, packed[_DENSE_HEAD.size :]):
            self._spread(self._dense_frame(), sender)

    def _take_known(self, rank: int, packed: bytes) -> None:
        heard = unpack_heard(packed, self.workers, time.monotonic())
        with self._changed:
            new = self._neighbours.note(rank, heard)
            self._changed.notify_all()
        if new:
            self._tell(rank)
        if not heard.ready or not self._said.has_come(rank, heard.echo):
            return
        if self._ready:
            self._repeat(rank)
        elif not self._is_informed and time.monotonic() - self._asked > _AGAIN:
            self._asked = time.monotonic()
            self.own += self._links.send(rank, ASK)
            self._said.note_sent(rank)

    def _repeat(self, rank: int) -> None:
        """Send a neighbour what it lacks and what is not on its way."""
        with self._changed:
            dense, content = self._dense
            lacking = self._lacking(self._neighbours.missing(rank, self._ledger.known))
        frames = [UPDATE + sealed for sealed in lacking]
        if content and self._neighbours.lacks_dense(rank, dense, self._dense_at):
            frames.insert(0, self._dense_frame())
        for frame in frames:
            self.own += self._links.send(rank, frame)
        if frames:
            self._said.note_sent(rank)

    def _give_snapshot(self, rank: int, _: bytes) -> None:
        if not self._ready:
            return
        content, known = self._capture()
        with self._changed:
            old, new = list(self._ledger.before(known)), self._lacking(known)
            dense, has_dense = self._dense[0], bool(self._dense[1])
        head = struct.pack(f"<q{self.workers}i", dense - has_dense, *known)
        frames = [
            SNAPSHOT + head + content,
            *(OLD_UPDATE + sealed for sealed in old),
            *(UPDATE + sealed for sealed in new),
        ]
        for frame in [*frames, *([self._dense_frame()] if has_dense else [])]:
            self.own += self._links.send(rank, frame)

    def _take_snapshot(self, _: int, packed: bytes) -> None:
        if self._is_informed:
            return
        head = struct.Struct(f"<q{self.workers}i")
        dense, *known = head.unpack_from(packed)
        self._begin_from(packed[head.size :], dense, known)
        for sender, sealed in self._early:
            self._take_update(sender, sealed)
        self._early.clear()
