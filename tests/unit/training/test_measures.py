"""What Prometheus is told of a training: where it stands, what it was worth so far, and what a loss would cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tinderbox.config import TrainJob, check_train
from tinderbox.training.measures import Standing, checkpoint_interval, measure_training
from tinderbox.training.records import Position


def job(**keys: Any) -> TrainJob:
    """Return a job with some keys of its own."""
    return check_train({"kind": "train", "name": "digits", "model": "lenet5", "epochs": 5, **keys}, "test")


BEGUN = Standing(Position(), over=False, seconds=0.5)
UNDER_WAY = Standing(
    Position(epoch=2, examples=640, step=53),
    over=False,
    seconds=60.0,
    seconds_left=80.0,
    values={"loss": 0.5, "val_top1": 0.9},
    attempts={"complete": 0, "lost": 2},
    replaced=1,
    saved=Position(epoch=2, examples=320, step=48),
    saved_at=1000.25,
    workers={"training": 2, "waiting": 1},
    epoch_steps=22,
)


def told(now: Standing, **keys: Any) -> dict[str, float]:
    """Return what is measured, by name without its beginning and labels without the run's."""
    samples = list(measure_training(job(**keys), now))
    assert {sample.labels[0] for sample in samples} == {"digits"}
    name = "tinderbox_training_"
    return {" ".join([sample.metric.name.removeprefix(name), *sample.labels[1:]]): sample.value for sample in samples}


def test_a_training_under_way() -> None:
    """All that its dashboard shows."""
    assert told(UNDER_WAY, workers=3) == {
        "info synchronous lenet5": 1,
        "over": 0,
        "seconds": 60.0,
        "left_seconds": 80.0,
        "epoch": 2,
        "epochs_wanted": 5,
        "step": 53,
        "value loss": 0.5,
        "value val_top1": 0.9,
        "attempts_total complete": 0,
        "attempts_total lost": 2,
        "workers_replaced_total": 1,
        "workers_wanted": 3,
        "workers training": 2,
        "workers waiting": 1,
        "checkpoint_timestamp_seconds": 1000.25,
        "checkpoint_step": 48,
        "checkpoint_interval_steps": 22,
    }


def test_a_training_that_has_begun() -> None:
    """A loss would cost all its steps; nothing is told that nobody knows."""
    assert told(BEGUN) == {
        "info synchronous lenet5": 1,
        "over": 0,
        "seconds": 0.5,
        "epoch": 0,
        "epochs_wanted": 5,
        "step": 0,
        "workers_replaced_total": 0,
        "checkpoint_step": 0,
    }


def test_a_training_that_has_ended() -> None:
    """No time is left, whatever was expected, and there are no workers, nor are any wanted."""
    found = told(replace(UNDER_WAY, over=True, workers=None))
    assert found["over"] == 1
    assert {name for name in found if name.startswith(("left", "workers ", "workers_wanted"))} == set()


@pytest.mark.parametrize(
    ("model", "called"),
    [("convnet", "convnet"), ({"build": "nets:wide"}, "nets:wide"), ("models/a.keras", "models/a.keras")],
)
def test_the_model_is_called_as_in_the_job(model: Any, called: str) -> None:
    """By its name, its function or its file."""
    assert f"info averaging {called}" in told(BEGUN, model=model, mode="averaging")


@pytest.mark.parametrize(
    ("checkpoints", "epoch_steps", "interval"),
    [
        ({}, 22, 22),
        ({}, None, None),
        ({"epochs": 3}, 22, 66),
        ({"steps": 10}, 22, 10),
        ({"steps": 10}, None, 10),
        ({"steps": 100, "epochs": 2}, 22, 44),
        ({"steps": 10, "epochs": 2}, 22, 10),
    ],
)
def test_the_interval_of_checkpoints(
    checkpoints: dict[str, int], epoch_steps: int | None, interval: int | None
) -> None:
    """Whichever comes first: so many steps, or those of so many epochs; an epoch where the job says nothing."""
    assert checkpoint_interval(job(checkpoints=checkpoints), epoch_steps) == interval
