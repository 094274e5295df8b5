"""What workers and the driver tell each other, as frozen plain values; what is written down of it is in `record`."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import add, sub


@dataclass(frozen=True, order=True)
class Position:
    """Where training stands: `epoch` epochs are done, and of the next one `examples` of all workers' examples.

    `step` counts all steps so far; a position is between two steps.
    """

    epoch: int = 0
    examples: int = 0
    step: int = 0


@dataclass(frozen=True)
class Resume:
    """A checkpoint to go on from: where it was made, and by how many workers, each of which may have left a part."""

    position: Position
    parts: dict[int, str] = field(default_factory=dict)
    """The SHA-256 of each part in hexadecimal, by the rank of the worker that left it; rank 0 has the model."""


@dataclass(frozen=True)
class Assignment:
    """What a worker is in one attempt: its `rank` of `workers`, and the `addresses` (host:port) of all, by rank.

    `scale` is what the learning rate is multiplied by, because fewer workers are there than were wanted. `rejoins` is
    true for a worker that takes the place of a lost one while the others go on (mode threshold). Its workers talk to
    nobody who does not know `secret`, which is the same for all of an attempt, at least 32 random characters. Where it
    is `over`, nothing is left to train: workers load what they resume from, and finish. In mode threshold the address
    of a worker that was lost and is not replaced yet is empty.
    """

    attempt: int
    rank: int
    workers: int
    addresses: tuple[str, ...]
    resume: Resume | None = None
    scale: float = 1.0
    rejoins: bool = False
    secret: str = field(default="", repr=False)
    over: bool = False


@dataclass(frozen=True)
class Sums:
    """Metrics as sums over so many examples, so that those of several workers add up."""

    examples: int
    sums: dict[str, float]

    def __add__(self, other: Sums) -> Sums:
        names = {**self.sums, **other.sums}
        added = {name: self.sums.get(name, 0.0) + other.sums.get(name, 0.0) for name in names}
        return Sums(self.examples + other.examples, added)

    @property
    def means(self) -> dict[str, float]:
        """The metrics themselves."""
        return {name: total / self.examples for name, total in self.sums.items()} if self.examples else {}


@dataclass(frozen=True)
class Counts:
    """What a worker did in some steps: examples, seconds in all, of these in exchange with others, bytes it sent.

    `dense` is how many bytes the same exchange had taken with whole gradients.
    """

    steps: int = 0
    examples: int = 0
    seconds: float = 0.0
    sync_seconds: float = 0.0
    sent: int = 0
    dense: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(add, self._values, other._values))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*map(sub, self._values, other._values))

    @property
    def _values(self) -> tuple[float, ...]:
        # `dataclasses.astuple` takes ten times as long, and every step counts.
        return self.steps, self.examples, self.seconds, self.sync_seconds, self.sent, self.dense


@dataclass(frozen=True)
class EpochReport:
    """What one worker has to tell of an epoch that it has ended; `epoch` counts from 1.

    `step` counts all steps so far, from the beginning of the run, as a position does; `counts` are those of the epoch.
    """

    rank: int
    epoch: int
    train: Sums
    validation: Sums
    counts: Counts
    step: int = 0


@dataclass(frozen=True)
class Verdict:
    """What follows an epoch: whether training ends here, and whether a checkpoint of it is wanted as the best so far.

    Where it `stop`s at an epoch that is not the best, `best` is the checkpoint that all workers go back to.
    """

    stop: bool = False
    save: bool = False
    best: Resume | None = None
