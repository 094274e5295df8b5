"""What to try next: every method is a function of the trial's number and of the trials that have ended.

Nothing else is remembered between two calls, so a study resumed from its record proposes what an undisturbed one
would have proposed after the same events. Only cma-es also carries its covariance along, and learns it anew after a
resume.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from tinderbox.config import AnyParameter, SweepJob
from tinderbox.errors import BadInput
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.space import complete, defaults, from_unit, grid, grid_values


class Method(Protocol):
    """One way to search a space."""

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the parameters of trial `number`, given the trials before it."""


class Grid:
    """All points of the grid; fewer than all are a random choice among them, so that no corner is left out.

    The dearest ones cannot go first: what a point costs is not known before it has run.
    """

    def __init__(self, space: Mapping[str, AnyParameter], seed: int, limit: int | None) -> None:
        points = grid(space)
        if limit is not None and limit < len(points):
            order = np.random.default_rng(derive(seed, 0, "order")).permutation(len(points))
            points = [points[index] for index in order[:limit]]
        self._points = points

    def start_with(self, first: Sequence[Parameters]) -> int:
        """Put points first, moved there if they are points of the grid, and return the number of trials."""
        self._points = [*first, *(point for point in self._points if point not in first)]
        return len(self._points)

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the point with this number."""
        return self._points[number]


class Random:
    """Independent uniform draws, seeded by the trial's number."""

    def __init__(self, space: Mapping[str, AnyParameter], seed: int) -> None:
        self._space, self._seed = space, seed

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the draw with this number."""
        rng = np.random.default_rng(derive(self._seed, number, "search"))
        return from_unit(self._space, rng.random(len(self._space)).tolist())


class QuasiRandom:
    """A scrambled Sobol sequence (Owen 1998, by SciPy): evenly spread however early it is stopped."""

    def __init__(self, space: Mapping[str, AnyParameter], seed: int) -> None:
        self._space, self._seed = space, derive(seed, 0, "search")

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the point of the sequence with this number."""
        from scipy.stats.qmc import Sobol

        sequence = Sobol(len(self._space), scramble=True, rng=self._seed)
        if number:  # SciPy 1.17 raises OverflowError for a step of 0
            sequence.fast_forward(number)
        return from_unit(self._space, sequence.random(1)[0].tolist())


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
        return Grid(job.parameters, job.seed, job.budget.trials)
    if job.search.method == "random":
        return Random(job.parameters, job.seed)
    if job.search.method == "qmc":
        return QuasiRandom(job.parameters, job.seed)
    if job.search.method == "gp" and importlib.util.find_spec("torch") is None:
        raise BadInput("search gp needs PyTorch, which is not installed; run pip install 'tinderbox[gp]' or search tpe")
    from tinderbox.sweeping.projection import Sampled

    return Sampled(job)
