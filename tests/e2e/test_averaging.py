"""Mode averaging on a real Spark: a Python worker is killed and another one frozen, and nothing of that shows."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from tinderbox.api.train import run_train
from tinderbox.api.trained import TrainResult
from tinderbox.api.training import make_train_plan
from tinderbox.config import check_train
from tinderbox.spark.session import close_session, open_session
from tinderbox.training.averaging import pulses
from tinderbox.training.status import TrainStatus

Eventually = Callable[[Callable[[], bool], float], bool]

# Where a trap lies, the first worker that takes a step springs it: a signal to its own process, amid a share.
CODE = """
import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

TRAPS = Path({traps!r})


def step_into():
    for trap in TRAPS.glob("*.set"):
        try:
            trap = trap.rename(trap.with_suffix(f".{{os.getpid()}}"))
        except FileNotFoundError:
            continue
        os.kill(os.getpid(), int(trap.read_text()))
    return np.float32(0)


class Floor(keras.layers.Layer):
    def call(self, x, training=False):
        if training:
            tf.numpy_function(step_into, [], tf.float32)
        return x


def net(shape, classes):
    print("a network for", classes, "classes")
    layers = [Floor(), keras.layers.Rescaling(1 / 128), keras.layers.Flatten(), keras.layers.Dropout(0.2)]
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(classes, "softmax")])
"""

STEPS = 34
"""An epoch has 1,438 examples in batches of 2 x 43: 17 steps."""


class Trapper:
    """Lays traps once training has come to certain steps, SIGINT for the driver itself."""

    def __init__(self, folder: Path, traps: dict[int, signal.Signals]) -> None:
        self._folder, self._traps = folder, traps

    def tell(self, step: str) -> None:
        """Do nothing."""

    def show(self, status: TrainStatus) -> None:
        """Lay what is due."""
        for step in [step for step in self._traps if status.step >= step]:
            number = self._traps.pop(step)
            if number is signal.SIGINT:
                raise KeyboardInterrupt
            # Whole at once: a worker looks at it before each step.
            place = self._folder / f"{number.name}.new"
            place.write_text(str(int(number)))
            place.rename(place.with_suffix(".set"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the user's module and a place for traps."""
    folder = tmp_path_factory.mktemp("averaging")
    (folder / "code").mkdir()
    (folder / "traps").mkdir()
    (folder / "code" / "trapped_net.py").write_text(CODE.format(traps=str(folder / "traps")))
    return folder


def job(folder: Path, name: str) -> Any:
    """Return a job of two workers that average every three steps."""
    tree = {
        "kind": "train",
        "name": name,
        "model": {"build": "trapped_net:net"},
        "code": "code",
        "data": {"source": "digits", "split": {"test": 0}},
        "optimizer": "adam",
        "workers": 2,
        "batch": 43,
        "epochs": 2,
        "mode": {"name": "averaging", "frequency": 3},
        "deterministic": True,
        "checkpoints": {"keep": 99},
        "storage": str(folder / "studies"),
    }
    return check_train(tree, "test")


@pytest.fixture(scope="module")
def spark(folder: Path) -> Iterator[SparkSession]:
    """A session as a training in this mode opens it."""
    session = open_session(job(folder, "any"), None, None)
    yield session
    close_session(session)


def train(folder: Path, spark: SparkSession, name: str, traps: dict[int, signal.Signals]) -> TrainResult:
    """Run a training, with traps in it."""
    plan = make_train_plan(job(folder, name), folder)
    return run_train(plan, spark, watcher=Trapper(folder / "traps", traps))


@pytest.fixture(scope="module")
def whole(folder: Path, spark: SparkSession) -> TrainResult:
    """A training that nothing disturbs."""
    return train(folder, spark, "whole", {})


def state(result: TrainResult) -> dict[str, np.ndarray[Any, Any]]:
    """Return all that a training has come to: parameters, optimizer, generators."""
    part = Path(result.folder.path("checkpoints", f"step-{STEPS:09d}", "part-0"))
    with np.load(part) as arrays:
        return {name: arrays[name] for name in ("floats", "integers")}


def test_a_training_leaves_what_it_is_for(whole: TrainResult) -> None:
    """It has learnt, and left the model, the history, the confusion and a report."""
    assert whole.attempts["outcome"].tolist() == ["complete"]
    assert list(whole.history["step"]) == [17, 34]
    assert whole.metrics["val_top1"] > 0.6
    assert set(whole.files()) == {"model", "history", "confusion", "report"}
    assert whole.confusion is not None
    assert whole.confusion.to_numpy().trace() / whole.confusion.to_numpy().sum() == pytest.approx(
        whole.metrics["val_top1"]
    )
    assert all("a network for 10 classes\n" in whole.log(worker) for worker in (0, 1)), "what user code prints is kept"


def test_killed_and_frozen_python_workers_change_nothing(
    whole: TrainResult,
    folder: Path,
    spark: SparkSession,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A killed one costs its share, computed again by Spark; a frozen one is found, killed, and told as an attempt."""
    monkeypatch.setattr(pulses, "WARM", pulses.Patience(silent=5.0, unheard=22.0))
    with caplog.at_level(logging.WARNING, "tinderbox"):
        result = train(folder, spark, "disturbed", {4: signal.SIGKILL, 20: signal.SIGSTOP})
    sprung = {path.stem: int(path.suffix[1:]) for path in (folder / "traps").iterdir()}
    assert set(sprung) == {"SIGKILL", "SIGSTOP"}
    assert "was lost and computed again" in caplog.text
    outcomes = result.attempts["outcome"].tolist()
    assert outcomes[0] == "frozen"
    assert outcomes[-1] == "complete"
    assert result.attempts["cause"].iloc[0].startswith("share ")
    assert result.attempts["step"].iloc[1] >= 20, "it goes on after the last split, and from no checkpoint"
    assert eventually(lambda: not os.path.exists(f"/proc/{sprung['SIGSTOP']}"), 30)  # noqa: PTH110 - no file
    for name, array in state(whole).items():
        np.testing.assert_array_equal(state(result)[name], array)
    metrics = ["loss", "top1", "top5", "val_loss", "val_top1", "val_top5"]
    assert result.history[metrics].equals(whole.history[metrics])


def test_a_driver_that_is_stopped_goes_on_where_it_was(whole: TrainResult, folder: Path, spark: SparkSession) -> None:
    """Amid an epoch, with nothing done twice: the next one comes to the same, bit by bit."""
    with pytest.raises(KeyboardInterrupt):
        train(folder, spark, "stopped", {20: signal.SIGINT})
    result = train(folder, spark, "stopped", {})
    assert result.attempts["outcome"].tolist() == ["released", "complete"]
    assert result.attempts["step"].iloc[1] >= 20
    for name, array in state(whole).items():
        np.testing.assert_array_equal(state(result)[name], array)
    metrics = ["loss", "top1", "top5", "val_loss", "val_top1", "val_top5"]
    assert result.history[metrics].equals(whole.history[metrics])
    assert Path(result.files()["model"]).stat().st_size > 0
