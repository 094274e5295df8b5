"""Over which parameters the rounds of a search are drawn: those that show the most of how they went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinderbox.config import AnyParameter, ChoiceParameter, Number, Value
from tinderbox.report.sensitivity import round_ticks
from tinderbox.report.wording import number, plain
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.space import go_as_far

Space = Mapping[str, AnyParameter]


@dataclass(frozen=True)
class Axis:
    """A parameter, or the number of the trial.

    `rows` are the values of a choice, those that stayed longest first, so that what is left of them lies together;
    `ticks` is what is written where, empty where the plotting library chooses better places.
    """

    name: str
    log: bool = False
    rows: tuple[Value, ...] = ()
    ticks: Mapping[float, str] = field(default_factory=dict)

    def place(self, trial: Trial) -> float:
        """Return where a trial is drawn."""
        value = trial.parameters.get(self.name, trial.number)
        return float(self.rows.index(value) if self.rows else value)

    def span(self, space: Space, begin: int, end: int) -> tuple[float, float]:
        """Return from where to where a round goes, which has the trials from `begin` to just before `end`."""
        parameter = space.get(self.name)
        if isinstance(parameter, Number):
            return parameter.low, parameter.high
        return (-0.4, len(parameter.choices) - 0.6) if parameter else (begin - 0.5, end - 0.5)


def choose_axes(chosen: Sequence[Parameters], spaces: Sequence[Space]) -> list[Axis]:
    """Return the parameters of which least is left, one choice at most and that last, and the number of the trial."""
    first, last = spaces[0], spaces[-1]
    common = {
        name: _common(parameter, last[name])
        for name, parameter in first.items()
        if not parameter.when and len({point[name] for point in chosen}) > 1
    }
    telling = sorted((name for name in common if math.isfinite(common[name])), key=lambda name: common[name])[:2]
    numbers = [_line(name, parameter, spaces) for name in telling if isinstance(parameter := first[name], Number)]
    choices = [_rows(name, spaces) for name in telling if isinstance(first[name], ChoiceParameter)]
    return [*numbers, *choices[:1], Axis("trial")]


def _common(first: AnyParameter, last: AnyParameter) -> float:
    """Return what a parameter's first and last range share, of all that is in either; infinity for a new constant."""
    if isinstance(first, ChoiceParameter) and isinstance(last, ChoiceParameter):
        return len(last.choices) / len(first.choices)
    if isinstance(first, Number) and isinstance(last, Number):
        turn = math.log if first.log else float
        shared = turn(min(first.high, last.high)) - turn(max(first.low, last.low))
        return shared / (turn(max(first.high, last.high)) - turn(min(first.low, last.low)))
    return math.inf


def _line(name: str, parameter: Number, spaces: Sequence[Space]) -> Axis:
    reach = go_as_far(parameter, [space[name] for space in spaces])
    # Ten digits, so that an end of 9.999999999999998 has a tick at 10.
    ticks = round_ticks({float(f"{end:.10g}") for end in (reach.low, reach.high)}, reach.log)
    return Axis(name, reach.log, ticks={tick: number(tick) for tick in ticks})


def _rows(name: str, spaces: Sequence[Space]) -> Axis:
    found = [parameter.choices for space in spaces if isinstance(parameter := space[name], ChoiceParameter)]
    rows = tuple(sorted(found[0], key=lambda value: -sum(value in choices for choices in found)))
    return Axis(name, rows=rows, ticks={float(row): plain(value) for row, value in enumerate(rows)})
