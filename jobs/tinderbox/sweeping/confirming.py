"""Luck told from gain: when a search is over, its leaders are trained again with other seeds, and their means compared.

The value of the best of many trials is the largest of many sums of quality and luck; the mean of repeats that were
not chosen by their values has no such bias.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.study import Study


@dataclass(frozen=True)
class Confirmed:
    """A leader of the search, the values that its repeats have reached, and the constraints that their means break.

    `failed` counts the repeats that failed or diverged, and so have no value.
    """

    trial: Trial
    values: tuple[float, ...]
    broken: str = ""
    failed: int = 0

    @property
    def repeats(self) -> int:
        """How many repeats have ended by themselves."""
        return len(self.values) + self.failed

    @property
    def mean(self) -> float:
        """The mean of the repeats' values."""
        return statistics.fmean(self.values)

    @property
    def deviation(self) -> float | None:
        """Their sample standard deviation, None for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def next_repeat(study: Study, top: int, seeds: int) -> Trial | None:
    """Return the leader whose repeat is to be proposed next, each as often as the others, None when all have been."""
    if not top or _is_searching(study):
        return None
    leaders = study.ranked()[:top]
    fewest = min(leaders, key=lambda trial: len(study.repeats.get(trial.number, ())), default=None)
    return fewest if fewest is not None and len(study.repeats.get(fewest.number, ())) < seeds else None


def _is_searching(study: Study) -> bool:
    repeats = sum(not trial.state.ended for members in study.repeats.values() for trial in members)
    return study.counts[State.RUNNING] + study.counts[State.WAITING] > repeats


def confirmations(study: Study) -> list[Confirmed]:
    """Return the leaders that have a repeat with a value: feasible ones first, then by failed repeats, then by means.

    A mean of the seeds that went well would be one of lucky seeds, so a leader with fewer failed repeats goes first.
    """
    found = []
    for number, members in study.repeats.items():
        told = [trial.last for trial in members if trial.state is State.COMPLETE and study.metric in trial.last]
        if told:
            means = {name: statistics.fmean(values[name] for values in told) for name in study.reported}
            values = tuple(metrics[study.metric] for metrics in told)
            failed = sum(trial.state in (State.FAILED, State.DIVERGED) for trial in members)
            found.append(Confirmed(study.trials[number], values, study.broken(means), failed))
    sign = study.signs[study.metric]
    return sorted(found, key=lambda one: (one.broken != "", one.failed, sign * one.mean))
