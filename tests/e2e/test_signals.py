"""A sweep that is stopped on the way leaves a usable study and no process, and the same command continues it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tinderbox.api.result import SweepResult, open_study
from tinderbox.errors import TinderboxError
from tinderbox.sweeping.history import State
from tinderbox.sweeping.study import Study

Processes = Callable[[], dict[int, str]]
Eventually = Callable[[Callable[[], bool], float], bool]
LayOut = Callable[[str, str, str], Path]

# Trials 0 to 2 are over at once. Trial 3 counts epochs until it may return; the others wait, and say nothing meanwhile.
FUNCTION = """
import time
from pathlib import Path

from place import FOLDER

GO = Path(FOLDER, "go")


def train(trial):
    print("epochs follow")
    if trial.number == 3:
        count(trial)
    else:
        wait(trial)


def count(trial):
    epoch = trial.epoch
    while not GO.exists():
        epoch += 1
        with Path(FOLDER, "counted").open("a") as counted:
            counted.write(f"{epoch} ")
        time.sleep(0.1)
        trial.report(epoch, checkpoint=lambda file: file.write(b"state"), loss=trial.number)


def wait(trial):
    for epoch in (1, 2):
        trial.report(epoch, checkpoint=lambda file: file.write(b"state"), loss=trial.number)
        while trial.number > 2 and not GO.exists():
            time.sleep(0.05)
"""

JOB = """
kind: sweep
name: stopped
objective: stopped_objective:train
code: code
preload: []
metric: {name: loss, direction: minimize}
parameters:
  x: {type: float, low: 0, high: 1}
search: random      # a grid would run what it takes for the dearest first
budget: {trials: 6}
epochs: 10000
data: {source: npz, path: data.npz}
"""


@dataclass(frozen=True)
class Ending:
    """How a command ended: exit code, what it printed, the study it left and the processes that outlived it."""

    code: int
    output: str
    errors: str
    study: SweepResult
    left: dict[int, str]

    @property
    def states(self) -> list[str]:
        """The state of each trial."""
        return [trial.state.value for trial in self.study.record.trials.values()]

    def outcomes(self, number: int) -> list[str | None]:
        """Return how each attempt of a trial ended."""
        return [attempt.outcome for attempt in self.study.record.trials[number].attempts]


@dataclass(frozen=True)
class Terminal:
    """Runs `tinderbox sweep` in a folder, as the leader of a process group, as a shell does."""

    folder: Path
    processes: Processes
    eventually: Eventually

    def run(self, stop: Callable[[int], None] | None = None) -> Ending:
        """Run the command to its end; `stop` is called with its pid once two trials run and three have ended."""
        before = set(self.processes())
        generation = self._record().generation if (self.folder / "studies").exists() else 0
        command = [sys.executable, "-m", "tinderbox", "sweep", "job.yaml"]
        with subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        ) as started:
            if stop is not None:
                assert self.eventually(lambda: self._is_under_way(generation + 1), 120)
                stop(started.pid)
            output, errors = started.communicate(timeout=150)
        self.eventually(lambda: set(self.processes()) <= before, 8)
        left = {pid: text for pid, text in self.processes().items() if pid not in before}
        return Ending(started.returncode, output, errors, open_study("stopped", str(self.folder / "studies")), left)

    def _record(self) -> Study:
        return open_study("stopped", str(self.folder / "studies")).record

    def _is_under_way(self, generation: int) -> bool:
        try:
            record = self._record()
        except TinderboxError:
            return False
        counts = record.counts
        return record.generation == generation and counts[State.COMPLETE] == 3 and counts[State.RUNNING] == 2


@pytest.fixture(scope="module")
def terminal(lay_out: LayOut, processes: Processes, eventually: Eventually) -> Terminal:
    """A folder with the job, its code and its data."""
    return Terminal(lay_out("stopped_objective", FUNCTION, JOB), processes, eventually)


@pytest.fixture(scope="module")
def interrupted(terminal: Terminal) -> Ending:
    """The command, stopped by Ctrl-C: SIGINT for its whole process group."""
    return terminal.run(lambda pid: os.killpg(pid, signal.SIGINT))


@pytest.fixture(scope="module")
def terminated(terminal: Terminal, interrupted: Ending) -> Ending:
    """The same command again, stopped by SIGTERM for the process, as a container is."""
    return terminal.run(lambda pid: os.kill(pid, signal.SIGTERM))


@pytest.fixture(scope="module")
def finished(terminal: Terminal, terminated: Ending) -> Ending:
    """The same command a third time, run to its end."""
    (terminal.folder / "go").touch()
    return terminal.run()


def test_ctrl_c_leaves_a_usable_study(interrupted: Ending, terminal: Terminal) -> None:
    """Exit code 130, one sentence, running trials given back, a report and the best so far."""
    assert interrupted.code == 130, interrupted.errors
    assert interrupted.errors == "stopped; run the same command again to continue\n"
    assert interrupted.states == ["complete"] * 3 + ["waiting"] * 3
    assert [interrupted.outcomes(number) for number in (3, 4)] == [["released"], ["released"]]
    assert interrupted.study.record.best is interrupted.study.record.trials[0]
    kept = {path.relative_to(terminal.folder / "studies" / "stopped").as_posix() for path in files(terminal.folder)}
    assert kept >= {"best/model", "best/parameters.yaml", "report.html", "optuna.log", "logs/trial-00000/attempt-1.log"}


def test_a_stop_redoes_no_epoch(interrupted: Ending, terminated: Ending, finished: Ending, terminal: Terminal) -> None:
    """A trial that reports is paused with its state, and goes on from it; one that says nothing is given back."""
    for ending in (interrupted, terminated):
        counted, silent = (ending.study.record.trials[number] for number in (3, 4))
        assert counted.kept == counted.epoch >= 1
        assert {attempt.cause for trial in (counted, silent) for attempt in trial.attempts} == {
            "the driver was asked to stop"
        }
        assert silent.epoch == 1
    epochs = [int(epoch) for epoch in (terminal.folder / "counted").read_text().split()]
    assert epochs == list(range(1, finished.study.record.trials[3].epoch + 1))


def test_ctrl_c_leaves_no_process(interrupted: Ending) -> None:
    """Java, Python workers, fork servers and the trials' processes are gone."""
    assert interrupted.left == {}


