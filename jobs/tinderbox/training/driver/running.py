"""An attempt that runs: who has which rank, what all have told of an epoch, which parts of checkpoints have come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinderbox.errors import StaleAttempt
from tinderbox.training.driver.messages import Sender
from tinderbox.training.record import CheckpointKept, Member
from tinderbox.training.records import Assignment, EpochReport, Position, Resume, Verdict

FROZEN_SECONDS = 20.0
"""Who was not heard of for so long is frozen; workers beat every two seconds."""

SUSPECT_SECONDS = 8.0
"""So long is enough where another worker has said that somebody is gone."""

START_SECONDS = 28.0
"""For so long a worker may be starting, before it is heard of for the first time: it beats before it does anything."""

GRACE_SECONDS = 25.0
"""For so long whoever is gone may be found, after a worker has said that somebody is."""


class CheckpointWhole(Exception):
    """A part has come of a checkpoint that has all of its parts, with the digests that it counts by."""


@dataclass
class Seat:
    """A rank's worker: `taken` once its agent has begun with it, `heard` when it said last that it lives.

    `request` is that of the agent which was answered with this rank, and `rejoins` says that others were at work then.
    `finished` says that training is done, and `ended` that the process is gone and nobody is blamed for it.
    """

    member: Member
    address: str
    since: float
    request: int
    rejoins: bool = False
    taken: bool = False
    heard: float | None = None
    position: Position = field(default_factory=Position)
    finished: bool = False
    ended: bool = False


@dataclass
class Complaint:
    """A worker's word that another one is gone, before anybody has said who."""

    time: float
    member: Member
    cause: str


@dataclass
class Running:
    """The attempt under way; a rank without a seat is one whose worker was lost while others go on.

    `every_part` says that a checkpoint has a part of each worker, and not only that of rank 0.
    """

    number: int
    resume: Resume | None
    scale: float
    secret: str
    every_part: bool
    over: bool
    seats: dict[int, Seat | None]
    lost: dict[int, str] = field(default_factory=dict)
    """Why workers were lost whose ranks nobody has yet."""
    vacated: dict[int, float] = field(default_factory=dict)
    """Since when nobody has them."""
    reports: dict[int, dict[int, EpochReport]] = field(default_factory=dict)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    parts: dict[Position, dict[int, tuple[str, int]]] = field(default_factory=dict)
    complete: set[Position] = field(default_factory=set)
    complaint: Complaint | None = None
    has_model: bool = False
    confusion: list[list[int]] | None = None

    @property
    def occupied(self) -> dict[int, Seat]:
        """The ranks that have a worker."""
        return {rank: seat for rank, seat in self.seats.items() if seat is not None}

    @property
    def vacant(self) -> list[int]:
        """The ranks that have none."""
        return [rank for rank, seat in self.seats.items() if seat is None]

    @property
    def finished(self) -> bool:
        """Whether all workers have come to the end, and the model is there."""
        seats = self.occupied.values()
        return self.has_model and bool(seats) and all(seat.finished for seat in seats)

    @property
    def position(self) -> Position:
        """How far the worker is that is the farthest."""
        start = self.resume.position if self.resume else Position()
        return max([start, *(seat.position for seat in self.occupied.values())])

    @property
    def epoch(self) -> int:
        """The epoch that its workers leave the model of, once all is trained."""
        if not self.verdicts:
            return self.resume.position.epoch if self.resume else 0
        last = max(self.verdicts)
        best = self.verdicts[last].best
        return last if best is None else best.position.epoch

    def assignment(self, rank: int) -> Assignment:
        """Return what the worker of a rank is told."""
        seat = self.seats[rank]
        addresses = tuple(other.address if other is not None else "" for other in self.seats.values())
        return Assignment(
            attempt=self.number,
            rank=rank,
            workers=len(self.seats),
            addresses=addresses,
            resume=self.resume,
            scale=self.scale,
            rejoins=seat is not None and seat.rejoins,
            secret=self.secret,
            over=self.over,
        )

    def seat(self, sender: Sender) -> Seat:
        """Return the seat of a worker.

        Raises:
            StaleAttempt: It has none in this attempt.
        """
        seat = self.seats.get(sender.rank)
        if sender.attempt != self.number or seat is None or seat.member.name != sender.agent:
            raise StaleAttempt(
                f"worker {sender.rank} of attempt {sender.attempt} on {sender.agent} is not wanted any more"
            )
        return seat

    def rank_of(self, agent: str) -> int | None:
        """Return the rank of an agent's worker, None where it has none."""
        held = ((rank, seat) for rank, seat in self.occupied.items() if not seat.ended)
        return next((rank for rank, seat in held if seat.member.name == agent), None)

    def silent(self, now: float) -> list[tuple[str, int]]:
        """Return what is to be said of workers that were not heard of for too long, each with its rank."""
        found, limit = [], SUSPECT_SECONDS if self.complaint else FROZEN_SECONDS
        for rank, seat in self.occupied.items():
            silence = now - (seat.since if seat.heard is None else seat.heard)
            if not (seat.finished or seat.ended) and silence > (START_SECONDS if seat.heard is None else limit):
                found.append((f"worker {rank} on {seat.member.node} was not heard of for {silence:.0f} s", rank))
        return found

    def forgive(self, seconds: float, now: float) -> None:
        """Take a time in which nobody could be heard, since the driver stood still, for none."""
        for seat in self.occupied.values():
            seat.since = min(seat.since + seconds, now)
            seat.heard = None if seat.heard is None else min(seat.heard + seconds, now)
        self.vacated = {rank: min(since + seconds, now) for rank, since in self.vacated.items()}
        if self.complaint is not None:
            self.complaint.time = min(self.complaint.time + seconds, now)

    def gathered(self, epoch: int) -> Sequence[EpochReport] | None:
        """Return what all workers have told of an epoch, by rank, None while some have not."""
        told = self.reports.get(epoch, {})
        return [told[rank] for rank in sorted(told)] if told and self.occupied.keys() <= told.keys() else None

    def add_confusion(self, confusion: list[list[int]]) -> None:
        """Add up which validation examples one worker took for what."""
        rows = self.confusion or [[0] * len(row) for row in confusion]
        self.confusion = [
            [a + b for a, b in zip(row, other, strict=True)] for row, other in zip(rows, confusion, strict=True)
        ]

    def wholes(self, now: float) -> list[CheckpointKept]:
        """Return the checkpoints that have become whole since the last call."""
        wanted = {0, *self.occupied} if self.every_part else {0}
        found = [at for at, parts in self.parts.items() if at not in self.complete and wanted <= parts.keys()]
        self.complete.update(found)
        return [self._kept(at, now) for at in sorted(found)]

    def _kept(self, at: Position, now: float) -> CheckpointKept:
        parts = self.parts[at]
        return CheckpointKept(
            time=now,
            attempt=self.number,
            epoch=at.epoch,
            examples=at.examples,
            step=at.step,
            parts={rank: sha256 for rank, (sha256, _) in sorted(parts.items())},
            size=sum(size for _, size in parts.values()),
        )
