"""What is known of all workers, and how long their messages are kept."""

from __future__ import annotations

import random

import pytest

from tinderbox.training.records import Position
from tinderbox.training.threshold.coding import EMPTY, Message
from tinderbox.training.threshold.ledger import Ledger, seal, unseal


def sealed(rank: int, step: int) -> bytes:
    """Return some bytes that tell rank and step."""
    return f"{rank}:{step}".encode()


def test_a_sealed_message_has_its_position() -> None:
    """Epoch and examples travel with it; what is too short is refused."""
    message = Message(EMPTY, 2, 41, 10, 0.5)
    assert unseal(seal(message, Position(3, 128, 41)), 10) == (message, Position(3, 128, 41))
    with pytest.raises(ValueError, match="at least 12 bytes"):
        unseal(b"short", 10)


def test_messages_of_a_worker_are_taken_once_and_in_order() -> None:
    """A repeated one and one after a gap are not taken; the slowest is what all have done."""
    ledger = Ledger([4, 4], staleness=3)
    assert not ledger.accept(1, 6, sealed(1, 6))
    assert [ledger.accept(1, step, sealed(1, step)) for step in (5, 5, 4, 6)] == [True, False, False, True]
    assert ledger.known == [4, 6]
    assert ledger.slowest == 4
    assert ledger.newest(1) == sealed(1, 6)
    assert ledger.newest(0) is None


def test_who_lacks_messages_gets_them_in_order() -> None:
    """Those after what it knows, of each rank; the others are there for one who begins with a snapshot."""
    ledger = Ledger([0, 0], staleness=5)
    for step in (1, 2, 3):
        ledger.accept(0, step, sealed(0, step))
    ledger.accept(1, 1, sealed(1, 1))
    assert list(ledger.after([1, 0])) == [sealed(0, 2), sealed(0, 3), sealed(1, 1)]
    assert list(ledger.before([1, 0])) == [sealed(0, 1)]
    assert list(ledger.after([9, 9])) == []
    anew = Ledger([1, 0], staleness=5)
    anew.keep(0, 1, sealed(0, 1))
    anew.keep(0, 2, sealed(0, 2))  # newer than it knows: it must be accepted, not kept
    assert anew.newest(0) == sealed(0, 1)
    with pytest.raises(LookupError, match="step 1 of rank 1"):
        next(Ledger([0, 3], staleness=1).after([0, 0]))


def test_what_nobody_can_lack_goes() -> None:
    """In lock step as many messages of each rank stay as one may be ahead."""
    ledger = Ledger([0] * 3, staleness=4)
    for step in range(1, 101):
        for rank in range(3):
            ledger.accept(rank, step, sealed(rank, step))
    assert len(list(ledger.before([100] * 3))) == 3 * 4


@pytest.mark.parametrize("seed", range(20))
def test_nobody_lacks_what_is_gone(seed: int) -> None:
    """However messages are delayed: what a worker lacks, every other one that has had it still keeps."""
    draw, workers, staleness = random.Random(seed), 4, 3  # noqa: S311 - a simulation
    ledgers = [Ledger([0] * workers, staleness) for _ in range(workers)]
    paths: dict[tuple[int, int], list[tuple[int, int]]] = {(a, b): [] for a in range(workers) for b in range(workers)}
    for _ in range(1_500):
        rank, other = draw.randrange(workers), draw.randrange(workers)
        ledger = ledgers[rank]
        step = ledger.known[rank] + 1
        if draw.random() < 0.4 and ledger.slowest >= step - staleness:
            ledger.accept(rank, step, sealed(rank, step))
            for receiver in range(workers):
                paths[rank, receiver].append((rank, step))
        elif rank != other and paths[other, rank]:
            sender, step = paths[other, rank].pop(0)
            ledger.accept(sender, step, sealed(sender, step))
        assert list(ledger.after(ledgers[other].known)) is not None
    assert min(ledger.slowest for ledger in ledgers) > 20
