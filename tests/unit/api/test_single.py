"""One trial without Spark: its parameters, in this process, and what it costs in a child."""

from __future__ import annotations

import os
import signal
import sys
import time
from bdb import BdbQuit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.api.plan import Plan, make_plan
from tinderbox.api.single import Cost, choose_parameters, measure_cost, run_here
from tinderbox.config import SweepJob, check_sweep
from tinderbox.data import from_arrays
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.sweeping.messages import Decision
from tinderbox.sweeping.trial import Trial

PARAMETERS: dict[str, Any] = {
    "optimizer": {"type": "choice", "choices": ["sgd", "adam"], "default": "sgd"},
    "rate": {"type": "float", "low": 0.001, "high": 1, "log": True},
    "width": {"type": "int", "low": 1, "high": 9, "default": 5},
    "momentum": {"type": "float", "low": 0, "high": 1, "default": 0.5, "when": {"optimizer": "sgd"}},
}


def make_job(**changes: Any) -> SweepJob:
    """Return a job with these parameters."""
    tree = {
        "kind": "sweep",
        "name": "single",
        "objective": "module:function",
        "preload": [],
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": PARAMETERS,
        "search": "random",
        "budget": {"trials": 3},
        "epochs": 3,
    }
    return check_sweep(tree | changes, "test")


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """Threads are set for this process; put back what was."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def plan_of(function: Callable[[Trial], None], **changes: Any) -> Plan:
    """Return the plan of a function over forty examples."""
    data = from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})
    return make_plan(make_job(**changes), Path(), function, data)


class Channel:
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.reports: list[tuple[int, dict[str, float], bool]] = []

    def report(self, epoch: int, metrics: dict[str, float], last: bool, can_save: bool) -> Decision:
        """Keep a report."""
        self.reports.append((epoch, metrics, last))
        return Decision()

    def save(self, epoch: int, save: object) -> None:
        """Refuse: nobody asked for a state."""
        raise AssertionError(epoch)


def test_parameters_given_and_defaults() -> None:
    """What is given goes first, in the order of the job, and the others take their default."""
    assert choose_parameters(make_job(), {"width": 3, "rate": 1}) == {
        "optimizer": "sgd",
        "rate": 1,
        "width": 3,
        "momentum": 0.5,
    }
    assert "momentum" not in choose_parameters(make_job(), {"rate": 0.1, "optimizer": "adam"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"lr": 1}, "there is no parameter 'lr'; the job has optimizer, rate, width, momentum"),
        ({}, "rate has no default; give --params rate=VALUE"),
        ({"rate": 2}, "rate must lie between 0.001 and 1.0, got 2"),
        ({"rate": float("nan")}, "rate must lie between 0.001 and 1.0, got nan"),
        ({"rate": "fast"}, "rate must be a number, got 'fast'"),
        ({"rate": True}, "rate must be a number, got True"),
        ({"rate": 0.1, "width": 2.5}, "width must be a whole number, got 2.5"),
        ({"rate": 0.1, "optimizer": "lion"}, "optimizer must be one of ['sgd', 'adam'], got 'lion'"),
        (
            {"rate": 0.1, "optimizer": "adam", "momentum": 0.9},
            "momentum exists only when {'optimizer': 'sgd'}; leave it out here",
        ),
    ],
)
def test_parameters_that_cannot_be(given: dict[str, Any], sentence: str) -> None:
    """Each mistake has one sentence with the value got and what is possible."""
    with pytest.raises(BadInput) as refused:
        choose_parameters(make_job(), given)
    assert str(refused.value) == sentence


def test_a_trial_runs_in_this_process() -> None:
    """The function is called here, with its parameters, the study's epochs and a seed of its own."""
    pids = []

    def train(trial: Trial) -> None:
        pids.append(os.getpid())
        for epoch in range(1, trial.epochs + 1):
            trial.report(epoch, checkpoint=lambda file: None, loss=trial.params["x"] / epoch)

    channel = Channel()
    over = run_here(plan_of(train), {"x": 6.0}, channel)
    assert over.outcome == "complete"
    assert pids == [os.getpid()]
    assert channel.reports == [(1, {"loss": 6.0}, False), (2, {"loss": 3.0}, False), (3, {"loss": 2.0}, True)]


