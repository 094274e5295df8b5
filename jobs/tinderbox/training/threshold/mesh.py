"""Messages from worker to worker in mode threshold: each is passed on through the tree, and repeated where it got lost.

A thread of its own receives and passes on while the worker computes. Every second neighbours tell each other what they
know; who lacks something that was sent and does not arrive gets it again, as does one who has come anew.
"""

from __future__ import annotations

import secrets
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tinderbox.errors import TinderboxError
from tinderbox.training.exchange import PeerLost
from tinderbox.training.records import Assignment, Position
from tinderbox.training.threshold.coding import Message
from tinderbox.training.threshold.ledger import seal, unseal
from tinderbox.training.threshold.links import Links
from tinderbox.training.threshold.mailbox import Mailbox
from tinderbox.training.threshold.neighbours import Heard, Neighbours, unpack_heard

UPDATE, OLD_UPDATE, KNOWN, DENSE, ASK, SNAPSHOT = b"U", b"O", b"K", b"D", b"A", b"S"
"""What a frame is, by its first byte."""

_BEAT, _FIRST_BEAT = 1.0, 0.1
"""Seconds between two frames that say what is known: to a neighbour that was heard, and to others."""

_SILENT = 3.0
"""After so many seconds without a neighbour, or of waiting, the driver is asked for addresses."""

_AGAIN = 5.0
"""After so many seconds without an answer a worker that rejoins asks again."""

_LONELY = 60.0
"""A worker that rejoins gives up after so many seconds in which no neighbour had a state to give."""

_DENSE_HEAD = struct.Struct("<q")


