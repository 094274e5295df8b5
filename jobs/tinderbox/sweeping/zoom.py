"""Rounds of a search, each in a space that the trials so far speak for: when one begins, and where.

All follows from the study, and is kept in its record, so a resumed one goes on as an undisturbed one would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinderbox.config import AnyParameter, ChoiceParameter, SweepJob, Zoom
from tinderbox.sweeping.events import RoundStarted
from tinderbox.sweeping.narrowing import LEAST, Evidence, narrow_choice, narrow_number, weigh
from tinderbox.sweeping.space import go_as_far, grid_values
from tinderbox.sweeping.study import Study

ENOUGH = 0.5
"""The share of a round's trials that have ended, or wait on a rung, when the next one begins.

No slot waits for the slowest trial of a round; what that one finds out counts in the round after the next.
"""


@dataclass(frozen=True)
class Narrowed:
    """The space of a round, and a sentence on what was narrowed by which trials."""

    space: dict[str, AnyParameter]
    cause: str


class Rounds:
    """Decides when the rounds of a job begin, and where; of the first one's trials `beside` are beside its share."""

    def __init__(self, job: SweepJob, zoom: Zoom, limit: int, beside: int) -> None:
        import scipy.stats  # noqa: F401 - it takes a second, and while a round is narrowed slots would wait for it

        self._job, self._zoom, self._limit, self._beside = job, zoom, limit, beside

    def end(self, rounds: Sequence[RoundStarted]) -> int:
        """Return the number of the first trial after the present round: what trials are left is shared evenly."""
        begin = rounds[-1].trial if rounds else self._beside
        return begin + math.ceil((self._limit - begin) / (self._zoom.rounds - len(rounds)))

    def is_due(self, study: Study) -> bool:
        """Whether the next trial is to be of the next round; the last one takes all that are left."""
        return len(study.rounds) + 1 < self._zoom.rounds and len(study.trials) >= self.end(study.rounds)

    def is_ripe(self, study: Study) -> bool:
        """Whether enough of the present round is known to narrow the next one."""
        begin = study.rounds[-1].trial if study.rounds else 0
        known = sum(trial.number >= begin for trial in [*study.ended, *study.paused.values()])
        return known >= ENOUGH * (len(study.trials) - begin)

    def narrow(self, study: Study) -> Narrowed:
        """Return the space of the next round."""
        space = study.rounds[-1].space if study.rounds else self._job.parameters
        evidence = weigh(study, self._job)
        narrowed = {name: self._narrow(name, parameter, evidence.of(name), study) for name, parameter in space.items()}
        causes = [_describe(evidence, study), *(said for _, words in narrowed.values() for said in words)]
        return Narrowed({name: parameter for name, (parameter, _) in narrowed.items()}, "; ".join(causes))

    def _narrow(
        self, name: str, parameter: AnyParameter, known: Evidence, study: Study
    ) -> tuple[AnyParameter, list[str]]:
        original = self._job.parameters[name]
        if isinstance(parameter, ChoiceParameter):
            chosen, said = narrow_choice(name, parameter, known)
            return chosen.model_copy(update={"default": None}), said
        # The default and the points that the job names need not lie in a narrower space.
        changes: dict[str, Any] = {"default": None, "grid": None}
        if self._job.search.method == "grid":
            values = grid_values(original)
            if len(values) == 1:  # a range has two ends, and the grid holds this number at one value
                return ChoiceParameter(choices=values, when=parameter.when), []
            changes["grid"] = len(values)
        if len(known.best) < LEAST:
            return parameter.model_copy(update=changes), []
        reach = go_as_far(parameter, [original, *(begun.space[name] for begun in study.rounds)])
        narrower, said = narrow_number(name, parameter, reach, known, self._zoom.outward and parameter.log)
        return narrower.model_copy(update=changes), said


def _describe(evidence: Evidence, study: Study) -> str:
    if not evidence.best:
        return f"no trial {'is feasible' if study.constraints else 'has a value'}, so nothing is narrowed"
    number = evidence.best[0].number
    leader = f"trial {number}" if number >= 0 else "one of the earlier study"
    return f"narrowed to the best {len(evidence.best)} of {len(evidence)} trials, of which {leader} leads"
