"""The space of a sweep: from points of the unit cube or of a grid to parameters, conditions respected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from tinderbox.config import AnyParameter, ChoiceParameter, IntParameter, Number, Value
from tinderbox.errors import BadInput
from tinderbox.sweeping.events import Parameters

LARGEST_GRID = 1_000_000

AnyNumber = TypeVar("AnyNumber", bound=Number)


def is_active(parameter: AnyParameter, chosen: Parameters) -> bool:
    """Whether a parameter exists, given the ones written above it."""
    return all(
        name in chosen and chosen[name] in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in parameter.when.items()
    )


def from_unit(space: Mapping[str, AnyParameter], unit: Sequence[float]) -> Parameters:
    """Return the parameters at a point of the unit cube, one coordinate in [0, 1) for each parameter."""
    chosen: Parameters = {}
    for (name, parameter), position in zip(space.items(), unit, strict=True):
        if is_active(parameter, chosen):
            chosen[name] = _value_at(parameter, position)
    return chosen


def _value_at(parameter: AnyParameter, position: float) -> Value:
    if isinstance(parameter, ChoiceParameter):
        return parameter.choices[int(position * len(parameter.choices))]
    # A whole number owns the unit interval around it, so that both ends are as likely as the rest.
    margin = 0.5 if isinstance(parameter, IntParameter) else 0.0
    low, high = parameter.low - margin, parameter.high + margin
    if parameter.log:
        value = math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
    else:
        value = low + position * (high - low)
    value = min(max(value, parameter.low), parameter.high)
    return round(value) if isinstance(parameter, IntParameter) else value


def grid(space: Mapping[str, AnyParameter]) -> list[Parameters]:
    """Return all points of the grid, the last parameter changing fastest.

    Raises:
        BadInput: The grid has more than a million points.
    """
    points: list[Parameters] = []
    for point in _walk(list(space.items()), {}):
        points.append(point)
        if len(points) > LARGEST_GRID:
            raise BadInput(
                f"the grid has more than {LARGEST_GRID:,} points; take fewer, or search random or tpe instead"
            )
    return points


def _walk(remaining: list[tuple[str, AnyParameter]], chosen: Parameters) -> Iterator[Parameters]:
    if not remaining:
        yield chosen
        return
    (name, parameter), *rest = remaining
    if not is_active(parameter, chosen):
        yield from _walk(rest, chosen)
        return
    for value in grid_values(parameter):
        yield from _walk(rest, {**chosen, name: value})


def grid_values(parameter: AnyParameter) -> list[Value]:
    """Return the points of one parameter in a grid; a count is spread evenly, over orders of magnitude with `log`."""
    if isinstance(parameter, ChoiceParameter):
        return list(parameter.choices)
    return list(_spread(parameter, parameter.grid)) if isinstance(parameter.grid, int) else list(parameter.grid or [])


def _spread(parameter: Number, count: int) -> list[float]:
    spread = np.geomspace if parameter.log else np.linspace
    points = [float(point) for point in spread(parameter.low, parameter.high, count)]
    # Floating point must not push the ends out of the range that the user gave.
    points[0], points[-1] = parameter.low, parameter.high
    return sorted({round(point) for point in points}) if isinstance(parameter, IntParameter) else points


def lies_in(space: Mapping[str, AnyParameter], parameters: Parameters) -> bool:
    """Whether a space has this point: just these parameters exist there, and each may have its value."""
    active = [name for name, parameter in space.items() if is_active(parameter, parameters)]
    return active == [name for name in space if name in parameters] and all(
        name in space and _has(space[name], value) for name, value in parameters.items()
    )


def _has(parameter: AnyParameter, value: Value) -> bool:
    if isinstance(parameter, ChoiceParameter):
        return value in parameter.choices
    if isinstance(value, bool | str) or (isinstance(parameter, IntParameter) and value != int(value)):
        return False
    return parameter.low <= value <= parameter.high


def widest(space: Mapping[str, AnyParameter], others: Iterable[Mapping[str, AnyParameter]]) -> dict[str, AnyParameter]:
    """Return a space whose numbers go as far as in any of several; all else is the first one's."""
    others = list(others)
    return {
        name: go_as_far(parameter, [other[name] for other in others]) if isinstance(parameter, Number) else parameter
        for name, parameter in space.items()
    }


def go_as_far(parameter: AnyNumber, others: Iterable[AnyParameter]) -> AnyNumber:
    """Return a number that goes as far as it does, and as others do."""
    numbers = [parameter, *(other for other in others if isinstance(other, Number))]
    ends = {"low": min(number.low for number in numbers), "high": max(number.high for number in numbers)}
    return parameter.model_copy(update=ends)


def defaults(space: Mapping[str, AnyParameter]) -> Parameters | None:
    """Return the baseline's parameters, None where a parameter has no default."""
    chosen: Parameters = {}
    for name, parameter in space.items():
        if is_active(parameter, chosen):
            if parameter.default is None:
                return None
            chosen[name] = parameter.default
    return chosen


def complete(
    space: Mapping[str, AnyParameter], given: Mapping[str, Any], remedy: str = "give it a value"
) -> Parameters:
    """Return the parameters at a point: those given, and the defaults of the others.

    `remedy` is what to do about one that has neither, with `{name}` for its name.

    Raises:
        BadInput: A name is unknown or has no place beside the others, a value is out of bounds, or a parameter has
            neither value nor default.
    """
    chosen: Parameters = {}
    for name in given:
        if name not in space:
            raise BadInput(f"there is no parameter {name!r}; the job has {', '.join(space)}")
    for name, parameter in space.items():
        if is_active(parameter, chosen):
            value = given.get(name, parameter.default)
            if value is None:
                raise BadInput(f"{name} has no default; {remedy.format(name=name)}")
            chosen[name] = _check_value(name, value, parameter)
        elif name in given:
            raise BadInput(f"{name} exists only when {parameter.when}; leave it out here")
    return chosen


def _check_value(name: str, value: Any, parameter: AnyParameter) -> Value:
    """Return a value as its parameter writes it, which is 1.0 for 1 where that is a real number."""
    if isinstance(parameter, ChoiceParameter):
        if value not in parameter.choices:
            raise BadInput(f"{name} must be one of {parameter.choices}, got {value!r}")
        return parameter.choices[parameter.choices.index(value)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name} must be a number, got {value!r}")
    if isinstance(parameter, IntParameter) and not isinstance(value, int):
        raise BadInput(f"{name} must be a whole number, got {value}")
    if not parameter.low <= value <= parameter.high:
        raise BadInput(f"{name} must lie between {parameter.low} and {parameter.high}, got {value}")
    return value if isinstance(parameter, IntParameter) else float(value)
