"""What the top of the page says: how the study stands, and what tuning gained."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.config import SweepJob
from tinderbox.models.gain import Gain
from tinderbox.report.wording import count, duration, moment, number, parameters
from tinderbox.sweeping.confirming import confirmations
from tinderbox.sweeping.history import State
from tinderbox.sweeping.study import Study


@dataclass(frozen=True)
class Tile:
    """One figure of the headline."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Bar:
    """A line of a table in words, and the length of its bar in percent of the longest one's."""

    cells: tuple[str, ...]
    length: float


@dataclass(frozen=True)
class Comparison:
    """A gain in words; `zero`, `low`, `middle` and `high` are places on a scale from 0 to 100."""

    measure: str
    best: str
    baseline: str
    difference: str
    interval: str
    verdict: str
    examples: str
    zero: float
    low: float
    middle: float
    high: float


def standing(study: Study) -> tuple[str, str]:
    """Return the state of a study in one word and in one sentence."""
    if study.started is None:
        return "waiting", "No driver has taken this study over yet."
    if study.finished is None:
        return "running", f"Not ended yet: this page shows the study as it was on {moment(study.newest)}."
    return "finished", f"Ended on {moment(study.finished)}: {study.cause}."


def tiles(study: Study, job: SweepJob) -> list[Tile]:
    """Return the figures of the headline."""
    best = study.best
    nothing = "no complete trial is feasible" if study.counts[State.COMPLETE] else "no trial is complete yet"
    found = f"trial {best.number}: {parameters(best.parameters)}" if best else nothing
    aim = "highest" if job.metric.direction == "maximize" else "lowest"
    slots = {life.slot for life in study.slots}
    nodes = {life.node for life in study.slots}
    drivers = "" if study.generation < 2 else f", {study.generation} drivers"
    began = f"since {moment(study.started)}{drivers}" if study.started else "not started"
    until = study.newest if study.finished is None else study.finished
    return [
        Tile(f"{aim} {study.metric}", number(study.best_value), found),
        Tile(
            "trials", str(len(study.trials)), f"{study.counts[State.COMPLETE]} complete, by {job.search.method} search"
        ),
        Tile("duration", duration(study.running_time(until)), began),
        Tile("slots", str(len(slots)), f"on {count(len(nodes), 'node')}"),
    ]


def states(study: Study) -> list[tuple[State, int]]:
    """Return how many trials are in each state, those with none left out."""
    return [(state, study.counts[state]) for state in State if study.counts[state]]


@dataclass(frozen=True)
class Leader:
    """A leader of the search and its repeats, in words."""

    trial: int
    parameters: str
    searched: str
    mean: str
    deviation: str
    repeats: str
    broken: str = ""


def confirmed(study: Study) -> list[Leader]:
    """Return the leaders that were trained again, the winner first."""
    return [
        Leader(
            trial=one.trial.number,
            parameters=parameters(one.trial.parameters),
            searched=number(one.trial.value(study.metric)),
            mean=number(one.mean),
            deviation="-" if one.deviation is None else number(one.deviation),
            repeats=f"{len(one.values)} of {one.repeats}" if one.failed else str(one.repeats),
            broken=f"not feasible on average: {one.broken}" if one.broken else "",
        )
        for one in confirmations(study)
    ]


def compare(gain: Gain) -> Comparison:
    """Return a gain in words, accuracies in percent."""
    share = gain.measure == "accuracy"
    factor, unit, points = (100, " %", " points") if share else (1, "", "")
    low, middle, high = gain.low * factor, gain.difference * factor, gain.high * factor
    start, end = min(0.0, low), max(0.0, high)
    # A margin at both ends, so that the whiskers do not touch the frame.
    span = (end - start) * 1.2 or 1.0
    origin = start - (end - start) * 0.1

    def place(value: float) -> float:
        return round(100 * (value - origin) / span, 2)

    return Comparison(
        measure=gain.measure,
        best=_score(gain.best * factor, share) + unit,
        baseline=_score(gain.baseline * factor, share) + unit,
        difference=_signed(middle, share) + points,
        interval=f"{_signed(low, share)} to {_signed(high, share)}{points}",
        verdict=_verdict(gain, better=1 if share else -1),
        examples=count(gain.examples, "test example"),
        zero=place(0.0),
        low=place(low),
        middle=place(middle),
        high=place(high),
    )


def _score(value: float, share: bool) -> str:
    return f"{value:.2f}" if share else number(value)


def _signed(value: float, share: bool) -> str:
    return f"{'+' if value >= 0 else '-'}{_score(abs(value), share)}"


def _verdict(gain: Gain, better: int) -> str:
    """Return what the interval allows to say; `better` is 1 where more is better and -1 where less is."""
    if gain.low <= 0 <= gain.high:
        return "The interval contains 0: this much can be chance."
    if gain.difference * better > 0:
        return "The interval lies on one side of 0: the best trial beats the default parameters."
    return "The interval lies on one side of 0: the best trial is worse than the default parameters on test data."


def missing_gain(study: Study, job: SweepJob) -> str:
    """Return the sentence why there is no gain to show."""
    if study.baseline is None:
        without = [name for name, parameter in job.parameters.items() if parameter.default is None]
        if not without:
            return "The trial with the default parameters has not been proposed yet."
        return f"There are no default parameters to compare with; give a default to {', '.join(without)}."
    if study.baseline.state is not State.COMPLETE:
        return f"The trial with the default parameters is {study.baseline.state}, so there is nothing to compare with."
    if study.best is study.baseline:
        return "The default parameters are the best found so far, so there is no gain."
    if study.finished is None:
        return "The test set is scored once, when the study has ended."
    return "The test set was not scored: that takes test data and trials that report a checkpoint."
