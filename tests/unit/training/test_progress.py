"""What epochs add up to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tinderbox.config import check_train
from tinderbox.errors import BadInput
from tinderbox.training.progress import best_epoch, find_divergence, is_over, judge, merge
from tinderbox.training.record import EpochEnded
from tinderbox.training.records import Counts, EpochReport, Position, Resume, Sums, Verdict


def job(**changes: Any) -> Any:
    """Return a training of five epochs."""
    return check_train({"kind": "train", "name": "small", "model": "lenet5", "epochs": 5} | changes, "test")


def history(*losses: float, metric: str = "val_loss") -> list[EpochEnded]:
    """Return a history of these values."""
    always = {"time": 0.0, "attempt": 1, "examples": 1, "seconds": 1.0, "workers": 1}
    rows = enumerate(losses, start=1)
    return [EpochEnded(epoch=epoch, step=epoch, metrics={metric: loss}, **always) for epoch, loss in rows]


def report(rank: int, examples: int, loss: float, validation: int, counts: Counts, step: int = 7) -> EpochReport:
    """Return one worker's report, with the mean loss of so many examples."""
    train, tested = Sums(examples, {"loss": loss * examples}), Sums(validation, {"loss": validation * 2 * loss})
    return EpochReport(rank, 1, train, tested, counts, step)


def test_metrics_are_means_over_all_examples() -> None:
    """Weighted by examples, not by workers; what was sent adds up, and the slowest says how long it took."""
    counts = [Counts(5, 30, 2.0, 0.5, 100, 1000), Counts(5, 10, 3.0, 0.25, 50, 1000)]
    merged = merge([report(0, 30, 1.0, 4, counts[0]), report(1, 10, 2.0, 12, counts[1], 8)])
    assert merged.metrics == {"loss": (30 + 20) / 40, "val_loss": (4 * 2 + 12 * 4) / 16}
    assert (merged.step, merged.examples, merged.seconds, merged.workers) == (8, 40, 3.0, 2)
    assert (merged.sent, merged.dense, merged.sync_seconds) == (150, 2000, 0.5)
    event = merged.ended(attempt=2, epoch=1, time=9.0)
    assert (event.attempt, event.epoch, event.metrics) == (2, 1, merged.metrics)


def test_a_worker_without_validation_examples_counts_for_nothing() -> None:
    """And none at all give no metric."""
    merged = merge([report(0, 3, 1.0, 0, Counts())])
    assert merged.metrics == {"loss": 1.0}


def test_without_early_stopping_the_last_epoch_is_the_result() -> None:
    """And training ends with the last one that the job wants."""
    assert judge(history(3, 1, 2), job(), lambda epoch: None) == Verdict()
    assert judge(history(5, 4, 3, 1, 2), job(), lambda epoch: None) == Verdict(stop=True)
    assert best_epoch(history(3, 1, 2), job()) == 3
    assert (best_epoch([], job()), is_over([], job())) == (None, False)


def test_early_stopping_ends_and_goes_back_to_the_best() -> None:
    """After `patience` epochs that are not better; each best one is saved."""
    stopping, kept = job(early_stopping={"patience": 2}), Resume(Position(2, 0, 20), {0: "ab"})
    assert judge(history(3), stopping, lambda epoch: None) == Verdict(save=True)
    assert judge(history(3, 1), stopping, lambda epoch: None) == Verdict(save=True)
    assert judge(history(3, 1, 2), stopping, lambda epoch: None) == Verdict()
    asked: list[int] = []
    assert judge(history(3, 1, 2, 1), stopping, lambda epoch: asked.append(epoch) or kept) == Verdict(True, False, kept)
    assert asked == [2]
    assert is_over(history(3, 1, 2, 1), stopping)


def test_the_best_is_the_result_of_a_training_that_does_not_stop_early() -> None:
    """The last epoch is worse than the one before."""
    kept = Resume(Position(4, 0, 40))
    assert judge(history(5, 4, 3, 1, 2), job(early_stopping={}), lambda epoch: kept) == Verdict(True, False, kept)
    assert judge(history(5, 4, 3, 2, 1), job(early_stopping={}), lambda epoch: kept) == Verdict(True, True, None)


def test_a_best_epoch_that_is_gone_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A model of another epoch is better than none, but not in silence; where it is not asked for, nothing is said."""
    stopping = job(early_stopping={"patience": 2})
    assert judge(history(3, 1, 2), stopping, lambda epoch: None) == Verdict()
    assert not caplog.messages
    assert judge(history(3, 1, 2, 1), stopping, lambda epoch: None) == Verdict(stop=True)
    (told,) = caplog.messages
    assert told.startswith("the checkpoint of epoch 2, the best one, is gone or damaged")


def test_little_is_not_better() -> None:
    """By `min_delta`, as in Keras; an accuracy is to be high."""
    stopping = job(early_stopping={"metric": "val_top1", "min_delta": 0.1, "patience": 2})
    assert best_epoch(history(0.5, 0.55, 0.65, metric="val_top1"), stopping) == 3
    assert best_epoch(history(0.5, 0.55, 0.59, metric="val_top1"), stopping) == 1
    assert is_over(history(0.5, 0.55, 0.59, metric="val_top1"), stopping)


def test_a_metric_that_is_not_there_is_told() -> None:
    """With those that are."""
    with pytest.raises(BadInput, match="metric must be one of loss, got 'val_loss'"):
        judge(history(1.0, metric="loss"), job(early_stopping={}), lambda epoch: None)


def test_what_is_no_number_is_told() -> None:
    """NaN and infinity."""
    assert find_divergence({"loss": 1.0, "top1": 0.0}) is None
    assert "loss is nan" in str(find_divergence({"loss": math.nan}))
    assert "val_loss is inf" in str(find_divergence({"loss": 1.0, "val_loss": math.inf}))


def test_a_first_epoch_that_is_no_number_is_not_the_best_for_ever() -> None:
    """Any number is better; where none comes, the first epoch stays, and patience ends."""
    stopping = job(early_stopping={"patience": 3})
    assert best_epoch(history(math.nan, 3, math.nan, 2), stopping) == 4
    assert best_epoch(history(math.nan, math.nan), stopping) == 1
    assert is_over(history(*[math.nan] * 4), stopping)


def test_no_worker_spends_more_in_exchange_than_in_all() -> None:
    """Though two clocks tell of it, and though not the same worker may have the most of each."""
    merged = merge([report(0, 3, 1.0, 0, Counts(1, 3, 2.0, 2.5)), report(1, 3, 1.0, 0, Counts(1, 3, 1.5, 0.5))])
    assert (merged.seconds, merged.sync_seconds) == (2.0, 2.0)


def test_counts_add_up() -> None:
    """Each by itself, and back again."""
    first, second = Counts(1, 2, 3.0, 4.0, 5, 6), Counts(10, 20, 30.0, 40.0, 50, 60)
    assert first + second == Counts(11, 22, 33.0, 44.0, 55, 66)
    assert first + second - first == second
