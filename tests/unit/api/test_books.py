"""A training's record and checkpoints in storage, as whoever runs it writes them down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.api.averaged import Course
from tinderbox.api.books import KeptCheckpoints, Ledger, opened_record
from tinderbox.api.training import TrainPlan
from tinderbox.config import check_train
from tinderbox.data import Dataset, Examples
from tinderbox.errors import Superseded, TinderboxError
from tinderbox.run import identify
from tinderbox.storage.training import TrainFolder
from tinderbox.training.history import Training
from tinderbox.training.recipe import Recipe
from tinderbox.training.record import AttemptBegan, AttemptEnded, CheckpointKept, EpochEnded, Member, RunBegan
from tinderbox.training.records import Counts, Position

MEMBER = Member(rank=0, name="agent-0", node="n")


@pytest.fixture
def plan(tmp_path: Path) -> TrainPlan:
    """Return the plan of a small training."""
    tree = {"kind": "train", "name": "small", "model": "lenet5", "epochs": 3, "storage": str(tmp_path)}
    job = check_train(tree, "test")
    half = Examples(np.zeros((5, 2), np.float32), np.arange(5) % 2)
    recipe = Recipe(job, None, None, (2,), 2, 20, 5, "d" * 64)
    return TrainPlan(job, recipe, Dataset(half, half, None, None), identify("small", {}, "d", "", "m"), ("a", "b"))


@pytest.fixture
def folder(plan: TrainPlan) -> TrainFolder:
    """Return its folder."""
    return TrainFolder(plan.job.storage, "small")


def begin(ledger: Ledger) -> None:
    """Let a run and its first attempt begin."""
    ledger.note(RunBegan(time=1.0, generation=1, workers=2, epochs=3))
    ledger.note(AttemptBegan(time=2.0, attempt=1, members=[MEMBER]))


def ended(epoch: int) -> EpochEnded:
    """Return that an epoch has ended."""
    rest: dict[str, Any] = {"examples": 20, "seconds": 1.0, "workers": 2, "metrics": {"loss": 0.5}}
    return EpochEnded(time=3.0, attempt=1, epoch=epoch, step=10 * epoch, **rest)


def save(ledger: Ledger, epoch: int) -> None:
    """Make a checkpoint at the end of an epoch."""
    at = Position(epoch, 0, 10 * epoch)
    sha256, size = ledger.keep(1, at, lambda file: file.write(b"state %d" % epoch))
    kept = CheckpointKept(time=4.0, attempt=1, epoch=epoch, examples=0, step=at.step, parts={0: sha256}, size=size)
    ledger.note(kept)


def test_what_is_noted_is_safe(plan: TrainPlan, folder: TrainFolder, tmp_path: Path) -> None:
    """Record, history, checkpoints and results; a driver that is started later finds all of it."""
    with opened_record(plan, folder) as (log, training):
        ledger = Ledger(folder, log, training, keep=2)
        assert ledger.newest() is None
        begin(ledger)
        for epoch in (1, 2, 3):
            ledger.note(ended(epoch))
            save(ledger, epoch)
            ledger.prune(best=1)
        ledger.write_log(2, 1, "printed")
        ledger.finish(b"model", [[1, 0], [0, 1]])
    assert folder.read_log("logs/attempt-2-worker-1.log") == "printed"
    assert folder.read_job()["epochs"] == 3
    assert folder.read("classes.json") == b'["a", "b"]'
    assert [row["epoch"] for row in folder.read_history()] == [1, 2, 3]
    assert folder.read("model.keras") == b"model"
    with opened_record(plan, folder) as (_, again):
        assert repr(again) == repr(training)
        kept = KeptCheckpoints(folder)
        newest, first = kept.newest(), kept.at_epoch(1)
    assert newest is not None
    assert first is not None
    assert (newest.position.epoch, first.position.epoch, kept.at_epoch(4)) == (3, 1, None)
    assert ledger.fetch(first, tmp_path).read_bytes() == b"state 1"
    assert [manifest.position.epoch for manifest in folder.manifests()] == [3, 2, 1]


def test_a_checkpoint_without_its_event_is_one(
    plan: TrainPlan, folder: TrainFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its manifest comes first; a driver that is killed in between has lost nothing."""
    with opened_record(plan, folder) as (log, training):
        ledger = Ledger(folder, log, training, keep=2)
        begin(ledger)

        def die(lines: bytes) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(log, "append", die)
        with pytest.raises(KeyboardInterrupt):
            save(ledger, 1)
    assert KeptCheckpoints(folder).newest() is not None


def test_a_later_driver_takes_over(plan: TrainPlan, folder: TrainFolder) -> None:
    """The earlier one writes nothing any more."""
    with opened_record(plan, folder) as (log, training):
        ledger = Ledger(folder, log, training, keep=2)
        begin(ledger)
        with opened_record(plan, folder) as (_, again):
            assert again.running is not None
            with pytest.raises(Superseded):
                ledger.note(ended(1))
    assert training.history == []


def test_storage_that_takes_nothing(plan: TrainPlan, folder: TrainFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told in one sentence."""
    with opened_record(plan, folder) as (log, training):
        ledger = Ledger(folder, log, training, keep=2)

        def refuse(lines: bytes) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(log, "append", refuse)
        with pytest.raises(TinderboxError, match=r"its record cannot be written: .*No space left"):
            begin(ledger)


def test_where_an_averaging_training_stands(plan: TrainPlan) -> None:
    """Between two rounds."""
    training = Training()
    course = Course(plan, training)
    assert (course.status().workers, course.status().rate) == (0, None)
    for event in (
        RunBegan(time=1.0, generation=1, workers=2, epochs=3),
        AttemptBegan(time=2.0, attempt=1, members=[MEMBER]),
    ):
        training.apply(event)
    course.take(Position(0, 5, 3), Counts(3, 5, 0.5))
    status = course.status()
    assert (status.step, status.share, status.rate, status.workers) == (3, 0.25, 10.0, 2)
    training.apply(AttemptEnded(time=3.0, attempt=1, outcome="lost"))
    assert course.status().rate is None
