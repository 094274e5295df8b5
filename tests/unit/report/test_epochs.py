"""What the history of a training says."""

from __future__ import annotations

import math

import pytest

from tests.unit.report.trainings import STEPS, Story, make_train_job, regressed
from tinderbox.report.epochs import aim, best, best_by_job, breaks, full_title, metrics, steps, title, values


def learnt(*losses: float, name: str = "val_loss") -> Story:
    """Return a training with these values of a metric."""
    story = Story()
    story.begin("node-a", "node-b")
    story.learn(1, len(losses), lambda epoch: {"loss": 9.0, name: losses[epoch - 1]})
    return story


def test_metrics_have_an_order_and_titles() -> None:
    """Those of validation are called as those of training; unknown ones keep their names and come last."""
    story = Story()
    story.begin("node-a")
    story.learn(1, 1, lambda _: {"auc": 0.5, "val_mae": 1.0, "loss": 2.0, "mae": 1.0})
    assert metrics(story.training.history) == ["loss", "mae", "auc"]
    assert [title(name) for name in ("val_mae", "top1", "auc")] == ["Mean absolute error", "Top 1", "auc"]
    assert (full_title("val_top5"), full_title("loss")) == ("validation top 5", "training loss")


def test_what_is_not_finite_has_no_value() -> None:
    """Nor has an epoch without the metric."""
    history = learnt(1.0, math.nan, math.inf, 2.0).training.history
    assert values(history, "val_loss") == [1.0, None, None, 2.0]
    assert values(history, "top1") == [None] * 4


@pytest.mark.parametrize(
    ("name", "stopping", "expected"),
    [
        ("val_top1", None, ("val_top1", -1)),
        ("top1", None, ("top1", -1)),
        ("val_loss", None, ("val_loss", 1)),
        ("mae", None, ("loss", 1)),
        ("val_top1", {"metric": "val_loss"}, ("val_loss", 1)),
        ("val_loss", {"metric": "val_top5"}, ("val_top5", -1)),
    ],
)
def test_what_is_best_is_what_the_job_stops_by(
    name: str, stopping: dict[str, str] | None, expected: tuple[str, int]
) -> None:
    """Without it Top 1 before loss, validation before training."""
    by = aim(make_train_job(early_stopping=stopping), learnt(0.5, name=name).training.history)
    assert (by.metric, by.sign) == expected


def test_the_first_of_the_best_epochs_is_taken() -> None:
    """Values that are not finite are no values."""
    story = learnt(3.0, 1.0, math.nan, 1.0, 2.0)
    history = story.training.history
    found = best(history, aim(make_train_job(), history))
    assert found is not None
    assert found.epoch == 2
    lost = learnt(math.nan, math.inf).training.history
    assert best(lost, aim(make_train_job(), lost)) is None


def test_the_best_epoch_is_the_one_that_the_model_is_of() -> None:
    """Where a job stops early, an epoch is only better by more than the least difference."""
    history = learnt(3.0, 2.0, 1.9, math.nan).training.history
    for stopping, epoch in ((None, 3), ({"min_delta": 0.5}, 2), ({"metric": "top1"}, None)):
        row = best_by_job(history, make_train_job(early_stopping=stopping))
        assert (None if row is None else row.epoch) == epoch
    late = learnt(math.nan, 2.0).training.history
    row = best_by_job(late, make_train_job(early_stopping={}))
    assert row is not None
    assert row.epoch == 2


def test_steps_are_those_of_the_last_attempt() -> None:
    """One that begins inside an epoch makes the rest of it; epochs with other batches have other numbers of steps."""
    story = Story()
    story.begin("node-a", "node-b")
    story.learn(1, 2)
    story.end("lost")
    story.begin("node-a", epoch=2, examples=12_800)
    story.learn(3, 4, regressed)
    assert list(steps(story.training)) == [STEPS, STEPS, STEPS - 100, STEPS]


def test_an_attempt_breaks_off_after_the_last_epoch_that_it_ended() -> None:
    """Though the next one begins before that; the one that completes the training does not break off."""
    story = Story()
    story.begin("node-a", "node-b")
    story.learn(1, 5)
    story.end("killed", "by a signal")
    story.begin("node-a", epoch=3)
    story.end("frozen", "silent")
    story.begin("node-a", epoch=3)
    story.learn(4, 6)
    assert [(one.outcome, one.cause, one.place) for one in breaks(story.training)] == [
        ("killed", "by a signal", 5.5),
        ("frozen", "silent", 3.5),
    ]
    story.end("complete")
    assert len(breaks(story.training)) == 2