def test_a_failure_in_this_process_is_told() -> None:
    """What the function raises is the outcome, with its traceback."""

    def train(trial: Trial) -> None:
        raise ValueError("no such layer")

    over = run_here(plan_of(train), {"x": 6.0}, Channel())
    assert (over.outcome, over.failure.cause) == ("failed", "ValueError: no such layer")
    assert "in train" in over.failure.details


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), KeyboardInterrupt(signal.SIGTERM), BdbQuit()])
def test_a_stop_by_the_user_is_no_failure(stop: BaseException) -> None:
    """Ctrl-C, a signal and quitting the debugger end the command; what the signal handler said stays with it."""

    def train(trial: Trial) -> None:
        raise stop

    with pytest.raises(KeyboardInterrupt) as stopped:
        run_here(plan_of(train), {"x": 6.0}, Channel())
    assert stop in (stopped.value, stopped.value.__cause__)


def test_the_cost_is_measured_over_two_epochs() -> None:
    """A child runs two epochs of a trial in the middle of the space, and no more."""

    def train(trial: Trial) -> None:
        time.sleep(0.3)
        for epoch in range(1, trial.epochs + 1):
            time.sleep(0.1 if epoch < 3 else 60)
            trial.report(epoch, loss=1.0)

    cost = measure_cost(plan_of(train), timeout=60)
    assert cost is not None
    assert 0.1 <= cost.epoch < 5
    assert cost.start >= 0.2
    assert cost.parameters["width"] == 5
    assert measure_cost(plan_of(train), timeout=0.05) is None


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_cost_of_a_trial_with_one_report(epochs: int) -> None:
    """Where there is one report, all that came before it is the epoch."""

    def train(trial: Trial) -> None:
        time.sleep(0.2)
        trial.report(1, loss=1.0)

    cost = measure_cost(plan_of(train, epochs=epochs), timeout=60)
    assert cost is not None
    assert cost.start == 0.0
    assert cost.epoch >= 0.2


def test_the_cost_of_a_trial_that_reports_now_and_then() -> None:
    """Where a report stands for several epochs, they share its time."""

    def train(trial: Trial) -> None:
        for epoch in (10, 20):
            time.sleep(0.2)
            trial.report(epoch, loss=1.0)

    cost = measure_cost(plan_of(train, epochs=100), timeout=60)
    assert cost is not None
    assert 0.02 <= cost.epoch < 0.1


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("raises", r"the function failed with .*width=5.*: ValueError: no such layer\nTraceback"),
        ("exits", r"the function failed with .*: the trial's process ended with exit code 3 before the function"),
        ("returns", r"the function failed with .*: the function returned without a report; call trial\.report"),
    ],
)
def test_a_failure_while_the_cost_is_measured(way: str, sentence: str) -> None:
    """However the function fails, one sentence says so, and with which parameters."""

    def train(trial: Trial) -> None:
        if way == "raises":
            raise ValueError("no such layer")
        if way == "exits":
            os._exit(3)

    with pytest.raises(TinderboxError, match=sentence):
        measure_cost(plan_of(train), timeout=60)


def test_the_cost_of_a_trial_whose_modules_are_preloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own are found in the fork server, and one that fails there, though not here, is a sentence."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "heavy.py").write_text(
        "import os, sys\nif 'SLOT' in os.environ: sys.exit('no memory')\nSERVER = os.getpid()\n"
    )
    (tmp_path / "mine" / "model.py").write_text(
        "import os, sys\n"
        "def train(trial):\n"
        "    assert sys.modules['heavy'].SERVER == os.getppid()\n"
        "    trial.report(1, loss=1.0)\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    data = from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})
    plan = make_plan(make_job(objective="model:train", code="mine", preload=["heavy"]), tmp_path, data=data)
    assert measure_cost(plan, timeout=60) is not None
    monkeypatch.setenv("SLOT", "1")
    with pytest.raises(TinderboxError, match=r"preload: module heavy does not import: SystemExit: no memory$"):
        measure_cost(plan, timeout=60)


def test_costs_add_up() -> None:
    """Slots share the trials, and more slots than trials are of no use."""
    cost = Cost(start=1.0, epoch=2.0, parameters={})
    assert cost.of_trial(4) == 9.0
    assert cost.of_study(trials=10, epochs=4, slots=2) == 45.0
    assert cost.of_study(trials=2, epochs=4, slots=8) == 9.0
