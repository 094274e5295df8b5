"""What is not the same in two trees, and in two histories."""

from __future__ import annotations

import math
from typing import Any

from tinderbox.api.differences import Change, Course, changes, compare_histories
from tinderbox.training.record import EpochEnded


def history(name: str, *values: float, seconds: float = 2.0) -> list[EpochEnded]:
    """Return epochs with these values of a metric."""
    told: dict[str, Any] = {"time": 0.0, "attempt": 1, "examples": 10, "workers": 1, "seconds": seconds}
    return [
        EpochEnded(epoch=epoch, step=epoch, metrics={name: value}, **told)
        for epoch, value in enumerate(values, start=1)
    ]


def test_keys_that_differ_are_told_with_dots() -> None:
    """Values in lists are one value; what one run has not is None, and some keys are left out."""
    first = {"name": "a", "batch": {"size": 64, "per": "worker"}, "preload": ["keras"], "mode": {"name": "averaging"}}
    second = {"name": "b", "batch": {"size": 32, "per": "worker"}, "preload": ["a", "b"], "mode": {}, "code": "src"}
    assert changes(first, second, ["name"]) == (
        Change("batch.size", 64, 32),
        Change("preload", ["keras"], ["a", "b"]),
        Change("mode.name", "averaging", None),
        Change("mode", None, {}),
        Change("code", None, "src"),
    )
    assert changes(first, first) == ()


def test_epochs_and_seconds_until_both_were_as_good() -> None:
    """The worse of both best values is what both reached; more of Top 1 is better."""
    (found,) = compare_histories(history("val_top1", 0.5, 0.9, 0.8), history("val_top1", 0.95, 0.7, seconds=5.0))
    assert (found.first, found.second) == (Course(0.9, 2, 0.8), Course(0.95, 1, 0.7))
    assert found.goal == 0.9
    assert found.epochs is not None
    assert found.seconds is not None
    assert (found.epochs.first, found.epochs.second) == (2, 1)
    assert (found.seconds.first, found.seconds.second, found.seconds.difference) == (4.0, 5.0, 1.0)


def test_less_of_a_loss_is_better() -> None:
    """And what is not finite is never good, but is told where it is the last."""
    (found,) = compare_histories(history("loss", 3.0, 1.0, math.nan), history("loss", math.inf, 2.0))
    assert found.goal == 2.0
    assert found.first is not None
    assert (found.first.best, math.isnan(found.first.last)) == (1.0, True)
    assert found.epochs is not None
    assert (found.epochs.first, found.epochs.second) == (2, 2)


def test_metrics_of_one_training_only() -> None:
    """Have nothing to reach; those of validation come after those of training."""
    found = compare_histories(history("val_mae", 3.0), history("loss", math.nan))
    assert [(metric.name, metric.first, metric.second, metric.goal) for metric in found] == [
        ("loss", None, None, None),
        ("val_mae", Course(3.0, 1, 3.0), None, None),
    ]
    assert compare_histories([], []) == ()