class Mesh(Mailbox):
    """One worker's place in the tree.

    Training begins after step `start`. `capture` returns what a worker
    that rejoins goes on from: a snapshot, and the step of each rank that is in it; it is called in the mesh's thread.
    `locate` returns the newest addresses of all workers, from the driver, and raises when the attempt is over; so no
    wait is without an end. What is sent is counted in bytes: `own` and `passed_on`.
    """

    def __init__(
        self,
        assignment: Assignment,
        size: int,
        staleness: int,
        start: int,
        capture: Callable[[], tuple[bytes, list[int]]],
        locate: Callable[[], Sequence[str]],
    ) -> None:
        super().__init__(assignment.workers, staleness, start, ready=not assignment.rejoins)
        self.rank, self.own, self.passed_on = assignment.rank, 0, 0
        self._size, self._capture, self._locate = size, capture, locate
        self._addresses, self._process = tuple(assignment.addresses), secrets.randbits(64)
        self._early, self._asked, self._beats = list[tuple[int, bytes]](), 0.0, dict[int, float]()
        self._told, self._repeated = dict[int, int](), dict[int, int]()
        self._outgoing, self._closing = deque[Callable[[], None]](), threading.Event()
        self._links = Links(self.rank, assignment.addresses, assignment.attempt, assignment.secret)
        self._neighbours = Neighbours(self._links.neighbours)
        self._threads = [
            threading.Thread(target=self._guarded, args=(loop,), name=loop.__name__.strip("_"), daemon=True)
            for loop in (self._run, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    def send(self, message: Message, position: Position) -> None:
        """Send the message of this worker's own step to all others."""
        sealed = seal(message, position)
        with self._changed:
            self._ledger.accept(self.rank, message.step, sealed)
        self._post(lambda: self._spread(UPDATE + sealed))

    def send_dense(self, step: int, content: bytes) -> None:
        """Send what all workers take over after a step, in place of what they have."""
        self._keep_dense(step, content)
        self._post(lambda: self._spread(self._dense_frame()))

    def rejoin(self) -> bytes:
        """Return a neighbour's snapshot; what arrived meanwhile, and is newer, can be taken afterwards."""
        self._wait(lambda: bool(self._snapshot))
        return self._snapshot

    def catch_up(self) -> tuple[Position | None, int]:
        """Wait until this worker knows what each neighbour knew when it was first heard; return its own last step.

        None stands for the position of a worker that had not sent anything before it was lost.
        """
        self._wait(lambda: self._neighbours.has_told(self._dense[0], self._ledger.known))
        with self._changed:
            self._ready = True
            newest, last = self._ledger.newest(self.rank), self._ledger.known[self.rank]
        return (None if newest is None else unseal(newest, self._size)[1]), last

    def close(self) -> None:
        """End the threads and close all connections."""
        self._closing.set()
        self._links.wake()
        loop, watch = self._threads
        loop.join()
        watch.join(1.0)  # it may wait for the driver, and does nothing any more
        self._links.close()

    def _post(self, action: Callable[[], None]) -> None:
        self._outgoing.append(action)
        self._links.wake()

    # What follows runs in the threads.

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except TinderboxError as error:
            self._fail(error)
        except Exception as error:  # whatever it is, the worker must hear of it
            self._fail(TinderboxError(f"the exchange with other workers: {type(error).__name__}: {error}"))

    def _watch(self) -> None:
        """Ask the driver for addresses while someone is silent or waited for."""
        begun = time.monotonic()
        while not self._closing.wait(1.0):
            now = time.monotonic()
            if not self._ready and now - max(begun, self._neighbours.ready_at) > _LONELY:
                raise PeerLost(f"no other worker has had a state to go on from for {_LONELY:g} s")
            if self._waited() > _SILENT or any(
                now - self._neighbours.last(rank) > _SILENT for rank in self._neighbours.ranks
            ):
                addresses = tuple(self._locate())
                if addresses != self._addresses:
                    self._addresses = addresses
                    self._post(lambda: self._links.redirect(self._addresses))

    def _run(self) -> None:
        takers: dict[bytes, Callable[[int, bytes], None]] = {
            UPDATE: self._take_update,
            OLD_UPDATE: self._take_old,
            KNOWN: self._take_known,
            DENSE: self._take_dense,
            ASK: self._give_snapshot,
            SNAPSHOT: self._take_snapshot,
        }
        while not self._closing.is_set():
            for rank, frame in self._links.receive(_FIRST_BEAT):
                if frame[:1] not in takers:
                    raise TinderboxError(f"rank {rank} sent {frame[:1]!r}, which is no message; run one version only")
                takers[frame[:1]](rank, frame[1:])
            while self._outgoing:
                self._outgoing.popleft()()
            self._beat()

    def _beat(self) -> None:
        now = time.monotonic()
        for rank in self._neighbours.ranks:
            gap = _BEAT if now - self._neighbours.last(rank) < _SILENT else _FIRST_BEAT
            if now - self._beats.get(rank, 0.0) >= gap:
                self._tell(rank)

    def _tell(self, rank: int) -> None:
        self._beats[rank] = time.monotonic()
        self._told[rank] = number = self._told.get(rank, 0) + 1
        echo = self._neighbours.number(rank)
        with self._changed:
            known = tuple(self._ledger.known)
            told = Heard(self._process, self._is_informed, self._dense[0], known, number=number, echo=echo)
        self.own += self._links.send(rank, KNOWN + told.pack())

    def _spread(self, frame: bytes, sender: int | None = None) -> None:
        for rank in self._neighbours.ranks:
            if rank != sender:
                sent = self._links.send(rank, frame)
                if frame[:1] == DENSE:
                    self._repeated[rank] = self._told.get(rank, 0)
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
        if not heard.ready or heard.echo <= self._repeated.get(rank, -1):
            return
        if self._ready:
            self._repeat(rank)
        elif not self._is_informed and time.monotonic() - self._asked > _AGAIN:
            self._asked, self._repeated[rank] = time.monotonic(), self._told.get(rank, 0)
            self.own += self._links.send(rank, ASK)

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
        if frames:  # and not again before the neighbour has heard what is said after them
            self._repeated[rank] = self._told.get(rank, 0)

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
