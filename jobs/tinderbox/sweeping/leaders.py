"""The best feasible trials of a study so far, whose states are kept."""

from __future__ import annotations

import bisect
from collections.abc import Iterator

from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.study import Study


class Leaders:
    """The `count` best trials of a study that can be the best one, best first."""

    def __init__(self, study: Study, count: int) -> None:
        self._study, self._count = study, count
        self._best = study.ranked()[:count]

    def __contains__(self, trial: Trial) -> bool:
        """Whether a trial is among them."""
        return any(leader is trial for leader in self._best)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._best)

    def would_take(self, trial: Trial) -> bool:
        """Whether a trial that ends with its newest report would be among them."""
        if trial.repeats is not None or self._study.broken(trial.last):
            return False
        return len(self._best) < self._count or self._study.rank(trial) < self._study.rank(self._best[-1])

    def take(self, trial: Trial) -> Trial | None:
        """Note that a trial has ended, and return the one that is not among the best any more because of it."""
        if not self._study.may_win(trial) or not self.would_take(trial):
            return None
        bisect.insort(self._best, trial, key=self._study.rank)
        return self._best.pop() if len(self._best) > self._count else None
