"""Studies to report on, made of the events that a real run would have recorded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tinderbox.config import SweepJob, check_sweep
from tinderbox.run import Run
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    Outcome,
    Parameters,
    Reported,
    RoundStarted,
    SlotJoined,
    StudyEnded,
    StudyStarted,
    TrialProposed,
    decode,
    encode,
)
from tinderbox.sweeping.past import look
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.study import Study
from tinderbox.sweeping.zoom import Narrowed

START = 1_780_000_000.0
WIDTHS = [8, 16, 32, 64, 128]
RATES = [round(10 ** (-4 + index * 0.5), 6) for index in range(7)]

GRID: dict[str, Any] = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "grid": RATES, "default": 1e-3},
    "width": {"type": "int", "low": 8, "high": 128, "log": True, "grid": WIDTHS, "default": 32},
}


def make_job(parameters: dict[str, Any] | None = None, **changes: Any) -> SweepJob:
    """Return a small, valid sweep over these parameters."""
    tree = {
        "kind": "sweep",
        "name": "digits-lr-width",
        "objective": "digits:train",
        "metric": {"name": "validation_accuracy", "direction": "maximize"},
        "parameters": parameters or GRID,
        "search": "grid",
        "epochs": 3,
        "seed": 7,
    }
    return check_sweep(tree | changes, "test")


@dataclass
class Scene:
    """A job and a study that grows by whole trials, one after the other on each slot."""

    job: SweepJob
    study: Study = field(init=False)
    clocks: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start the study."""
        self.study = Study(*self.job.aims)
        self.study.apply(StudyStarted(time=START, generation=1))
        for index in range(2):
            self.clocks[f"slot-{index}"] = START + 1
            self.study.apply(SlotJoined(time=START + 1, slot=f"slot-{index}", node=f"node-{index}"))

    def propose(self, parameters: Parameters, baseline: bool = False, repeats: int | None = None) -> int:
        """Add a trial that waits for a slot and return its number."""
        number = len(self.study.trials)
        event = TrialProposed(
            time=max(self.study.newest, min(self.clocks.values())),
            trial=number,
            parameters=parameters,
            seed=1000 + number,
            known=0,
            baseline=baseline,
            repeats=repeats,
        )
        self.study.apply(event)
        return number

    def repeat(self, number: int, value: float | Mapping[str, float]) -> None:
        """Run a trial's parameters once more."""
        again = self.propose(self.study.trials[number].parameters, repeats=number)
        slot = self.start(again)
        self.report(again, [value], slot)
        self.end(again, "complete", slot)

    def start(self, number: int) -> str:
        """Start the trial's next attempt on the slot that is free first and return the slot."""
        slot = min(self.clocks, key=lambda name: self.clocks[name])
        attempt = self.study.trials[number].attempt + 1
        node = slot.replace("slot", "node")
        self.study.apply(AttemptStarted(time=self.clocks[slot], trial=number, attempt=attempt, slot=slot, node=node))
        return slot

    def report(
        self, number: int, values: Sequence[float | Mapping[str, float]], slot: str, seconds: float = 4.0
    ) -> None:
        """Report one value, or several metrics, per epoch, `seconds` apart."""
        attempt = self.study.trials[number].attempt
        for epoch, value in enumerate(values, start=1):
            self.clocks[slot] += seconds
            metrics = dict(value) if isinstance(value, Mapping) else {self.job.metric.name: value}
            self.study.apply(
                Reported(time=self.clocks[slot], trial=number, attempt=attempt, epoch=epoch, metrics=metrics)
            )

    def end(self, number: int, outcome: Outcome, slot: str, cause: str = "", details: str = "") -> None:
        """End the trial's newest attempt."""
        attempt = self.study.trials[number].attempt
        self.clocks[slot] += 0.5
        self.study.apply(
            AttemptEnded(
                time=self.clocks[slot], trial=number, attempt=attempt, outcome=outcome, cause=cause, details=details
            )
        )

    def run(
        self,
        parameters: Parameters,
        values: Sequence[float | Mapping[str, float]],
        outcome: Outcome = "complete",
        cause: str = "",
        details: str = "",
        baseline: bool = False,
    ) -> int:
        """Run one trial from proposal to end and return its number."""
        number = self.propose(parameters, baseline)
        slot = self.start(number)
        self.report(number, values, slot)
        self.end(number, outcome, slot, cause, details)
        return number

    def search(self, function: Callable[[Parameters], float | None], trials: int | None = None) -> None:
        """Run the job's search one trial after the other, all or so many; where a function is None, the trial fails."""
        proposer = Proposer(self.job)
        while len(self.study.trials) < (trials or proposer.limit or 0):
            number = len(self.study.trials)
            if proposer.rounds and proposer.rounds.is_due(self.study):
                self._narrow(proposer.rounds.narrow(self.study), number)
            parameters = proposer.propose(number, look(self.study, ()))
            value = function(parameters)
            told, outcome = ([], "failed") if value is None else ([value], "complete")
            self.run(parameters, told, outcome, baseline=proposer.is_baseline(number))

    def _narrow(self, to: Narrowed, number: int) -> None:
        event = RoundStarted(
            time=self.study.newest, round=len(self.study.rounds) + 2, trial=number, space=to.space, cause=to.cause
        )
        self.study.apply(decode(encode(event)))  # as a driver that reads the record sees it

    def finish(self, cause: str = "the search is used up") -> None:
        """End the study."""
        self.study.apply(StudyEnded(time=max(self.clocks.values()), cause=cause))


