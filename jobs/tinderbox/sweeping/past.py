"""What a search may know when it is asked: of a study that goes on meanwhile, a picture that stays."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import overload

from tinderbox.sweeping.events import RoundStarted
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.study import Study

KNOWN_TRIALS = 500
"""How many trials that ended, and how many that wait on rungs, a sampler sees at most.

TPE is advised for 100 to 1,000 and slows down linearly.
"""


class Beginning(Sequence[Trial]):
    """The first trials of a list that only grows: a picture of it that costs the same for ten and for 100,000."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials, self._length = trials, len(trials)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> Trial: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Trial]: ...

    def __getitem__(self, place: int | slice) -> Trial | Sequence[Trial]:
        if isinstance(place, slice):
            begin, end, step = place.indices(self._length)
            return self._trials[begin:end:step]
        return self._trials[range(self._length)[place]]


@dataclass(frozen=True)
class Past:
    """The trials `proposed` so far, by number, and of those the `ended` in order, the `running` and the `paused` ones.

    Running are those that wait for a slot too: nobody else should try their points. `rounds` are the narrowings so far.
    What is `recalled` of an earlier study came before all of them.
    """

    proposed: Mapping[int, Trial] = field(default_factory=dict)
    ended: Sequence[Trial] = ()
    running: Sequence[Trial] = ()
    paused: Sequence[Trial] = ()
    rounds: Sequence[RoundStarted] = ()
    recalled: Sequence[Trial] = ()


def glance(study: Study) -> Past:
    """Return what a search may know that is asked between two events and answers at once."""
    return Past(study.trials, study.ended, rounds=study.rounds)


def look(study: Study, waiting: Iterable[int]) -> Past:
    """Return what a search may know that answers from another thread; `waiting` are the paused trials, best first.

    Of thousands of those it is shown the best quarter of `KNOWN_TRIALS`, and the newest for the rest.
    """
    shown = dict.fromkeys(islice(waiting, KNOWN_TRIALS // 4))
    shown |= dict.fromkeys(islice(reversed(study.paused), KNOWN_TRIALS - len(shown)))
    return Past(
        study.trials,
        Beginning(study.ended),
        [trial for trial in study.open.values() if trial.state is not State.PAUSED],
        # One that is promoted gets another state, and reports of its own.
        [copy.copy(study.trials[number]) for number in sorted(shown)],
        list(study.rounds),
        study.recalled,
    )
