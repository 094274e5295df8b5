"""The record of a training: events as lines, and what they add up to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tinderbox.errors import TinderboxError
from tinderbox.training.history import rebuild
from tinderbox.training.record import (
    AttemptBegan,
    AttemptEnded,
    CheckpointKept,
    EpochEnded,
    Event,
    Member,
    RunBegan,
    RunEnded,
    WorkerReplaced,
    decode,
    encode,
)
from tinderbox.training.records import Position, Resume

MEMBERS = [Member(rank=0, name="agent-0", node="a"), Member(rank=1, name="agent-1", node="b", host="pod-1")]


def began(generation: int = 1, time: float = 1.0) -> RunBegan:
    """Return that a driver takes over."""
    return RunBegan(time=time, generation=generation, workers=2, epochs=3)


def attempt(number: int, epoch: int = 0, examples: int = 0, step: int = 0) -> AttemptBegan:
    """Return that an attempt begins."""
    return AttemptBegan(time=2.0, attempt=number, members=MEMBERS, epoch=epoch, examples=examples, step=step)


def ended(number: int, epoch: int, loss: float = 0.5) -> EpochEnded:
    """Return that an epoch of ten steps has ended."""
    return EpochEnded(
        time=3.0 + epoch, attempt=number, epoch=epoch, step=10 * epoch, examples=100, seconds=2.0, workers=2,
        metrics={"loss": loss},
    )  # fmt: skip


def kept(number: int, epoch: int, examples: int = 0, step: int = 0) -> CheckpointKept:
    """Return that a checkpoint is safe."""
    return CheckpointKept(
        time=4.0, attempt=number, epoch=epoch, examples=examples, step=step, parts={0: "ab", 1: "cd"}, size=10
    )


EVENTS: list[Event] = [
    began(),
    attempt(1),
    WorkerReplaced(time=2.5, attempt=1, member=Member(rank=1, name="agent-2", node="c"), cause="killed"),
    ended(1, 1),
    kept(1, 1, step=10),
    ended(1, 2, math.nan),
    AttemptEnded(time=7.0, attempt=1, outcome="killed", cause="why", member=MEMBERS[1]),
    RunEnded(time=9.0, epoch=3, early=True),
]


@pytest.mark.parametrize("place", range(len(EVENTS)))
def test_events_are_lines(place: int) -> None:
    """One line each, which gives the event back."""
    event = EVENTS[place]
    line = encode(event)
    assert line.count(b"\n") == 1
    assert b"NaN" not in line.replace(b'"NaN"', b"")
    assert repr(decode(line)) == repr(event)  # NaN is unlike itself


def add_up(*events: Event) -> Any:
    """Return the run that some events add up to."""
    return rebuild([b"".join(map(encode, events))])


def test_an_epoch_that_is_done_again_stands_in_the_history_once() -> None:
    """The next attempt goes on from a checkpoint, and what came after that is told anew."""
    lost = AttemptEnded(time=7.0, attempt=1, outcome="lost")
    run = add_up(began(), attempt(1), ended(1, 1), kept(1, 1, step=10), ended(1, 2), ended(1, 3), lost)
    assert [row.epoch for row in run.history] == [1, 2, 3]
    run.apply(attempt(2, epoch=1, step=10))
    assert [row.epoch for row in run.history] == [1]
    run.apply(ended(2, 2, 0.25))
    assert [(row.epoch, row.attempt) for row in run.history] == [(1, 1), (2, 2)]
    assert list(run.checkpoints) == [10]
    assert run.running is run.attempts[1]
    assert [attempt.progress for attempt in run.attempts] == [4, 1]
    assert [attempt.last.epoch for attempt in run.attempts] == [3, 2]


def test_an_attempt_of_a_driver_that_was_killed_has_ended() -> None:
    """The driver after it says so, with the time of the last sign of life."""
    run = add_up(began(), attempt(1), ended(1, 1), began(2, 99.0))
    assert run.running is None
    assert run.attempts[0].ended is not None
    assert (run.attempts[0].ended.outcome, run.attempts[0].ended.time) == ("superseded", 4.0)
    assert (run.generation, run.started, run.resumed) == (2, 1.0, 99.0)


def test_a_worker_is_replaced() -> None:
    """Its rank is another's, and the record knows both."""
    run = add_up(*EVENTS[:3])
    assert [member.name for member in run.attempts[0].members.values()] == ["agent-0", "agent-2"]
    assert [replaced.cause for replaced in run.attempts[0].replaced] == ["killed"]


def test_a_run_that_has_ended_goes_on() -> None:
    """With more epochs, say: the next driver begins, and it has not ended any more."""
    run = add_up(*EVENTS)
    assert run.ended == EVENTS[-1]
    run.apply(began(2))
    assert run.ended is None


def test_a_checkpoint_is_what_an_attempt_goes_on_from() -> None:
    """Its position and its digests."""
    assert kept(1, 2, 30, 25).resume == Resume(Position(2, 30, 25), {0: "ab", 1: "cd"})


def test_a_row_has_metrics_beside_the_rest() -> None:
    """As a table would."""
    row = ended(1, 2).row
    assert (row["epoch"], row["step"], row["loss"], row["attempt"]) == (2, 20, 0.5, 1)


def test_a_torn_last_line_is_dropped() -> None:
    """It was never acknowledged."""
    whole = encode(began()) + encode(attempt(1))
    assert rebuild([whole[:-5]]).attempts == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (b'{"type": "nonsense"}\n', "line 1 of segment 1 is no event"),
        (encode(ended(1, 1)), "line 1 of segment 1 does not"),
    ],
)
def test_a_damaged_record_is_told(lines: bytes, said: str) -> None:
    """What is no event, and what tells of an attempt that was never begun."""
    with pytest.raises(TinderboxError, match=said):
        rebuild([lines])
