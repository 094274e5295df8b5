"""Who has said what in mode threshold: each worker's messages in order, kept for as long as anyone may lack them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from tinderbox.training.records import Position
from tinderbox.training.threshold.coding import Message, unpack

_PLACE = struct.Struct("<iq")
"""Epoch and examples of the position after a message's step."""


def seal(message: Message, position: Position) -> bytes:
    """Return a message with the position after its step, as it travels."""
    return _PLACE.pack(position.epoch, position.examples) + message.pack()


def unseal(sealed: bytes, size: int) -> tuple[Message, Position]:
    """Return what `seal` was given.

    Raises:
        ValueError: It is no message for `size` parameters.
    """
    if len(sealed) < _PLACE.size:
        raise ValueError(f"a message has at least {_PLACE.size} bytes before it, got {len(sealed)}")
    epoch, examples = _PLACE.unpack_from(sealed)
    message = unpack(sealed[_PLACE.size :], size)
    return message, Position(epoch, examples, message.step)


class Ledger:
    """What is known of all workers: `known[r]` is the step of rank r whose message came last, those before it included.

    A message is kept until nobody can lack it any more. A worker does not begin step s before it has all messages up
    to s - staleness, so its message of step s says that it has these; what every worker has said it has, goes.
    """

    def __init__(self, known: Sequence[int], staleness: int) -> None:
        self.known = list(known)
        self._staleness = staleness
        self._kept: list[dict[int, bytes]] = [{} for _ in known]

    @property
    def slowest(self) -> int:
        """The step that all workers are known to have done."""
        return min(self.known)

    def accept(self, rank: int, step: int, sealed: bytes) -> bool:
        """Note a worker's next message; false for one that is known already, or that comes before another of it."""
        if step != self.known[rank] + 1:
            return False
        self.known[rank] = step
        self._kept[rank][step] = sealed
        self._forget()
        return True

    def keep(self, rank: int, step: int, sealed: bytes) -> None:
        """Keep an older message, which is contained in what this worker has begun with, for others."""
        if step <= self.known[rank]:
            self._kept[rank].setdefault(step, sealed)

    def newest(self, rank: int) -> bytes | None:
        """Return the last message of a worker, None where it has sent none since training began here."""
        return self._kept[rank].get(self.known[rank])

    def after(self, known: Sequence[int]) -> Iterator[bytes]:
        """Iterate over the messages that someone lacks who knows so much, each worker's in order.

        Raises:
            LookupError: One of them is not kept any more.
        """
        for rank, last in enumerate(known):
            for step in range(last + 1, self.known[rank] + 1):
                if step not in self._kept[rank]:
                    raise LookupError(f"the message of step {step} of rank {rank} is not kept any more")
                yield self._kept[rank][step]

    def before(self, known: Sequence[int]) -> Iterator[bytes]:
        """Iterate over the kept messages that someone has who knows so much, each worker's in order."""
        for rank, last in enumerate(known):
            kept = self._kept[rank]
            yield from (kept[step] for step in sorted(kept) if step <= last)

    def _forget(self) -> None:
        oldest = self.slowest - self._staleness + 1
        for rank, kept in enumerate(self._kept):
            for step in [step for step in kept if step < oldest and step != self.known[rank]]:
                del kept[step]
