"""What to try next: every method is a function of the trial's number and of the trials that have ended.

Nothing else is remembered between two calls, so a study resumed from its record proposes what an undisturbed one
would have proposed after the same events. Only cma-es also carries its covariance along, and learns it anew after a
resume.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from typing import Protocol

from tinderbox.config import AnyParameter, SweepJob
from tinderbox.errors import BadInput
from tinderbox.sweeping.draws import QuasiRandom, Random
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.grid import Grid, key_of
from tinderbox.sweeping.past import Past
from tinderbox.sweeping.space import complete, defaults, grid, grid_values
from tinderbox.sweeping.zoom import Rounds


class Method(Protocol):
    """One way to search a space."""

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the parameters of trial `number`, given the trials before it."""


class Proposer:
    """The parameters of trial after trial: the baseline first, where the job names one, then the points that the job
    starts with, then the method's choice, in narrower spaces from round to round where it zooms.

    `limit` is the number of trials after which there are no more, None where only time ends the study. `is_instant`
    says that a proposal needs no time worth a thread, and of other trials only their points.

    Raises:
        BadInput: The job starts with a point that its space does not have, or its method cannot run here.
    """

    def __init__(self, job: SweepJob) -> None:
        check_method(job)
        self._job, self._first = job, first_points(job)
        self._has_baseline = defaults(job.parameters) is not None
        self.is_instant = job.search.method in ("grid", "random")
        self._narrowed, zoom = 0, job.search.zoom
        self._method, beside, self.limit = self._open(zoom.rounds if zoom else 1)
        self.rounds = None if zoom is None or self.limit is None else Rounds(job, zoom, self.limit, beside)

    def _open(self, rounds: int) -> tuple[Method, int, int | None]:
        """Return the method of the first round, how many trials come beside its own, and how many there are in all."""
        job, trials = self._job, self._job.budget.trials
        if job.search.method != "grid":
            beside = len(self._first)
            return begin_method(job, job.parameters), beside, None if trials is None else trials + beside
        points = grid(job.parameters)
        trials = min(trials or len(points) * rounds, len(points) * rounds)
        method = Grid(points, job.seed, math.ceil(trials / rounds), job.search.cost or ())
        share = len(method)
        for point in self._first:
            method.take(point)
        beside = len(self._first) - (share - len(method))
        return method, beside, trials + beside

    @property
    def first(self) -> int:
        """How many trials run what the job names, the baseline among them."""
        return len(self._first)

    def is_baseline(self, number: int) -> bool:
        """Whether the trial with this number runs the default parameters."""
        return number == 0 and self._has_baseline

    def propose(self, number: int, past: Past) -> Parameters:
        """Return the parameters of trial `number`."""
        if number < len(self._first):
            return self._first[number]
        if len(past.rounds) != self._narrowed:
            self._narrowed, self._method = len(past.rounds), self._go_on(past)
        return self._method.propose(number, past)

    def _go_on(self, past: Past) -> Method:
        """Return the method of the newest round; a grid has new points, no more of them than the round has trials."""
        job, begun = self._job, past.rounds[-1]
        if job.search.method != "grid" or self.rounds is None:
            return begin_method(job, begun.space, begun.trial)
        tried = {key_of(past.proposed[number].parameters) for number in range(begun.trial)}
        points = [point for point in grid(begun.space) if key_of(point) not in tried]
        share, more = self.rounds.end(past.rounds) - begun.trial, QuasiRandom(begun.space, job.seed, begun.trial)
        return Grid(points, job.seed, share, job.search.cost or (), begun.trial, more)


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


def check_method(job: SweepJob) -> None:
    """Return if the job's method can run here.

    Raises:
        BadInput: It needs PyTorch, which is not installed.
    """
    if job.search.method == "gp" and importlib.util.find_spec("torch") is None:
        raise BadInput("search gp needs PyTorch, which is not installed; run pip install 'tinderbox[gp]' or search tpe")


def begin_method(job: SweepJob, space: Mapping[str, AnyParameter], begin: int = 0) -> Method:
    """Return the job's method, which is no grid, in a space, from trial `begin` on."""
    if job.search.method == "random":
        return Random(space, job.seed)
    if job.search.method == "qmc":
        return QuasiRandom(space, job.seed, begin)
    from tinderbox.sweeping.projection import Sampled

    return Sampled(job, space)
