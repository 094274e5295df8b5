"""What a worker and its thread for messages share in mode threshold: what has arrived, and what to wait for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tinderbox.errors import TinderboxError
from tinderbox.training.exchange import PeerLost
from tinderbox.training.threshold.coding import Message
from tinderbox.training.threshold.ledger import Ledger


class Mailbox:
    """All workers' messages as they come, and the state of rank 0 that all take over now and then.

    What the worker calls waits, and raises a TinderboxError once the attempt is over. `ready` says whether there is a
    state to give to others; a worker that rejoins has none at first.
    """

    def __init__(self, workers: int, staleness: int, start: int, ready: bool) -> None:
        self.workers = workers
        self._changed = threading.Condition()
        self._staleness, self._ready = staleness, ready
        self._ledger = Ledger([start] * workers, staleness)
        self._arrived = deque[Message]()
        self._dense, self._dense_at = (start - 1, b""), 0.0
        self._snapshot = b""
        self._errors: list[TinderboxError] = []
        self._waits = 0.0

    def take(self, last: int | None = None) -> list[Message]:
        """Return what has arrived of others and was not taken yet, of steps up to `last`, in the order of arrival."""
        with self._changed:
            taken = [message for message in self._arrived if last is None or message.step <= last]
            self._arrived = deque(message for message in self._arrived if last is not None and message.step > last)
        return taken

    def wait_for(self, step: int) -> None:
        """Wait until all workers are known to have done a step."""
        self._wait(lambda: self._ledger.slowest >= step)

    def wait_dense(self, step: int) -> bytes:
        """Wait for what all workers take over after a step, and return it."""
        self._wait(lambda: self._dense[0] >= step)
        return self._dense[1]

    @property
    def dense_step(self) -> int:
        """The step after which all workers took over one state last."""
        return self._dense[0]

    def _wait(self, done: Callable[[], bool]) -> None:
        with self._changed:
            self._waits = time.monotonic()
            while not self._errors and not done():
                self._changed.wait(1.0)
            if self._errors:
                raise self._errors[0]
            self._waits = 0.0

    # What follows is for the thread.

    def _fail(self, error: TinderboxError) -> None:
        with self._changed:
            self._errors.append(error)
            self._changed.notify_all()

    @property
    def _is_informed(self) -> bool:
        """Whether it is known what this worker has."""
        return self._ready or bool(self._snapshot)

    def _waited(self) -> float:
        """Return for how long the worker has been waiting."""
        waits = self._waits
        return time.monotonic() - waits if waits else 0.0

    def _accept(self, message: Message, sealed: bytes) -> bool:
        """Take in another worker's message; false where it is known, or comes before an earlier one."""
        with self._changed:
            new = self._ledger.accept(message.rank, message.step, sealed)
            if new:
                self._arrived.append(message)
                self._changed.notify_all()
        return new

    def _keep_dense(self, step: int, content: bytes) -> bool:
        """Keep what all take over; false where it, or a later one, is here."""
        with self._changed:
            if step <= self._dense[0]:
                return False
            self._dense, self._dense_at = (step, content), time.monotonic()
            self._changed.notify_all()
        return True

    def _begin_from(self, snapshot: bytes, dense: int, known: Sequence[int]) -> None:
        """Begin with a neighbour's snapshot, in which there are the messages that are known."""
        with self._changed:
            self._ledger, self._snapshot = Ledger(known, self._staleness), snapshot
            self._dense = max(self._dense, (dense, b""))
            self._changed.notify_all()

    def _lacking(self, known: Sequence[int]) -> list[bytes]:
        try:
            return list(self._ledger.after(known))
        except LookupError as error:
            raise PeerLost(f"a worker that was lost cannot be told all that it has missed: {error}") from error
