"""Synchronous training on local Spark: undisturbed, and with a worker killed, one frozen, and the driver killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.api.trained import TrainResult, open_training
from tinderbox.errors import TinderboxError

pytestmark = pytest.mark.timeout(900)

Eventually = Callable[[Callable[[], bool], float], bool]

# Each worker process leaves its number, so that the test finds it.
MODULE = """
import os
from pathlib import Path

from tinderbox.models import lenet5


def build(shape, classes):
    (Path(FOLDER) / "workers" / str(os.getpid())).touch()
    print("building a network")
    return lenet5.build(shape, classes)
"""

JOB = """
kind: train
name: {name}
model: {{build: disturbed_model:build}}
code: code
epochs: 15
workers: 2
batch: 32
optimizer: {{name: adam, learning_rate: 0.003}}
checkpoints: {{steps: {every}}}
deterministic: true
seed: 3
"""

PATIENCE = 300
"""In seconds: for so long Spark and TensorFlow may take to start, on a machine that does much else."""

EVERY = 10
"""Steps between two checkpoints; an epoch has 17."""


@dataclass
class Run:
    """A training that `tinderbox train` runs in a folder, as a process of its own."""

    folder: Path
    name: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the command, or start it again."""
        job = self.folder / f"{self.name}.yaml"
        job.write_text(JOB.format(name=self.name, every=EVERY))
        command = [sys.executable, "-m", "tinderbox", "train", job.name]
        with (self.folder / f"{self.name}.log").open("a") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, process_group=0)

    def end(self) -> int:
        """Wait for the command's end, and return its exit code."""
        assert self.process is not None
        return self.process.wait(timeout=PATIENCE)

    def kill(self) -> None:
        """Kill the command, with no time to say a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        """Return what it has printed."""
        return (self.folder / f"{self.name}.log").read_text()

    @property
    def result(self) -> TrainResult:
        """What it has left so far."""
        return open_training(self.name, str(self.folder / "studies"))

    def has(self, attempt: int, epochs: int) -> bool:
        """Whether an attempt has ended so many epochs itself."""
        try:
            record = self.result.record
        except TinderboxError:
            return False
        return sum(row.attempt == attempt for row in record.history) >= epochs

    def workers(self) -> list[int]:
        """Return the numbers of the worker processes that live, but for those that were asked only for their size."""
        own = self.process.pid if self.process else 0
        found = (int(path.name) for path in (self.folder / "workers").iterdir())
        return sorted(pid for pid in found if pid != own and Path(f"/proc/{pid}").exists())

    def outcomes(self) -> list[str]:
        """Return how attempts have ended."""
        return [attempt.ended.outcome for attempt in self.result.record.attempts if attempt.ended]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a module that builds the model."""
    made = tmp_path_factory.mktemp("train")
    (made / "workers").mkdir()
    (made / "code").mkdir()
    (made / "code" / "disturbed_model.py").write_text(f"FOLDER = {str(made)!r}\n{MODULE}")
    return made


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Run:
    """Return a training that nothing has happened to."""
    run = Run(folder, "undisturbed")
    run.start()
    assert run.end() == 0, run.log()
    return run


@pytest.fixture(scope="module")
def disturbed(folder: Path, undisturbed: Run, eventually: Eventually) -> Run:
    """Return one of which a worker was killed, another one stopped, and the driver killed and started again."""
    run = Run(folder, "disturbed")
    run.start()
    try:
        assert eventually(lambda: run.has(1, 1), PATIENCE), run.log()
        os.kill(run.workers()[-1], signal.SIGKILL)
        assert eventually(lambda: run.has(2, 1), PATIENCE), run.log()
        stopped = run.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        began = time.monotonic()
        assert eventually(lambda: "frozen" in run.outcomes(), 60), run.log()
        took = time.monotonic() - began
        assert took < 35, f"a frozen worker was found after {took:.0f} s"
        assert eventually(lambda: not Path(f"/proc/{stopped}").exists(), 30)
        assert eventually(lambda: run.has(3, 1), PATIENCE), run.log()
        run.kill()
        assert eventually(lambda: run.workers() == [], 60), "workers outlive their driver"
        run.start()
        assert run.end() == 0, run.log()
    finally:
        if run.process is not None and run.process.poll() is None:
            run.kill()
    return run


def weights(run: Run) -> Sequence[Any]:
    """Return the weights of a training's model."""
    model = run.result.model()
    return [*model.get_weights(), *(np.asarray(each) for each in model.optimizer.variables)]


def test_an_undisturbed_training_learns(undisturbed: Run) -> None:
    """And leaves all that a training leaves."""
    result = undisturbed.result
    assert undisturbed.outcomes() == ["complete"]
    assert list(result.history.index) == list(range(1, 16))
    assert list(result.history.step) == [17 * epoch for epoch in range(1, 16)]
    assert (result.history.workers == 2).all()
    assert result.metrics["val_top1"] > 0.9
    assert set(result.files()) == {"model", "report", "history", "confusion"}
    assert int(result.confusion.to_numpy().sum()) == 359
    assert result.folder.has("test.json")
    assert result.log(worker=1) == "building a network\n"
    kept = result.folder.manifests()
    assert [manifest.position.step for manifest in kept] == [255, 250], "every ten steps, and at the end"
    assert len(result.folder.read_history()) == 15


def test_a_disturbed_training_finishes(disturbed: Run) -> None:
    """Each attempt has its cause in the record, and costs one interval between checkpoints at most."""
    record = disturbed.result.record
    assert disturbed.outcomes() == ["killed", "frozen", "superseded", "complete"]
    causes = [attempt.ended.cause for attempt in record.attempts if attempt.ended]
    assert causes[0].endswith("its process was killed by SIGKILL")
    assert "was not heard of for" in causes[1]
    assert causes[2] == "its driver ended"
    for before, after in zip(record.attempts, record.attempts[1:], strict=False):
        assert after.began.step % EVERY == 0
        reached = max((kept.step for kept in record.checkpoints.values() if kept.attempt == before.number), default=0)
        assert after.began.step >= reached
    assert [row.epoch for row in record.history] == list(range(1, 16))


def test_a_disturbed_training_learns_the_same(undisturbed: Run, disturbed: Run) -> None:
    """Bit for bit, the optimizer's state too, and its history says so."""
    for one, other in zip(weights(undisturbed), weights(disturbed), strict=True):
        np.testing.assert_array_equal(one, other)
    columns = ["step", "loss", "top1", "top5", "val_loss", "val_top1"]
    one, other = undisturbed.result.history[columns], disturbed.result.history[columns]
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-6)  # sums of sums are rounded elsewhere
