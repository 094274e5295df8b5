"""The trials that are worth a choice: no other one is as good in every objective and better in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.study import Study


class Front:
    """The Pareto front of the trials taken in; equals stand beside each other.

    `signs` are the objectives with what their values are multiplied by so that less is better.
    """

    def __init__(self, signs: Mapping[str, int]) -> None:
        self._signs = signs
        self._members: list[tuple[Sequence[float], Trial]] = []

    @property
    def trials(self) -> list[Trial]:
        """Its trials, best first in the first objective."""
        return [trial for _, trial in sorted(self._members, key=lambda member: (member[0], member[1].number))]

    def newest(self, count: int) -> list[Trial]:
        """Return the `count` trials of it with the highest numbers, in their order."""
        return sorted((trial for _, trial in self._members), key=lambda trial: trial.number)[-count:]

    def take(self, trial: Trial) -> None:
        """Take in a trial that has a finite value in every objective."""
        values = [sign * trial.last[name] for name, sign in self._signs.items()]
        if not any(_beats(others, values) for others, _ in self._members):
            self._members = [member for member in self._members if not _beats(values, member[0])]
            self._members.append((values, trial))


def _beats(values: Sequence[float], others: Sequence[float]) -> bool:
    return values != others and all(value <= other for value, other in zip(values, others, strict=True))


def front(study: Study) -> list[Trial]:
    """Return the Pareto front of a study's feasible trials; with a single objective, the best one and its equals."""
    found = Front(study.signs)
    for trial in study.ranked():
        found.take(trial)
    return found.trials
