"""A worker's place in the tree of mode threshold: a thread of its own receives and passes on while it computes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tinderbox.errors import TinderboxError
from tinderbox.training.exchange import PeerLost
from tinderbox.training.records import Assignment, Position
from tinderbox.training.threshold.coding import Message
from tinderbox.training.threshold.ledger import seal, unseal
from tinderbox.training.threshold.relay import UPDATE, Relay

_LONELY = 60.0
"""A worker that rejoins gives up after so many seconds in which no neighbour had a state to give."""

_SLOWEST = 1e6
"""Bytes a second of a snapshot on its way: a neighbour's words wait behind it, and nothing is heard meanwhile."""


class Mesh(Relay):
    """What a worker sends to all others, and waits for.

    Training begins after step `start`, with `size` parameters. `capture` returns what a worker that rejoins goes on
    from: a snapshot, and the step of each rank that is in it; it is called in the mesh's thread. `locate` returns the
    newest addresses of all workers, from the driver, and raises when the attempt is over; so no wait is without an end.
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
        super().__init__(assignment, size, staleness, start, capture)
        self._locate, self._addresses = locate, tuple(assignment.addresses)
        self._outgoing, self._closing = deque[Callable[[], None]](), threading.Event()
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
        begun, longest = time.monotonic(), _LONELY + 3 * 4 * self._size / _SLOWEST  # an optimizer may have two of each
        while not self._closing.wait(1.0):
            if not self._ready and time.monotonic() - max(begun, self._neighbours.ready_at) > longest:
                raise PeerLost(f"no other worker has had a state to go on from for {longest:.0f} s")
            if self._misses_somebody():
                addresses = tuple(self._locate())
                if addresses != self._addresses:
                    self._addresses = addresses
                    self._post(lambda: self._links.redirect(self._addresses))

    def _run(self) -> None:
        while not self._closing.is_set():
            self._receive()
            while self._outgoing:
                self._outgoing.popleft()()
            self._beat()
