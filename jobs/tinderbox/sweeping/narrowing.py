"""Where the best values of a parameter lie, by the trials so far.

A number is narrowed to where the best trials lie, and as far beyond them as the ends of a uniform distribution are
estimated to lie beyond a sample of it: by the mean gap of the sample (Lloyd, "Least-Squares Estimation of Location
and Scale Parameters Using Order Statistics", 1952). So a number that decides nothing, whose best trials lie everywhere,
stays as it is. A choice is dropped where the test of Mann and Whitney (1947) finds its trials worse than the others.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tinderbox.config import ChoiceParameter, IntParameter, Number, SweepJob, Value
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.rungs import ladder_of
from tinderbox.sweeping.space import AnyNumber
from tinderbox.sweeping.study import Study

BEST, LEAST = 0.1, 3
"""The share of all trials that are the best ones, as in TPE, and how many they are at least."""
STEP = 0.25
"""To which share of its range a number is narrowed at most, however close together its best trials lie."""
EDGE = 0.05
"""How close to an end of a range its best value lies on it, as a share of the range."""
OUTWARD = 0.25
"""How far it then goes beyond that end, as a share of the range."""
WORSE = 0.05
"""How probable the values of a choice may be, were it as good as the others, for it to be clearly worse."""

_YOUNG = (State.RUNNING, State.WAITING)

LARGEST = 2**53
"""No whole number goes further: so far all of them are floats too."""


@dataclass(frozen=True)
class Evidence:
    """Trials that speak for or against a value, `ranked` from the best, and those that `diverged`, the worst of all.

    Only values at equal epochs are compared: of the first `reached` trials those at the highest level that enough have
    come to, of the others those of the level that they have come to, for who came further was better there.
    """

    ranked: Sequence[Trial]
    reached: int
    diverged: Sequence[Trial]

    def __len__(self) -> int:
        """Return how many trials there are."""
        return len(self.ranked) + len(self.diverged)

    @property
    def best(self) -> Sequence[Trial]:
        """The best trials."""
        return self.ranked[: min(_best_of(len(self)), self.reached)]

    def of(self, name: str) -> Evidence:
        """Return the part of it that has a parameter."""
        return Evidence(
            [trial for trial in self.ranked if name in trial.parameters],
            sum(name in trial.parameters for trial in self.ranked[: self.reached]),
            [trial for trial in self.diverged if name in trial.parameters],
        )


def _best_of(count: int) -> int:
    return max(math.ceil(BEST * count), LEAST)


def weigh(study: Study, job: SweepJob) -> Evidence:
    """Return what the trials of a study say; those that failed say nothing, nor do those too young to be compared.

    One that breaks a constraint is as bad as one that diverged.
    """
    ladder, sign, told = ladder_of(job), study.signs[study.metric], dict[int, list[float]]()
    levels = [*(ladder.levels if ladder else ()), job.epochs]
    known = [*study.recalled, *(trial for trial in study.trials.values() if trial.repeats is None)]
    for trial in known:
        values = values_at(trial, levels, study.metric)
        if values and trial.state not in (State.FAILED, State.DIVERGED) and not study.broken(trial.last):
            told[trial.number] = [sign * value for value in values]
    trials = [trial for trial in known if trial.number in told]
    broken = [trial for trial in known if trial.state is State.COMPLETE and study.broken(trial.last)]
    diverged = [*(trial for trial in known if trial.state is State.DIVERGED), *broken]
    # On rungs the baseline runs whole, however bad it is.
    heights = sorted(len(told[trial.number]) for trial in trials if not trial.baseline)
    enough = _best_of(len(trials) + len(diverged))
    level = heights[-enough] if len(heights) >= enough else 1

    def rank(trial: Trial) -> tuple[int, float, int]:
        height = min(len(told[trial.number]), level)
        return -height, told[trial.number][height - 1], trial.number

    reached = [trial for trial in trials if len(told[trial.number]) >= level]
    below = [trial for trial in trials if len(told[trial.number]) < level and trial.state not in _YOUNG]
    return Evidence(sorted([*reached, *below], key=rank), len(reached), diverged)


def values_at(trial: Trial, levels: Sequence[int], metric: str) -> list[float]:
    """Return a trial's values at those of some ascending numbers of epochs that it has come to.

    That is the first report from there on, for not every epoch need be reported; a complete trial has come to all.
    """
    curve, values = trial.curve(metric), list[float]()
    for level in levels:
        at = next((value for epoch, value in curve if epoch >= level), None)
        if at is None and trial.state is State.COMPLETE and curve:
            at = curve[-1][1]
        if at is None:
            break
        values.append(at)
    return values


def narrow_number(
    name: str, parameter: AnyNumber, reach: Number, known: Evidence, outward: bool
) -> tuple[AnyNumber, list[str]]:
    """Return a number between narrower ends, and what is to be said of it; `reach` is as far as it has ever gone.

    Where its best value lies on an end of that, unless all values are as good, it goes beyond if it may go `outward`.
    """
    turn, back = (math.log, _power) if parameter.log else (float, float)
    best = [turn(float(trial.parameters[name])) for trial in known.best]
    tried = [turn(float(trial.parameters[name])) for trial in [*known.ranked, *known.diverged]]
    start, end = _around(best, tried, turn(parameter.low), turn(parameter.high))
    floor, ceiling = turn(reach.low), turn(reach.high)
    on_edge, step = EDGE * (ceiling - floor), OUTWARD * (ceiling - floor)
    if best[0] - floor <= on_edge and end < ceiling:
        low = min(back(floor - step), reach.low) if outward else reach.low
        narrowed = _between(parameter, low, back(end))
        return narrowed, _tell(name, "down", reach.low, narrowed.low)
    if ceiling - best[0] <= on_edge and start > floor:
        high = max(back(ceiling + step), reach.high) if outward else reach.high
        narrowed = _between(parameter, back(start), high)
        return narrowed, _tell(name, "up", reach.high, narrowed.high)
    low, high = (back(start) if start > floor else reach.low), (back(end) if end < ceiling else reach.high)
    return _between(parameter, low, high), []


def _power(place: float) -> float:
    """Return e to this power, as near to it as a float above 0 can be."""
    return math.exp(min(max(place, math.log(math.ulp(0.0))), math.log(sys.float_info.max)))


def _around(best: Sequence[float], tried: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """Return from where to where the best places lie, with a margin: what lies between two tries is not known."""
    span, apart = max(best) - min(best), len({place for place in tried if low <= place <= high}) - 1
    margin = max(span / (len(best) - 1), (high - low) / max(apart, 1))
    margin += max(STEP * (high - low) - span - 2 * margin, 0.0) / 2
    return min(best) - margin, max(best) + margin


def _between(parameter: AnyNumber, low: float, high: float) -> AnyNumber:
    """Return a number with other ends, which are whole, and differ, where it is whole."""
    if isinstance(parameter, IntParameter):
        least = 1 if parameter.log else -LARGEST
        low, high = max(math.floor(low), least), min(math.ceil(high), LARGEST)
        if low == high:
            low, high = (low, low + 1) if low < parameter.high else (low - 1, low)
    return parameter.model_copy(update={"low": low, "high": high})


def _tell(name: str, way: str, end: float, now: float) -> list[str]:
    was, becomes = (str(number) if isinstance(number, int) else f"{number:.4g}" for number in (end, now))
    if now == end:
        return [f"the best {name} lies at its end of {was}, and it goes no further"]
    return [f"{name} goes {way} to {becomes}, beyond its end of {was}, where its best value lies"]


def narrow_choice(name: str, parameter: ChoiceParameter, known: Evidence) -> tuple[ChoiceParameter, list[str]]:
    """Return a choice without the values that are clearly worse than the others, and what is to be said of it."""
    from scipy.stats import mannwhitneyu

    places = [(trial.parameters[name], place) for place, trial in enumerate(known.ranked)]
    places += [(trial.parameters[name], len(known.ranked)) for trial in known.diverged]
    wanted, kept, said = [trial.parameters[name] for trial in known.best], list[Value](), list[str]()
    for value in parameter.choices:
        mine = [place for chosen, place in places if chosen == value]
        others = [place for chosen, place in places if chosen != value]
        may_go = value not in wanted and len(mine) >= LEAST and wanted
        if may_go and mannwhitneyu(mine, others, alternative="greater").pvalue < WORSE:
            said.append(f"{name} is {value} no more, for its {len(mine)} trials were clearly worse")
        else:
            kept.append(value)
    return parameter.model_copy(update={"choices": kept}), said
