"""What to try next: every method is a function of the trial's number and of the trials that have ended.

Nothing else is remembered between two calls, so a study resumed from its record proposes what an undisturbed one
would have proposed after the same events. Only cma-es also carries its covariance along, and learns it anew after a
resume.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Protocol

from tinderbox.config import AnyParameter, SweepJob
from tinderbox.errors import BadInput
from tinderbox.sweeping.draws import QuasiRandom, Random
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.grid import Grid
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.space import complete, defaults, grid_values


class Method(Protocol):
    """One way to search a space."""

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the parameters of trial `number`, given the trials before it."""


class Proposer:
    """The parameters of trial after trial: the baseline first, where the job names one, then the points that the job
    starts with, then the method's choice.

    `limit` is the number of trials after which there are no more, None where only time ends the study. `is_instant`
    says that a proposal needs no time worth a thread, and nothing of other trials.

    Raises:
        BadInput: The job starts with a point that its space does not have, or its method cannot run here.
    """

    def __init__(self, job: SweepJob) -> None:
        self._has_baseline = defaults(job.parameters) is not None
        self._first = first_points(job)
        self._method = _method(job)
        self.is_instant = isinstance(self._method, Grid | Random)
        self.limit = job.budget.trials
        if isinstance(self._method, Grid):
            self.limit = self._method.start_with(self._first)
        elif self.limit is not None:
            self.limit += len(self._first)

    @property
    def first(self) -> int:
        """How many trials run what the job names, the baseline among them."""
        return len(self._first)

    def is_baseline(self, number: int) -> bool:
        """Whether the trial with this number runs the default parameters."""
        return number == 0 and self._has_baseline

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the parameters of trial `number`."""
        return self._first[number] if number < len(self._first) else self._method.propose(number, past)


def first_points(job: SweepJob) -> list[Parameters]:
    """Return the baseline, if there is one, and the points that the job starts with, each once.

    Raises:
        BadInput: The space does not have one of them.
    """
    baseline = defaults(job.parameters)
    points = [] if baseline is None else [baseline]
    for index, given in enumerate(job.search.start_with or []):
        try:
            point = complete(job.parameters, given)
            if job.search.method == "grid":
                _check_on_grid(job.parameters, point)
        except BadInput as error:
            raise BadInput(f"search.start_with.{index}: {error}") from error
        if point not in points:
            points.append(point)
    return points


def _check_on_grid(space: Mapping[str, AnyParameter], point: Parameters) -> None:
    for name, value in point.items():
        values = grid_values(space[name])
        if value not in values:
            raise BadInput(f"{name} is {value}, which is not in its grid; take one of {', '.join(map(str, values))}")


def _method(job: SweepJob) -> Method:
    if job.search.method == "grid":
        return Grid(job.parameters, job.seed, job.budget.trials, job.search.cost or ())
    if job.search.method == "random":
        return Random(job.parameters, job.seed)
    if job.search.method == "qmc":
        return QuasiRandom(job.parameters, job.seed)
    if job.search.method == "gp" and importlib.util.find_spec("torch") is None:
        raise BadInput("search gp needs PyTorch, which is not installed; run pip install 'tinderbox[gp]' or search tpe")
    from tinderbox.sweeping.projection import Sampled

    return Sampled(job)
