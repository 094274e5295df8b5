"""How good the winner is after a share of the grid's epochs: ours, random search, and Optuna with its Hyperband.

Trials are looked up: curves of the Databricks grid on scikit-learn's digits, recorded once (`record`), and between
the points of the grid interpolated. Time is simulated, four trials run at once, and an epoch takes as long as the
width makes it. What counts is the test accuracy that the chosen parameters have after a whole training, which no
search sees, against the best there is.
"""

from __future__ import annotations

import functools
import heapq
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from tests.bench.functions import cost
from tests.bench.record import EPOCHS, SPACE, TABLE
from tests.bench.rows import Row
from tinderbox.api.opening import rules_for
from tinderbox.config import SweepJob, check_sweep
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.events import CheckpointSaved, Parameters
from tinderbox.sweeping.messages import Answer, Ask, Finish, Lease, Report
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.study import Study

SHARES = (0.10, 0.20, 0.33)
SEEDS = 20
SLOTS = 4


def measure() -> list[Row]:
    """Measure every search at every share of the grid's epochs."""
    table = Table.load()
    rows = []
    for share in SHARES:
        budget = round(share * table.epochs)
        regrets = {
            name: [table.regret(search(table, seed, budget)) for seed in range(SEEDS) for search in searches]
            for name, searches in SEARCHES.items()
        }
        means = {name: 100 * statistics.mean(values) for name, values in regrets.items()}
        met = means["ours"] <= min(means["random"], means["hyperband"])
        rows.append(
            Row(
                f"regret after {share:.0%} of the grid's {table.epochs} epochs, {SEEDS} seeds",
                f"{means['ours']:.2f} points of test accuracy; with TPE in the place of random {means['tpe']:.2f}",
                f"random {means['random']:.2f}, Optuna's TPE with Hyperband {means['hyperband']:.2f}",
                f"{means['ours'] / max(min(means['random'], means['hyperband']), 1e-9):.2f}x the better one",
                "<= 1x",
                met,
            )
        )
    return rows


@dataclass(frozen=True)
class Table:
    """Validation and test accuracies by learning rate, width and epoch."""

    validation: RegularGridInterpolator
    test: RegularGridInterpolator
    epochs: int
    best: float

    @classmethod
    @functools.cache
    def load(cls) -> Table:
        """Return the recorded curves."""
        points = json.loads(TABLE.read_text())
        rates = sorted({point["parameters"]["learning_rate"] for point in points})
        widths = sorted({point["parameters"]["width"] for point in points})
        axes = (np.log(rates), np.log(widths), np.arange(1, EPOCHS + 1))

        def grid(name: str) -> NDArray[np.float64]:
            values = np.zeros((len(rates), len(widths), EPOCHS))
            for point in points:
                place = rates.index(point["parameters"]["learning_rate"]), widths.index(point["parameters"]["width"])
                # A rate that diverged reported nothing more: it guesses.
                told = point[name] + [0.1] * (EPOCHS - len(point[name]))
                values[place] = told
            return values

        test = grid("test")
        return cls(
            RegularGridInterpolator(axes, grid("validation")),
            RegularGridInterpolator(axes, test),
            len(points) * EPOCHS,
            float(test[:, :, -1].max()),
        )

    def value(self, parameters: Parameters, epoch: int) -> float:
        """Return the validation accuracy after an epoch."""
        return float(self.validation(_place(parameters, epoch)).item())

    def regret(self, parameters: Parameters) -> float:
        """Return what the parameters' whole training lacks of the best one's, in test accuracy."""
        return max(self.best - float(self.test(_place(parameters, EPOCHS)).item()), 0.0)


def _place(parameters: Parameters, epoch: int) -> tuple[float, float, int]:
    return float(np.log(float(parameters["learning_rate"]))), float(np.log(float(parameters["width"]))), epoch


