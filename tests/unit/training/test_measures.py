"""What Prometheus is told of a training: where it stands, how its attempts ended, and what a loss would cost."""

from __future__ import annotations

from typing import Any

import pytest

from tinderbox.config import TrainJob, check_train
from tinderbox.training.history import Training
from tinderbox.training.measures import checkpoint_interval, epoch_steps, measure_training
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
)
from tinderbox.training.status import take_status

MEMBERS = [Member(rank=rank, name=f"worker-{rank}", node="n") for rank in range(3)]


def job(**keys: Any) -> TrainJob:
    """Return a job with some keys of its own."""
    return check_train({"kind": "train", "name": "digits", "model": "lenet5", "epochs": 5, **keys}, "test")


def ended_epoch(epoch: int, step: int, attempt: int = 1, **metrics: float) -> EpochEnded:
    """Return an epoch that took ten seconds."""
    time = 100.0 + 10 * epoch
    told = {"attempt": attempt, "examples": 640, "workers": 3, "seconds": 10.0, "metrics": metrics}
    return EpochEnded(time=time, epoch=epoch, step=step, **told)  # type: ignore[arg-type]


BEGUN = [RunBegan(time=100, generation=1, workers=3, epochs=5), AttemptBegan(time=100, attempt=1, members=MEMBERS)]
UNDER_WAY: list[Event] = [
    *BEGUN,
    ended_epoch(1, 20, loss=0.75, val_top1=0.5),
    CheckpointKept(time=111.25, attempt=1, epoch=1, examples=0, step=20, parts={0: "a" * 64}, size=8),
    WorkerReplaced(time=112, attempt=1, member=MEMBERS[1], cause="worker 1 was killed"),
    AttemptEnded(time=113, attempt=1, outcome="lost"),
    AttemptBegan(time=114, attempt=2, members=MEMBERS[:2], epoch=1, step=20),
    ended_epoch(2, 42, attempt=2, loss=0.5, val_top1=0.875, val_loss=float("nan")),
]


def trained(events: list[Event]) -> Training:
    """Return what events add up to."""
    record = Training()
    for event in events:
        record.apply(event)
    return record


def told(events: list[Event], led: bool = True, **keys: Any) -> dict[str, float]:
    """Return what is measured at 160 s, by name and labels, without what all have in common and outcomes of none."""
    record = trained(events)
    status = take_status(record, 160.0, workers=2, waiting=1, step=53 if record.history else None)
    samples = list(measure_training(job(**keys), record, status, led=led))
    assert {sample.labels[0] for sample in samples} == {"digits"}
    found = {" ".join([sample.metric.name, *sample.labels[1:]]): sample.value for sample in samples}
    assert {
        f"tinderbox_training_attempts_total {outcome}" for outcome in ("complete", "frozen", "lost")
    } <= found.keys()
    return {
        name.removeprefix("tinderbox_training_"): value
        for name, value in found.items()
        if value or "attempts_total" not in name
    }


def test_a_training_under_way() -> None:
    """All that its dashboard shows; a metric that is no finite number is left out."""
    assert told(UNDER_WAY) == {
        "info synchronous lenet5": 1,
        "over": 0,
        "seconds": 60.0,
        "left_seconds": 30.0,
        "epoch": 2,
        "epochs_wanted": 5,
        "step": 53,
        "value loss": 0.5,
        "value val_top1": 0.875,
        "attempts_total lost": 1,
        "workers_replaced_total": 1,
        "workers_wanted": 3,
        "workers training": 2,
        "workers waiting": 1,
        "checkpoint_timestamp_seconds": 111.25,
        "checkpoint_step": 20,
        "checkpoint_interval_steps": 33,
    }


def test_a_training_that_has_begun() -> None:
    """A loss would cost all its steps; nothing is told that nobody knows."""
    assert told(list(BEGUN)) == {
        "info synchronous lenet5": 1,
        "over": 0,
        "seconds": 60.0,
        "epoch": 0,
        "epochs_wanted": 5,
        "step": 0,
        "workers_replaced_total": 0,
        "workers_wanted": 3,
        "workers training": 2,
        "workers waiting": 1,
        "checkpoint_step": 0,
    }


def test_between_two_attempts_all_workers_wait() -> None:
    """None of them trains."""
    found = told([*BEGUN, AttemptEnded(time=120, attempt=1, outcome="killed")])
    assert (found["workers training"], found["workers waiting"]) == (0, 3)


@pytest.mark.parametrize("over", [True, False])
def test_a_training_without_a_driver(over: bool) -> None:
    """There are no workers, nor are any wanted; of one that has ended nothing is left."""
    end = [AttemptEnded(time=120, attempt=2, outcome="complete"), RunEnded(time=121, epoch=2)]
    found = told([*UNDER_WAY, *end] if over else UNDER_WAY, led=over)
    assert (found["over"], found["seconds"]) == ((1, 21.0) if over else (0, 60.0))
    assert {name for name in found if name.startswith(("workers ", "workers_wanted"))} == set()
    assert ("left_seconds" in found) == (not over)


@pytest.mark.parametrize(
    ("model", "called"),
    [("convnet", "convnet"), ({"build": "nets:wide"}, "nets:wide"), ("models/a.keras", "models/a.keras")],
)
def test_the_model_is_called_as_in_the_job(model: Any, called: str) -> None:
    """By its name, its function or its file."""
    assert f"info averaging {called}" in told(list(BEGUN), model=model, mode="averaging")


@pytest.mark.parametrize(("ends", "steps"), [([], None), ([20], 20), ([20, 42], 22), ([20, 42, 65], 23)])
def test_the_steps_of_an_epoch(ends: list[int], steps: int | None) -> None:
    """Those of the last one."""
    assert epoch_steps(job(), trained([*BEGUN, *(ended_epoch(*end) for end in enumerate(ends, 1))])) == steps


@pytest.mark.parametrize(("batch", "steps"), [(32, 60), ({"size": 96, "per": "all"}, 20)])
def test_fewer_workers_take_more_steps_in_an_epoch(batch: Any, steps: int) -> None:
    """Where each has a batch of its own; so a checkpoint of an epoch is not late before that epoch has ended."""
    lost = AttemptEnded(time=112, attempt=1, outcome="lost")
    alone = AttemptBegan(time=113, attempt=2, members=MEMBERS[:1], epoch=1, step=20)
    assert epoch_steps(job(batch=batch), trained([*BEGUN, ended_epoch(1, 20), lost, alone])) == steps


@pytest.mark.parametrize(
    ("checkpoints", "epoch", "interval"),
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
def test_the_interval_of_checkpoints(checkpoints: dict[str, int], epoch: int | None, interval: int | None) -> None:
    """Whichever comes first: so many steps, or those of so many epochs; an epoch where the job says nothing."""
    assert checkpoint_interval(job(checkpoints=checkpoints), epoch) == interval
