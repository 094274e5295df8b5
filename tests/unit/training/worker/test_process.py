"""How a worker process begins, and what it says of how it ended, without training anything."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tinderbox.errors import BadInput, StaleAttempt, TinderboxError
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment
from tinderbox.training.synchronous.collective import start_runtime
from tinderbox.training.worker import process as worker
from tinderbox.training.worker.process import Over, Work, stand_by, take_part
from tinderbox.training.worker.scores import Diverged

ALONE = Assignment(1, 0, 1, ("127.0.0.1:7100",))
WORK = Work(cast("Recipe", None), Path("code"), Path("data"), lambda assignment: cast("Any", assignment))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TinderboxError("the driver does not answer"), "lost"),
        (BadInput("no layer"), "failed"),
        (ValueError("no"), "failed"),
        (Diverged("nan"), "diverged"),
        (StaleAttempt("over"), "stale"),
    ],
    ids=["driver", "input", "own", "diverged", "stale"],
)
def test_what_is_nobodys_mistake_is_no_failure(error: Exception, outcome: str) -> None:
    """The next attempt may not find it so; a failure would end the run."""

    def refuse(_: Assignment) -> Any:
        raise error

    over = take_part(replace(WORK, door=refuse, recipe=cast("Any", None)), ALONE)
    assert over.outcome == outcome
    assert over.failure.cause.endswith(str(error))


def test_a_worker_is_heard_of_before_its_code_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to the driver, by which it beats, is open as soon as it has its assignment."""
    opened = threading.Event()

    def prepare(_: Work) -> None:
        assert opened.wait(30)

    def open_door(assignment: Assignment) -> Any:
        assert assignment == ALONE
        opened.set()
        return "channel"

    def take(work: Work, assignment: Assignment, function: Any) -> Over:
        return Over("complete") if cast("Any", work.door(assignment)) == "channel" else Over("failed")

    monkeypatch.setattr(worker, "_prepare", prepare)
    monkeypatch.setattr(worker, "take_part", take)
    monkeypatch.setattr(worker.gc, "freeze", lambda: None)
    ours, theirs = multiprocessing.Pipe()
    thread = threading.Thread(target=stand_by, args=(theirs, (replace(WORK, door=open_door),)), daemon=True)
    thread.start()
    ours.send(ALONE)
    assert ours.poll(60)
    assert ours.recv() == Over("complete")


def test_a_worker_that_nobody_needs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its agent has gone without an assignment."""
    monkeypatch.setattr(worker, "_prepare", lambda work: None)
    monkeypatch.setattr(worker.gc, "freeze", lambda: None)
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    stand_by(theirs, (WORK,))


def test_a_port_that_tensorflow_cannot_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises an error of its own, which is nobody's mistake either."""
    import tensorflow as tf

    def refuse() -> Any:
        raise tf.errors.UnknownError(None, None, "Could not start gRPC server")

    monkeypatch.setenv("TF_CONFIG", "")
    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", refuse)
    with pytest.raises(
        TinderboxError, match=r"^port 7100, for sums with other workers: Could not start gRPC server; end"
    ):
        start_runtime(("127.0.0.1:7100", "127.0.0.1:7101"), 0)
    assert json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 0
