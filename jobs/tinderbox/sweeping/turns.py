"""Whose turn it is: the trials that wait for a slot, in the order in which they get one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from tinderbox.sweeping.history import State, Trial


class Turns:
    """Trials whose attempt was cut short come first, for what they know is worth most; then new ones in order."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._again: list[int] = []
        self._fresh: deque[int] = deque()
        for trial in trials:
            if trial.state is State.WAITING:
                self.add(trial)

    def __len__(self) -> int:
        """Return how many trials wait."""
        return len(self._again) + len(self._fresh)

    @property
    def fresh(self) -> int:
        """How many trials wait that have never run."""
        return len(self._fresh)

    def add(self, trial: Trial) -> None:
        """Let a trial wait: where it belongs if it has run before, else behind all others."""
        if trial.attempts:
            self._again.append(trial.number)
        else:
            self._fresh.append(trial.number)

    def take_again(self, may: Callable[[int], bool]) -> int | None:
        """Take the first trial that has run before and may run here, None where there is none."""
        number = next(filter(may, self._again), None)
        if number is not None:
            self._again.remove(number)
        return number

    def take_fresh(self, choose: Callable[[Sequence[int]], int] | None = None) -> int | None:
        """Take the trial to be chosen among those that have never run, by default the oldest; None without any."""
        if not self._fresh:
            return None
        if choose is None:
            return self._fresh.popleft()
        number = choose(self._fresh)
        self._fresh.remove(number)
        return number
