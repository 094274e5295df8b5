"""`tinderbox.sweep` in a notebook: a function, arrays and a session at hand."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

import tinderbox
from tinderbox.cli import main
from tinderbox.config import check_sweep
from tinderbox.errors import BadInput, NoTrialSucceeded, TinderboxError
from tinderbox.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPACE = {"x": tinderbox.Float(low=0, high=1)}


@pytest.fixture(scope="module")
def spark(processes: Callable[[], dict[int, str]]) -> Iterator[SparkSession]:
    """A session with two slots' worth of cores."""
    processes()
    tree = {
        "kind": "sweep",
        "name": "session",
        "objective": "none:none",
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {"x": {"type": "float", "low": 0, "high": 1, "grid": 2}},
        "search": "grid",
        "epochs": 1,
    }
    session = open_session(check_sweep(tree, "test"), "local[2]", None)
    yield session
    session.stop()


@pytest.fixture
def sweep(spark: SparkSession, tmp_path: Path) -> Callable[..., tinderbox.SweepResult]:
    """`tinderbox.sweep` with all that these tests have in common."""

    def call(train: Callable[[tinderbox.Trial], None], **changes: Any) -> tinderbox.SweepResult:
        options: dict[str, Any] = {
            "metric": "loss",
            "direction": "minimize",
            "epochs": 1,
            "search": "random",
            "trials": 4,
            "spark": spark,
            "preload": [],
            "storage": str(tmp_path / "studies"),
            "data": arrays(0),
        }
        return tinderbox.sweep(train, changes.pop("space", SPACE), **(options | changes))

    return call


def arrays(start: int) -> dict[str, np.ndarray]:
    """Return a hundred examples that count from `start`."""
    return {"x": np.arange(start, start + 100.0).reshape(100, 1), "y": np.arange(100) % 2}


def test_a_sweep_of_a_local_function(sweep: Callable[..., tinderbox.SweepResult], spark: SparkSession) -> None:
    """A function defined where it is used, arrays as data: trials, best parameters, report; the session lives on."""
    shift = 0.25

    def train(trial: tinderbox.Trial) -> None:
        for epoch in range(1, trial.epochs + 1):
            trial.report(epoch, loss=(trial.params["x"] - shift) ** 2, seen=len(trial.data.train))

    result = sweep(train, epochs=2, trials=5)
    trials = result.trials
    assert trials["state"].tolist() == ["complete"] * 5
    assert trials["epoch"].tolist() == [2] * 5
    assert trials["loss"].tolist() == pytest.approx(((trials["x"] - shift) ** 2).tolist())
    assert result.best_parameters == {"x": trials["x"][trials["loss"].idxmin()]}
    assert result.best_value == trials["loss"].min()
    assert result.record.trials[0].reports[1]["seen"] == 60
    assert Path(result.report).read_text().startswith("<!doctype html>")
    assert spark.range(3).count() == 3


def test_the_same_call_again_runs_nothing_again(sweep: Callable[..., tinderbox.SweepResult], tmp_path: Path) -> None:
    """A finished study is returned as it is; --fresh of the command line is `fresh` here."""
    marks = tmp_path / "marks"
    marks.mkdir()

    def train(trial: tinderbox.Trial) -> None:
        (marks / f"{trial.number}-{time.time_ns()}").touch()
        trial.report(1, loss=trial.params["x"])

    first = sweep(train)
    assert sweep(train).trials["loss"].tolist() == first.trials["loss"].tolist()
    assert len(list(marks.iterdir())) == 4
    assert len(sweep(train, fresh=True).trials) == 4
    assert len(list(marks.iterdir())) == 8
    assert (tmp_path / "studies" / "notebook-1" / "report.html").exists()


def test_each_study_sees_its_own_data(sweep: Callable[..., tinderbox.SweepResult], tmp_path: Path) -> None:
    """Two studies of one name in one session, kept in two places, do not mix their data up."""

    def train(trial: tinderbox.Trial) -> None:
        trial.report(1, loss=float(trial.data.train.x.min()))

    low = sweep(train, data=arrays(0), trials=1, storage=str(tmp_path / "one"))
    high = sweep(train, data=arrays(1000), trials=1, storage=str(tmp_path / "two"))
    assert low.best_value is not None
    assert high.best_value is not None
    assert low.best_value < 1000 <= high.best_value