@dataclass
class Simulation:
    """A study of ours on simulated time, until its epochs are used up."""

    table: Table
    job: SweepJob
    budget: int
    now: float = 0.0
    requests: int = 0
    working: list[tuple[float, str, Lease, int]] = field(default_factory=list)
    idle: list[str] = field(default_factory=lambda: [f"slot-{number}" for number in range(SLOTS)])

    def run(self) -> Study:
        """Let trials run and return the study."""
        job, proposer = self.job, Proposer(self.job)
        study = Study(*job.aims)
        coordinator = Coordinator(study, rules_for(job, proposer), lambda event: None, self.now)
        for _ in range(self.budget):
            while (number := coordinator.wanted()) is not None:
                parameters = proposer.propose(number, coordinator.look())
                coordinator.propose(parameters, len(study.ended), proposer.is_baseline(number), self.now)
            waiting, self.idle = self.idle, []
            for slot in waiting:
                self._take(slot, coordinator.lease(self._ask(slot), self.now))
            if not self.working:
                break
            self.now, slot, lease, epoch = heapq.heappop(self.working)
            self._report(coordinator, slot, lease, epoch)
        return study

    def _ask(self, slot: str) -> Ask:
        self.requests += 1
        return Ask(slot=slot, node="node", request=self.requests)

    def _take(self, slot: str, answer: Answer) -> None:
        if answer.lease is None:
            self.idle.append(slot)
        else:
            self._train(slot, answer.lease, answer.lease.resume.epoch + 1 if answer.lease.resume else 1)

    def _train(self, slot: str, lease: Lease, epoch: int) -> None:
        heapq.heappush(self.working, (self.now + cost(int(lease.parameters["width"])), slot, lease, epoch))

    def _report(self, coordinator: Coordinator, slot: str, lease: Lease, epoch: int) -> None:
        """Report an epoch and do what is said."""
        trial, attempt, last = lease.trial, lease.attempt, epoch == EPOCHS
        metrics = {self.job.metric.name: self.table.value(lease.parameters, epoch)}
        report = Report(slot=slot, attempt=attempt, epoch=epoch, metrics=metrics, last=last, can_save=True)
        decision = coordinator.report(trial, report, self.now)
        if decision.save:
            path = f"{trial}-{attempt}-{epoch}"
            saved = CheckpointSaved(
                time=self.now, trial=trial, attempt=attempt, epoch=epoch, path=path, sha256="", size=0
            )
            coordinator.saved(saved, slot)
        if decision.action == "go_on" and not last:
            self._train(slot, lease, epoch + 1)
        else:
            finish = Finish(ask=self._ask(slot), attempt=attempt, outcome="paused" if not last else "complete")
            self._take(slot, coordinator.finish(trial, finish, self.now))


def ours(table: Table, seed: int, budget: int, search: str = "random") -> Parameters:
    """Return what a sparse random sample with rungs chooses, as ASHA's authors run it."""
    tree = {
        "kind": "sweep",
        "name": "regret",
        "objective": "functions:digits",
        "metric": {"name": "val_accuracy", "direction": "maximize"},
        "parameters": {name: {key: part[key] for key in part if key != "grid"} for name, part in SPACE.items()},
        "search": search,
        "budget": {"trials": 1_000},
        "rungs": {"min_epochs": 1, "reduction": 3},
        "epochs": EPOCHS,
        "seed": seed,
    }
    study = Simulation(table, check_sweep(tree, "the bench"), budget).run()
    told = [trial for trial in study.trials.values() if trial.reports]
    return max(told, key=lambda trial: trial.value("val_accuracy") or 0.0).parameters


def at_random(table: Table, seed: int, budget: int) -> Parameters:
    """Return what random search with whole trainings chooses."""
    rng = np.random.default_rng(seed)
    tried = [draw(rng) for _ in range(-(-budget // EPOCHS))]
    epochs = [min(EPOCHS, budget - EPOCHS * number) for number in range(len(tried))]
    return max(zip(tried, epochs, strict=True), key=lambda one: table.value(*one))[0]


def draw(rng: np.random.Generator) -> Parameters:
    """Return a point of the space, uniform in the logarithms."""
    return {name: part["low"] * (part["high"] / part["low"]) ** float(rng.random()) for name, part in SPACE.items()}


def hyperband(table: Table, seed: int, budget: int, draw: int = 0) -> Parameters:
    """Return what Optuna's TPE with its Hyperband pruner chooses; one trial at a time, which tells it most.

    It deals trials to its brackets by the study's name, which is a matter of luck like the seed.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS, reduction_factor=3)
    sampler = optuna.samplers.TPESampler(seed=seed)
    name = f"regret-{seed}-{draw}"
    study = optuna.create_study(study_name=name, direction="maximize", sampler=sampler, pruner=pruner)
    best, left = (-1.0, Parameters()), budget
    while left > 0:
        trial = study.ask()
        parameters: Parameters = {
            name: trial.suggest_float(name, part["low"], part["high"], log=True) for name, part in SPACE.items()
        }
        value, pruned = 0.0, False
        for epoch in range(1, min(EPOCHS, left) + 1):
            value, left = table.value(parameters, epoch), left - 1
            trial.report(value, epoch)
            if pruned := trial.should_prune():
                break
        study.tell(trial, None if pruned else value, optuna.trial.TrialState.PRUNED if pruned else None)
        best = max(best, (value, parameters), key=lambda one: one[0])
    return best[1]


SEARCHES: dict[str, list[Callable[[Table, int, int], Parameters]]] = {
    "ours": [ours],
    "tpe": [partial(ours, search="tpe")],
    "random": [at_random],
    "hyperband": [partial(hyperband, draw=draw) for draw in range(5)],
}