def accuracy(lr: float, width: int) -> float:
    """Return a plausible accuracy: a valley in the learning rate that moves with the width, and chance beyond it."""
    centre = -1.9 - 0.25 * math.log2(width / 8)
    distance = math.log10(lr) - centre
    error = 0.012 + 0.05 / width**0.6 + 0.03 * distance**2
    return 1 - min(0.9, error if distance < 1.1 else error + 0.5 * (distance - 1.1))


TRACEBACK = """Traceback (most recent call last):
  File "digits.py", line 31, in train
    raise ValueError("<script>alert('no')</script>")
ValueError: <script>alert('no')</script>
"""


@pytest.fixture(scope="session")
def grid_scene() -> Scene:
    """A finished 35-point grid on two slots with one failed, one diverged and one lost attempt; only to be read."""
    scene = Scene(make_job())
    scene.run({"lr": 1e-3, "width": 32}, [0.81, 0.9, accuracy(1e-3, 32)], baseline=True)
    for lr in RATES:
        for width in WIDTHS:
            _run_point(scene, lr, width)
    scene.finish()
    return scene


def _run_point(scene: Scene, lr: float, width: int) -> None:
    value, point = accuracy(lr, width), {"lr": lr, "width": width}
    if point == {"lr": 1e-3, "width": 32}:
        return
    if point == {"lr": RATES[-1], "width": 128}:
        scene.run(point, [0.1, math.nan], "diverged", "validation_accuracy was nan in epoch 2")
    elif point == {"lr": RATES[1], "width": 16}:
        scene.run(point, [0.5], "failed", "ValueError: <script>alert('no')</script>", TRACEBACK)
    elif point == {"lr": RATES[3], "width": 64}:
        number = scene.propose(point)
        slot = scene.start(number)
        scene.report(number, [value - 0.2], slot)
        scene.end(number, "lost", slot, "its slot was not heard of for 30 s")
        slot = scene.start(number)
        scene.report(number, [value - 0.2, value - 0.05, value], slot)
        scene.end(number, "complete", slot)
    else:
        scene.run(point, [value - 0.2, value - 0.05, value])


@pytest.fixture
def choice_scene(make_scene: Callable[..., Scene]) -> Scene:
    """A finished study of accuracy against latency: two trials on the front, one beaten, one too slow, one failed."""
    scene = make_scene(
        search="random",
        budget={"trials": 9},
        objectives=[{"name": "latency<ms>", "direction": "minimize"}],
        constraints=[{"name": "latency<ms>", "max": 50}, {"name": "size", "min": 1}],
    )
    for width, accuracy, latency in ((8, 0.7, 9), (16, 0.9, 40), (32, 0.8, 41), (64, 0.95, 60)):
        told = {"validation_accuracy": accuracy, "latency<ms>": latency, "size": width}
        cause = "not feasible: latency<ms> is 60, not at most 50" if latency > 50 else ""
        scene.run({"lr": 1e-3, "width": width}, [{**told, "latency<ms>": 99}, told], "complete", cause)
    scene.run({"lr": 1e-3, "width": 128}, [], "failed", "ValueError: no")
    scene.finish()
    return scene


ZOOM: dict[str, Any] = {
    "rate": {"type": "float", "low": 1e-4, "high": 1, "log": True, "default": 0.01},
    "optimizer": {"type": "choice", "choices": ["rms", "<b>sgd</b>", "$adam$"], "default": "<b>sgd</b>"},
    "width": {"type": "int", "low": 8, "high": 1024, "log": True, "default": 256},
    "momentum": {"type": "float", "low": 0, "high": 0.9, "default": 0, "when": {"optimizer": "<b>sgd</b>"}},
}


def loss(parameters: Parameters) -> float | None:
    """Return the loss of a pretended function: best at a rate of 2.5, beyond its end, and a width of 45."""
    if parameters["rate"] > 8:
        return None
    penalty = {"rms": 4.0, "<b>sgd</b>": 0.5, "$adam$": 0.0}[parameters["optimizer"]]
    far = (math.log10(parameters["rate"]) - 0.4) ** 2 + 0.1 * (math.log2(parameters["width"]) - 5.5) ** 2
    return penalty + far


@pytest.fixture(scope="session")
def zoom_scene() -> Scene:
    """A finished search in three rounds, the last of which lost a choice and goes beyond an end; only to read."""
    scene = Scene(
        make_job(
            ZOOM,
            metric={"name": "loss", "direction": "minimize"},
            search={"method": "qmc", "zoom": {"rounds": 3}},
            budget={"trials": 60},
        )
    )
    scene.search(loss)
    scene.finish()
    return scene


@pytest.fixture(scope="session")
def run() -> Run:
    """The identity of a run."""
    return Run("digits-lr-width", "c" * 64, "d" * 64, "", "3.11.9", {"tinderbox": "0.1.0", "optuna": "5.0.0"})


@pytest.fixture
def job() -> SweepJob:
    """The job of the grid."""
    return make_job()


@pytest.fixture
def make_scene() -> Callable[..., Scene]:
    """A function that returns a running study of these parameters, in which no trial has been proposed yet."""
    return lambda parameters=None, **changes: Scene(make_job(parameters, **changes))
