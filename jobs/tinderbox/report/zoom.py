"""How a search went from a sparse sample to a narrowed space: the trials of each round, and the box they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tinderbox.config import AnyParameter, ChoiceParameter, SweepJob
from tinderbox.report.axes import Axis, Space, choose_axes
from tinderbox.report.front import describe
from tinderbox.report.wording import number, plain
from tinderbox.sweeping.narrowing import weigh
from tinderbox.sweeping.study import Study


@dataclass(frozen=True)
class Point:
    """One trial; `rank` goes from 0 for the worst to 1 for the best, None where nothing can be compared."""

    x: float
    y: float
    trial: int
    rank: float | None
    about: tuple[str, ...]


@dataclass(frozen=True)
class Round:
    """From where to where a round searched, its trials, and a sentence on it."""

    x: tuple[float, float]
    y: tuple[float, float]
    points: tuple[Point, ...]
    sentence: str


@dataclass(frozen=True)
class Zoomed:
    """What to draw: all rounds that have begun, over the two parameters that they narrowed or moved most."""

    x: Axis
    y: Axis
    rounds: tuple[Round, ...]
    best: Point | None


def zoomed(study: Study, job: SweepJob) -> Zoomed | None:
    """Return the rounds of a search, None without zoom, or where no parameter that all trials have took two values.

    Trials are ranked as the search ranks them; those that repeat others are left out.
    """
    if job.search.zoom is None:
        return None
    trials = [trial for _, trial in sorted(study.trials.items()) if trial.repeats is None]
    spaces: list[Space] = [job.parameters, *(begun.space for begun in study.rounds)]
    x, *others = choose_axes([trial.parameters for trial in trials if not trial.baseline], spaces)
    if not others:
        return None
    y = others[0]
    ranked = [trial.number for trial in weigh(study, job).ranked if trial.number in study.trials]
    ranks = {trial: 1 - place / max(len(ranked) - 1, 1) for place, trial in enumerate(ranked)}
    points = {
        trial.number: Point(
            x.place(trial), y.place(trial), trial.number, ranks.get(trial.number), describe(trial, study)
        )
        for trial in trials
    }
    begins = [0, *(begun.trial for begun in study.rounds), trials[-1].number + 1]
    rounds = [
        Round(
            x.span(space, begin, end),
            y.span(space, begin, end),
            tuple(points[number] for number in range(begin, end) if number in points),
            sentence,
        )
        for space, (begin, end), sentence in zip(spaces, pairwise(begins), _tell(study, spaces), strict=True)
    ]
    return Zoomed(x, y, tuple(rounds), points.get(study.best.number) if study.best else None)


def _tell(study: Study, spaces: Sequence[Space]) -> list[str]:
    """Return of each round where it searches, as far as that has changed, and why."""
    told = ["Round 1: the whole space."]
    for begun, (before, now) in zip(study.rounds, pairwise(spaces), strict=True):
        changed = [f"{name} {_extent(now[name])}" for name in now if _extent(now[name]) != _extent(before[name])]
        about = ", ".join([f"from trial {begun.trial} on", *changed])
        told.append(f"Round {begun.round}, {about}: {begun.cause}.")
    return told


def _extent(parameter: AnyParameter) -> str:
    if isinstance(parameter, ChoiceParameter):
        return " or ".join(map(plain, parameter.choices))
    return f"{number(parameter.low)} to {number(parameter.high)}"
