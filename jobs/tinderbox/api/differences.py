"""What is not the same in two trees of plain values, and what two trainings made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinderbox.report.epochs import HELD_OUT, aim_at, best, metrics
from tinderbox.training.record import EpochEnded


@dataclass(frozen=True)
class Change:
    """Something that is not the same in both runs; None where a run has no such thing."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Figure:
    """A number of both runs, None where a run has none."""

    name: str
    first: float | None
    second: float | None

    @property
    def difference(self) -> float | None:
        """The second number minus the first; None where one is missing."""
        return None if self.first is None or self.second is None else self.second - self.first


@dataclass(frozen=True)
class Course:
    """A metric of one training: its best value, the epoch of that, and its last value."""

    best: float
    epoch: int
    last: float


@dataclass(frozen=True)
class Metric:
    """A metric of two trainings, None for one that has it not, or never as a finite number.

    `goal` is the worse of both best values: what both reached, in so many `epochs` and `seconds` of them.
    """

    name: str
    first: Course | None
    second: Course | None
    goal: float | None = None
    epochs: Figure | None = None
    seconds: Figure | None = None


def changes(first: Mapping[str, Any], second: Mapping[str, Any], unlike: Sequence[str] = ()) -> tuple[Change, ...]:
    """Return the keys in which two trees differ, those below others with dots between, the keys `unlike` left out."""
    ours, theirs = dict(_flat(first)), dict(_flat(second))
    return tuple(
        Change(key, ours.get(key), theirs.get(key))
        for key in {**ours, **theirs}
        if key not in unlike and ours.get(key) != theirs.get(key)
    )


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def compare_histories(first: Sequence[EpochEnded], second: Sequence[EpochEnded]) -> tuple[Metric, ...]:
    """Return all metrics of two trainings, those of validation after those of training."""
    names = metrics([*first, *second])
    found = [name for history in (first, second) for row in history for name in row.metrics]
    ordered = [prefix + name for prefix in ("", HELD_OUT) for name in names if prefix + name in found]
    return tuple(_compare(name, first, second) for name in ordered)


def _compare(name: str, first: Sequence[EpochEnded], second: Sequence[EpochEnded]) -> Metric:
    ours, theirs = _course(name, first), _course(name, second)
    if ours is None or theirs is None:
        return Metric(name, ours, theirs)
    sign = aim_at(name).sign
    goal = max(ours.best, theirs.best, key=lambda value: sign * value)
    (one, one_seconds), (other, other_seconds) = (_reach(name, history, goal) for history in (first, second))
    return Metric(name, ours, theirs, goal, Figure("epochs", one, other), Figure("seconds", one_seconds, other_seconds))


def _course(name: str, history: Sequence[EpochEnded]) -> Course | None:
    row = best(history, aim_at(name))
    if row is None:
        return None
    last = next(row.metrics[name] for row in reversed(history) if name in row.metrics)
    return Course(row.metrics[name], row.epoch, last)


def _reach(name: str, history: Sequence[EpochEnded], goal: float) -> tuple[int, float]:
    """Return after which epoch a metric was as good as `goal` for the first time, and after how many seconds."""
    sign, seconds = aim_at(name).sign, 0.0
    for row in history:
        seconds += row.seconds
        if name in row.metrics and sign * row.metrics[name] <= sign * goal:
            return row.epoch, seconds
    raise ValueError(f"{name} was never as good as {goal}")
