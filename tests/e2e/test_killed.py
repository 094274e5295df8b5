"""A sweep with rungs whose driver is killed with no time to say a word, and which the same command continues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tinderbox.api.result import open_study
from tinderbox.errors import TinderboxError
from tinderbox.sweeping.history import State
from tinderbox.sweeping.study import Study

Processes = Callable[[], dict[int, str]]
Eventually = Callable[[Callable[[], bool], float], bool]
LayOut = Callable[[str, str, str], Path]

# The state is a number that every epoch changes, so a wrong or a repeated epoch shows in all values that follow.
FUNCTION = """
import time
from pathlib import Path

from place import FOLDER


def train(trial):
    state = float(trial.checkpoint.read_text()) if trial.checkpoint else 0.0
    for epoch in range(trial.epoch + 1, trial.epochs + 1):
        time.sleep(0.15)
        state = 0.9 * state + trial.params["x"] / epoch
        with Path(FOLDER, f"{trial.number}.epochs").open("a") as file:
            file.write(f"{epoch}\\n")
        trial.report(epoch, checkpoint=lambda file: file.write(repr(state).encode()), loss=state)
"""

JOB = """
kind: sweep
name: killed
objective: killed_objective:train
code: code
preload: []
metric: {name: loss, direction: minimize}
parameters:
  x: {type: float, low: 0, high: 1}
search: random
budget: {trials: 12}
rungs: {min_epochs: 1, reduction: 3}
checkpoints: {epochs: 1}
epochs: 9
seed: 4
data: {source: npz, path: data.npz}
"""


def value_after(x: float, epochs: int) -> float:
    """Return what the function reports after so many epochs."""
    state = 0.0
    for epoch in range(1, epochs + 1):
        state = 0.9 * state + x / epoch
    return state


@dataclass(frozen=True)
class Place:
    """A folder in which `tinderbox sweep` runs."""

    folder: Path

    def start(self) -> subprocess.Popen[str]:
        """Start the command, or start it again."""
        command = [sys.executable, "-m", "tinderbox", "sweep", "job.yaml"]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
        )

    def study(self) -> Study:
        """Return what the record says."""
        return open_study("killed", str(self.folder / "studies")).record

    def is_amid(self) -> bool:
        """Whether trials wait on a rung while others run, and one has gone on."""
        try:
            study = self.study()
        except TinderboxError:
            return False
        promoted = any(trial.attempt > 1 for trial in study.trials.values())
        return promoted and study.counts[State.PAUSED] > 2 and study.counts[State.RUNNING] == 2

    def epochs(self, number: int) -> Counter[int]:
        """Return how often each epoch of a trial was trained."""
        path = self.folder / f"{number}.epochs"
        return Counter(map(int, path.read_text().split())) if path.exists() else Counter()


@pytest.fixture(scope="module")
def place(lay_out: LayOut) -> Place:
    """A folder with the job, its code and its data."""
    return Place(lay_out("killed_objective", FUNCTION, JOB))


@pytest.mark.timeout(400)
def test_a_driver_that_is_killed_costs_an_epoch_of_what_ran(
    place: Place, processes: Processes, eventually: Eventually
) -> None:
    """What has ended stays, what is paused stays paused, and what ran goes on from its last state."""
    before = set(processes())
    with place.start() as driver:
        assert eventually(place.is_amid, 120)
        os.kill(driver.pid, signal.SIGKILL)
        driver.communicate(timeout=60)
    assert eventually(lambda: set(processes()) <= before, 40), "slots and trials end with their driver"
    killed = place.study()
    with place.start() as driver:
        output, _ = driver.communicate(timeout=200)
    assert driver.returncode == 0, output
    study = place.study()
    assert (study.generation, study.cause, len(study.trials)) == (2, "all trials have ended", 12)
    assert study.counts[State.COMPLETE] >= 1
    assert study.counts[State.COMPLETE] + study.counts[State.PAUSED] == 12
    for number, trial in study.trials.items():
        earlier = killed.trials.get(number)
        if earlier is not None and earlier.state is not State.RUNNING:
            assert trial.reports.items() >= earlier.reports.items()
        for epoch, metrics in trial.reports.items():
            assert metrics["loss"] == pytest.approx(value_after(float(trial.parameters["x"]), epoch), abs=1e-15)
        trained = place.epochs(number)
        assert sorted(trained) == list(range(1, trial.epoch + 1)), "no epoch is left out"
        redone = sum(trained.values()) - len(trained)
        ran = earlier is not None and earlier.state is State.RUNNING
        assert redone <= ran, f"trial {number} trained {trained}"
    needed = {trial.checkpoint.path for trial in study.trials.values() if trial.checkpoint is not None}
    folder = place.folder / "studies" / "killed"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("attempt-*-epoch-*")} == needed
