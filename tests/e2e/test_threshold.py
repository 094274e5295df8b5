"""Mode threshold on local Spark: one worker after the other is killed, and training goes on in the same attempt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tinderbox.api.trained import TrainResult, open_training
from tinderbox.errors import TinderboxError

pytestmark = pytest.mark.timeout(600)  # on a machine that does much else

Eventually = Callable[[Callable[[], bool], float], bool]

# Each worker process leaves its number, so that the test finds it.
MODULE = """
import os
from pathlib import Path

from tinderbox.models import lenet5


def build(shape, classes):
    (Path(FOLDER) / "workers" / str(os.getpid())).touch()
    return lenet5.build(shape, classes)
"""

JOB = """
kind: train
name: shared
model: {build: shared_model:build}
code: code
epochs: 30
workers: 2
batch: 8
mode: threshold
optimizer: {name: adam, learning_rate: 0.002}
checkpoints: {epochs: 5}
seed: 3
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, eventually: Eventually) -> TrainResult:
    """Return a training, each of whose two workers was killed once."""
    folder = tmp_path_factory.mktemp("threshold")
    (folder / "workers").mkdir()
    (folder / "code").mkdir()
    (folder / "code" / "shared_model.py").write_text(f"FOLDER = {str(folder)!r}\n{MODULE}")
    (folder / "job.yaml").write_text(JOB)
    with (folder / "log").open("w") as log:
        command = [sys.executable, "-m", "tinderbox", "train", "job.yaml"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def opened() -> TrainResult:
        return open_training("shared", str(folder / "studies"))

    def epochs() -> int:
        try:
            return len(opened().record.history)
        except TinderboxError:
            return 0

    def workers() -> list[int]:
        found = (int(path.name) for path in (folder / "workers").iterdir())
        return sorted(pid for pid in found if pid != process.pid and Path(f"/proc/{pid}").exists())

    try:
        assert eventually(lambda: epochs() >= 2, 240), (folder / "log").read_text()
        for number, pid in enumerate(workers(), start=1):
            done = epochs()
            os.kill(pid, signal.SIGKILL)
            swapped = lambda: len(opened().record.attempts[0].replaced) == number  # noqa: B023, E731 - called at once
            assert eventually(swapped, 60), (folder / "log").read_text()
            assert eventually(lambda: epochs() >= done + 2, 120), (folder / "log").read_text()  # noqa: B023
        assert process.wait(timeout=240) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()
    return opened()


def test_a_killed_worker_does_not_end_the_attempt(result: TrainResult) -> None:
    """The others wait for the one that takes its place; the record says why."""
    (attempt,) = result.record.attempts
    assert attempt.ended is not None
    assert attempt.ended.outcome == "complete"
    assert {one.member.rank for one in attempt.replaced} == {0, 1}
    assert all(one.cause.endswith("its process was killed by SIGKILL") for one in attempt.replaced)


def test_all_epochs_are_there_and_the_model_has_learnt(result: TrainResult) -> None:
    """Each has the steps that it would have had."""
    assert list(result.history.index) == list(range(1, 31))
    assert list(result.history.step) == [68 * epoch for epoch in range(1, 31)]
    assert result.metrics["val_top1"] > 0.93
    assert result.metrics["val_loss"] < 0.4
