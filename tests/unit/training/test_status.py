"""A training at a glance."""

from __future__ import annotations

import math

from tinderbox.training.history import Training
from tinderbox.training.record import AttemptBegan, AttemptEnded, CheckpointKept, EpochEnded, Member, RunBegan, RunEnded
from tinderbox.training.status import take_status


def begin() -> Training:
    """Return a run of ten epochs whose first attempt has begun."""
    training = Training()
    training.apply(RunBegan(time=100.0, generation=1, workers=2, epochs=10))
    training.apply(AttemptBegan(time=101.0, attempt=1, members=[Member(rank=0, name="a", node="n")]))
    return training


def test_before_the_first_epoch() -> None:
    """Nothing is known of metrics and of the time left."""
    status = take_status(begin(), 110.0, workers=1, step=3, share=0.5, rate=20.0)
    assert (status.epoch, status.epochs, status.share, status.step) == (0, 10, 0.5, 3)
    assert (status.workers, status.wanted, status.attempt, status.rate) == (1, 2, 1, 20.0)
    assert (status.metrics, status.seconds, status.seconds_left, status.over) == ({}, 10.0, None, False)


def test_after_an_epoch() -> None:
    """Its metrics, and an estimate from the seconds that epochs took; what is no number is None."""
    training = begin()
    metrics = {"loss": 0.5, "val_loss": math.nan}
    training.apply(
        EpochEnded(time=120.0, attempt=1, epoch=1, step=9, examples=90, seconds=4.0, workers=2, metrics=metrics)
    )
    status = take_status(training, 121.0, share=0.5)
    assert (status.epoch, status.ended, status.step) == (1, 1, 9)
    assert (status.metrics, status.seconds_left) == ({"loss": 0.5, "val_loss": None}, 34.0)
    training.apply(AttemptEnded(time=122.0, attempt=1, outcome="lost", cause="why"))
    assert take_status(training, 122.0).cause == "why"


def test_a_checkpoint_is_never_ahead() -> None:
    """Its step is told at once, and the worker's own a little later; the next attempt begins at it."""
    training = begin()
    training.apply(CheckpointKept(time=120.0, attempt=1, epoch=0, examples=80, step=8, parts={0: "a"}, size=1))
    assert take_status(training, 121.0, step=5).step == 8
    assert take_status(training, 122.0, step=11).step == 11
    training.apply(AttemptEnded(time=123.0, attempt=1, outcome="lost", cause="why"))
    assert take_status(training, 124.0).step == 8
    members = [Member(rank=0, name="a", node="n")]
    training.apply(AttemptBegan(time=125.0, attempt=2, members=members, epoch=0, examples=40, step=4))
    assert take_status(training, 126.0, step=4).step == 4


def test_the_time_between_two_drivers_is_nobodys() -> None:
    """A training that was left alone for a day was not worked on for that day."""
    training = begin()
    training.apply(AttemptEnded(time=130.0, attempt=1, outcome="released"))
    training.apply(RunBegan(time=90_000.0, generation=2, workers=2, epochs=10))
    assert take_status(training, 90_005.0).seconds == 35.0
    training.apply(RunEnded(time=90_010.0, epoch=10))
    assert take_status(training, 99_999.0).seconds == 40.0


def test_at_the_end() -> None:
    """Time stands still."""
    training = begin()
    training.apply(RunEnded(time=130.0, epoch=10))
    status = take_status(training, 500.0)
    assert (status.over, status.seconds, status.seconds_left) == (True, 30.0, None)