def test_sigterm_stops_as_ctrl_c_does(terminated: Ending) -> None:
    """Exit code 143, and only the trials that were running are run again."""
    assert terminated.code == 143, terminated.errors
    assert terminated.errors == "stopped; run the same command again to continue\n"
    assert terminated.states == ["complete"] * 3 + ["waiting"] * 3
    assert [terminated.outcomes(number) for number in (0, 3, 4)] == [["complete"], ["released"] * 2, ["released"] * 2]
    assert terminated.left == {}


def test_the_same_command_completes_the_study(finished: Ending) -> None:
    """Finished trials are not run again, the others complete, and the command says where everything is."""
    assert finished.code == 0, finished.errors
    assert finished.errors == ""
    assert finished.states == ["complete"] * 6
    assert [finished.outcomes(number)[-1] for number in range(6)] == ["complete"] * 6
    assert [len(finished.outcomes(number)) for number in range(6)] == [1, 1, 1, 3, 3, 1]
    assert finished.study.record.generation == 3
    assert "best of 6 trials of study stopped" in finished.output
    assert finished.study.report in finished.output
    assert finished.left == {}


def test_ctrl_c_while_spark_starts(terminal: Terminal, processes: Processes, eventually: Eventually) -> None:
    """Java, which is being started, does not outlive the command, and there is no study yet."""
    before = set(processes())
    command = [sys.executable, "-m", "tinderbox", "sweep", "job.yaml", "--set", "name=early"]
    with subprocess.Popen(
        command, cwd=terminal.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "starting Spark\n"
        assert eventually(lambda: is_starting(processes, before), 60)
        os.killpg(started.pid, signal.SIGINT)
        _, errors = started.communicate(timeout=150)
    assert (started.returncode, errors) == (130, "stopped; run the same command again to continue\n")
    assert eventually(lambda: set(processes()) <= before, 8)
    assert not (terminal.folder / "studies" / "early").exists()


def is_starting(processes: Processes, before: set[int]) -> bool:
    """Whether a Java for Spark is being started, by its script or by now itself."""
    return any("pyspark-shell" in text for pid, text in processes().items() if pid not in before)


def files(folder: Path) -> list[Path]:
    """Return the files of a study."""
    return [path for path in (folder / "studies" / "stopped").rglob("*") if path.is_file()]