@pytest.mark.usefixtures("spark")
def test_a_session_at_hand_is_used_and_left_alone(
    sweep: Callable[..., tinderbox.SweepResult], spark: SparkSession
) -> None:
    """A call without `spark` runs on the notebook's session, and does not stop it."""
    assert sweep(lambda trial: trial.report(1, loss=trial.params["x"]), spark=None).best_value is not None
    assert spark.range(3).count() == 3


def test_a_function_of_a_module_travels_with_its_folder(
    sweep: Callable[..., tinderbox.SweepResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function imported from a file runs on executors that know the file from `code` only."""
    (tmp_path / "notebook_objective.py").write_text(
        "import notebook_helper\n\ndef train(trial):\n    trial.report(1, loss=notebook_helper.LOSS)\n"
    )
    (tmp_path / "notebook_helper.py").write_text("LOSS = 0.25\n")
    monkeypatch.syspath_prepend(tmp_path)
    train = importlib.import_module("notebook_objective").train
    assert sweep(train, trials=1, code=str(tmp_path)).best_value == 0.25


def test_a_failing_trial_is_one_trials_loss(sweep: Callable[..., tinderbox.SweepResult]) -> None:
    """A function that raises, reports NaN, ends its process or returns without a report costs that trial only."""

    def train(trial: tinderbox.Trial) -> None:
        match trial.params["way"]:
            case "raises":
                raise ValueError("no such layer")
            case "diverges":
                trial.report(1, loss=float("nan"))
            case "exits":
                os._exit(3)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "well":
                trial.report(1, loss=1.0)

    ways = ["raises", "diverges", "exits", "killed", "silent", "well"]
    result = sweep(train, space={"way": tinderbox.Choice(choices=ways)}, search="grid", trials=None)
    outcomes = {row.way: (row.state, row.cause) for row in result.trials.itertuples()}
    assert outcomes == {
        "raises": ("failed", "ValueError: no such layer"),
        "diverges": ("diverged", "loss was nan in epoch 1"),
        "exits": ("failed", "the trial's process ended with exit code 3 before the function returned"),
        "killed": ("failed", "the trial's process was killed by SIGKILL"),
        "silent": ("failed", "the function returned without a report; call trial.report(epoch, loss=...)"),
        "well": ("complete", ""),
    }
    assert result.best_parameters == {"way": "well"}
    assert 'raise ValueError("no such layer")' in result.log(0)


def test_a_study_in_which_all_fail(sweep: Callable[..., tinderbox.SweepResult], tmp_path: Path) -> None:
    """A study without one value says so with the first cause, and leaves a record and a report."""

    def train(trial: tinderbox.Trial) -> None:
        raise ValueError(f"trial {trial.number} cannot")

    with pytest.raises(
        NoTrialSucceeded, match=r"no trial has a value \(4 failed\); trial \d failed because Value"
    ) as no:
        sweep(train)
    assert no.value.exit_code == 4
    study = tinderbox.open_study("notebook", str(tmp_path / "studies"))
    assert study.trials["state"].tolist() == ["failed"] * 4
    assert study.best_parameters is None
    assert Path(study.report).exists()


@pytest.mark.usefixtures("spark")
def test_the_command_line_ends_with_4_where_all_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same at the command line, on the session at hand: exit code 4 and one sentence."""
    (tmp_path / "failing_objective.py").write_text("def train(trial):\n    raise ValueError('too large')\n")
    np.savez(tmp_path / "data.npz", **arrays(0))
    (tmp_path / "job.yaml").write_text(
        "{kind: sweep, name: failing, objective: failing_objective:train, code: ., preload: [], epochs: 1,"
        " metric: {name: loss, direction: minimize}, search: grid, data: {source: npz, path: data.npz},"
        " parameters: {x: {type: int, low: 1, high: 2, grid: 2}}}"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    before = signal.getsignal(signal.SIGTERM)
    result = CliRunner().invoke(main, ["sweep", "job.yaml"])
    signal.signal(signal.SIGTERM, before)
    assert result.exit_code == 4
    assert result.stderr.startswith("tinderbox: no trial has a value (2 failed); trial ")
    assert result.stderr.endswith(" failed because ValueError: too large\n")
    assert "[2/2] trial " in result.stdout
    assert (tmp_path / "studies" / "failing" / "report.html").exists()


def test_time_ends_a_study(
    sweep: Callable[..., tinderbox.SweepResult],
    processes: Callable[[], dict[int, str]],
    eventually: Callable[[Callable[[], bool], float], bool],
    tmp_path: Path,
) -> None:
    """When the time is used up, running trials are stopped though they report nothing, and their processes end."""
    pids = tmp_path / "pids"
    pids.mkdir()

    def train(trial: tinderbox.Trial) -> None:
        (pids / str(os.getpid())).touch()
        trial.report(1, loss=trial.params["x"])
        if trial.number:
            time.sleep(180)

    began = time.monotonic()
    result = sweep(train, epochs=2, trials=None, budget={"time": "20s"})  # a busy machine has no slot within five
    assert time.monotonic() - began < 90
    assert result.record.cause == "its time is used up"
    assert sorted(result.trials["state"].unique()) == ["complete", "waiting"]
    assert result.trials["state"][0] == "complete"
    begun = [trial for trial in result.record.trials.values() if trial.attempts][1:]
    assert {(trial.attempts[-1].outcome, trial.cause) for trial in begun} == {
        ("released", "the study's time is used up")
    }
    started = {int(path.name) for path in pids.iterdir()}
    assert eventually(lambda: not started & set(processes()), 5)


def test_a_killed_worker_costs_an_attempt(
    sweep: Callable[..., tinderbox.SweepResult],
    processes: Callable[[], dict[int, str]],
    eventually: Callable[[Callable[[], bool], float], bool],
    tmp_path: Path,
) -> None:
    """A kill -9 of a slot's Python worker: its trial is leased again, the record tells of it, its child ends."""
    mark, child = tmp_path / "worker", tmp_path / "child"

    def train(trial: tinderbox.Trial) -> None:
        if trial.number == 2 and not child.exists():
            child.write_text(str(os.getpid()))
            mark.write_text(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
            time.sleep(60)
        trial.report(1, loss=trial.params["x"], inode=Path(trial.data.train.x.filename).stat().st_ino)

    def kill() -> None:
        while not (mark.exists() and mark.read_text()):
            time.sleep(0.05)
        os.kill(int(mark.read_text()), signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    result = sweep(train)
    assert result.trials["state"].tolist() == ["complete"] * 4
    assert result.trials["attempts"].tolist() == [1, 1, 2, 1]
    lost = result.record.trials[2].attempts[0]
    assert lost.outcome == "lost"
    assert lost.cause.startswith(f"slot {lost.slot} on ")
    left = next(life for life in result.record.slots if life.slot == lost.slot)
    assert left.left is not None
    assert "Python worker exited unexpectedly" in left.cause
    inodes = {trial.reports[1]["inode"] for trial in result.record.trials.values()}
    assert len(inodes) == 1, "slots of one executor share one file"
    assert eventually(lambda: int(child.read_text()) not in processes(), 5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"space": {}}, "parameters"),
        ({"space": {"x": {"type": "float", "low": 1, "high": 0}}}, "low must be below high"),
        ({"direction": "up"}, "direction"),
        ({"search": "guess"}, "search"),
        ({"trials": None}, "search random has no end of its own"),
        ({"trials": 0}, "budget.trials"),
        ({"epoch": 3}, "unknown key 'epoch' in the job; did you mean epochs?"),
        ({"data": {"x": np.zeros((3, 2)), "y": np.zeros(2)}}, "equally long"),
        ({"data": "digit"}, "data needs source"),
        ({"name": "My Study"}, "lower-case"),
    ],
)
def test_bad_input_is_a_sentence(
    sweep: Callable[..., tinderbox.SweepResult], tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    """What cannot be run is refused in one sentence before anything is written."""
    with pytest.raises(BadInput) as refused:
        sweep(lambda trial: trial.report(1, loss=0.0), **changes)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "studies").exists()


def test_a_wrong_parameter_is_a_sentence() -> None:
    """A parameter that cannot be is refused where it is written."""
    with pytest.raises(TinderboxError, match=r"low must be below high, got low 1\.0 and high 0\.0"):
        tinderbox.Float(low=1, high=0)
