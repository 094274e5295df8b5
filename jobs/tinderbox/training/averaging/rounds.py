"""A round of mode averaging: what its shares are told, what they answer, and how answers are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import TinderboxError
from tinderbox.failure import Failure
from tinderbox.training.record import Outcome
from tinderbox.training.records import Counts, Position, Sums
from tinderbox.training.state import State


@dataclass(frozen=True)
class Begin:
    """Build the model, and answer with the state that training begins with."""


@dataclass(frozen=True)
class Train:
    """Take so many steps from a position, or as many as its epoch has left, and answer with the new state."""

    position: Position
    steps: int


@dataclass(frozen=True)
class Validate:
    """Measure this share of the validation examples, and count what was taken for what, where that is wanted."""

    confusion: bool = False


@dataclass(frozen=True)
class Export:
    """Answer with the model's file."""


Work = Begin | Train | Validate | Export

Place = tuple[int, str, str]
"""Who did a share: its rank, and the names of the node and the pod."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What one share, or several together, have to say.

    `state` is the mean over shares, in which each counts by its `weight`, the examples it was trained on; `position` is
    the one after the steps. What a work has no answer to is empty. `places` says who did the shares, and `again` which
    of them Spark had to compute more than once. `failed` is what a share has raised, and `passing` the same where it is
    nobody's mistake, such as a file that cannot be read for a moment. `printed` is the end of what shares have printed,
    by rank.
    """

    weight: int = 0
    state: State = field(default_factory=State.empty)
    position: Position = field(default_factory=Position)
    sums: Sums = field(default_factory=lambda: Sums(0, {}))
    counts: Counts = field(default_factory=Counts)
    confusion: NDArray[np.int64] | None = None
    model: bytes = b""
    places: tuple[Place, ...] = ()
    again: tuple[Place, ...] = ()
    failed: tuple[Place, Failure] | None = None
    passing: tuple[Place, Failure] | None = None
    printed: tuple[tuple[int, str], ...] = ()


def join(answers: Sequence[Answer]) -> Answer:
    """Return several answers, in the order of their ranks, as one; workers side by side take as long as the slowest."""
    first, *others = answers
    counts = first.counts
    for answer in others:
        both = counts + answer.counts
        steps, seconds = max(counts.steps, answer.counts.steps), max(counts.seconds, answer.counts.seconds)
        waited = max(counts.sync_seconds, answer.counts.sync_seconds)
        counts = Counts(steps, both.examples, seconds, waited, both.sent, both.dense)
    matrices = [answer.confusion for answer in answers if answer.confusion is not None]
    return Answer(
        weight=sum(answer.weight for answer in answers),
        state=_mean([(answer.weight, answer.state) for answer in answers if answer.state.size]),
        position=first.position,
        sums=sum((answer.sums for answer in answers), start=Sums(0, {})),
        counts=counts,
        confusion=np.sum(matrices, axis=0) if matrices else None,
        model=b"".join(answer.model for answer in answers),
        places=tuple(place for answer in answers for place in answer.places),
        again=tuple(place for answer in answers for place in answer.again),
        failed=next((answer.failed for answer in answers if answer.failed is not None), None),
        passing=next((answer.passing for answer in answers if answer.passing is not None), None),
        printed=tuple(printed for answer in answers for printed in answer.printed),
    )


def _mean(states: Sequence[tuple[int, State]]) -> State:
    """Return the mean of states in double precision, whole numbers as the first one has them: they are alike in all.

    A weighted mean of equal numbers is that number: their products with weights below 2^29 are exact, and so are sums.
    """
    if len(states) < 2:
        return states[0][1] if states else State.empty()
    total = sum(weight for weight, _ in states)
    if not total:
        return states[0][1]
    mean: NDArray[Any] = np.zeros(len(states[0][1].floats))
    for weight, state in states:
        if weight:  # a share without an example has nothing to say, and its infinities would count
            mean += np.multiply(state.floats, weight, dtype=np.float64)
    return State(mean / total, states[0][1].integers)


class RoundLost(TinderboxError):
    """A round did not come to its end, by nobody's mistake: it may be run again; `place` is the share's, if known."""

    def __init__(self, outcome: Outcome, cause: str, details: str = "", place: Place | None = None) -> None:
        super().__init__(cause)
        self.outcome, self.cause, self.details, self.place = outcome, cause, details, place


class Rounds(Protocol):
    """Runs rounds of shares, one for each rank."""

    def run(self, work: Work, state: State, shares: int) -> Answer:
        """Have `shares` workers do their shares from a state, and return their answers joined.

        Raises:
            RoundLost: A share was lost more often than Spark repeats it, is frozen, or could not be done for now.
        """
