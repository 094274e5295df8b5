"""The attempts and checkpoints of a training whose driver has all of its state, as they are written down."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tinderbox.checkpoint import Save
from tinderbox.errors import BadInput, TinderboxError, TrainingFailed
from tinderbox.failure import Failure
from tinderbox.training.averaging.parts import Standing, read_part, write_part
from tinderbox.training.averaging.printing import Logs
from tinderbox.training.averaging.rounds import Place
from tinderbox.training.history import Training
from tinderbox.training.record import AttemptBegan, AttemptEnded, CheckpointKept, Event, Member, Outcome
from tinderbox.training.records import Position, Resume


class Book(Protocol):
    """Where a run is written down: its record, which `training` is the sum of, its checkpoints and its results."""

    training: Training

    def note(self, event: Event) -> None:
        """Let something happen: it is safe in the record, and in `training`, when this returns."""

    def newest(self) -> Resume | None:
        """Return the newest checkpoint that is whole, None where there is none."""

    def at_epoch(self, epoch: int) -> Resume | None:
        """Return the whole checkpoint at the end of an epoch, None where there is none."""

    def fetch(self, resume: Resume, folder: Path) -> Path:
        """Return a file in `folder` with part 0 of a checkpoint."""

    def keep(self, attempt: int, position: Position, save: Save) -> tuple[str, int]:
        """Store a checkpoint of one part, whole or not at all; return the part's digest and its size in bytes."""

    def prune(self, best: int | None) -> None:
        """Remove checkpoints that are not wanted any more; that of the epoch `best` is."""

    def write_log(self, attempt: int, rank: int, text: str) -> None:
        """Keep what a worker has printed in an attempt."""

    def finish(self, model: bytes, confusion: list[list[int]] | None) -> None:
        """Store the model, and which validation examples were taken for what."""


class Chronicle:
    """Writes down the attempts of a training with so many workers, and its checkpoints."""

    def __init__(self, book: Book, workers: int, now: Callable[[], float]) -> None:
        self._book, self._workers, self._now = book, workers, now
        self._saved, self._logs = 0, Logs()

    @property
    def attempt(self) -> int:
        """The newest attempt, 0 before the first one."""
        return len(self._book.training.attempts)

    def begin(self, at: Position, places: Sequence[Place]) -> None:
        """Begin an attempt at a position; a share that is not among the `places` has not been anywhere yet."""
        members = [_member((rank, "", "")) for rank in range(self._workers)]
        for place in places:
            members[place[0]] = _member(place)
        began = AttemptBegan(
            time=self._now(),
            attempt=self.attempt + 1,
            members=members,
            epoch=at.epoch,
            examples=at.examples,
            step=at.step,
        )
        self._book.note(began)
        self._logs = Logs()

    def overhear(self, printed: tuple[tuple[int, str], ...]) -> None:
        """Take what shares have printed; it is written down when an epoch or the attempt ends."""
        self._logs.add(printed)

    def write_logs(self) -> None:
        """Keep what workers have printed."""
        for rank, text in self._logs.take():
            self._book.write_log(self.attempt, rank, text)

    def end(self, outcome: Outcome, failure: Failure, place: Place | None = None) -> None:
        """End the attempt, by the share at a place where it was one."""
        self.write_logs()
        ended = AttemptEnded(
            time=self._now(),
            attempt=self.attempt,
            outcome=outcome,
            cause=failure.cause,
            details=failure.details,
            member=None if place is None else _member(place),
        )
        self._book.note(ended)

    def fail(self, failure: Failure, place: Place | None = None) -> TinderboxError:
        """End the attempt by a failure that another one would end by, too, and return the error to raise."""
        self.end("failed", failure, place)
        return TrainingFailed(failure.cause)

    def release(self, standing: Standing, best: int | None) -> None:
        """End an attempt because its driver is asked to end, with all that was trained, and the `best`, in safety."""
        if self._book.training.running is not None:
            if standing.position.step > self._saved:
                self.keep(standing, best)
            self.end("released", Failure("its driver was asked to end"))

    def abandon(self, error: TinderboxError) -> None:
        """End an attempt that something else than its workers has ended."""
        if self._book.training.running is not None:
            self.end("failed" if isinstance(error, BadInput) else "lost", Failure(str(error)))

    def is_due(self, step: int, every: int | None) -> bool:
        """Whether a checkpoint is due by steps: at a multiple of `every`, or at the first split that ends after it."""
        return every is not None and step // every > self._saved // every

    def keep(self, standing: Standing, best: int | None) -> None:
        """Make a checkpoint; that of the epoch `best` stays, however many come after it."""
        at = standing.position
        sha256, size = self._book.keep(self.attempt, at, write_part(standing))
        kept = CheckpointKept(
            time=self._now(),
            attempt=self.attempt,
            epoch=at.epoch,
            examples=at.examples,
            step=at.step,
            parts={0: sha256},
            size=size,
        )
        self._book.note(kept)
        self._saved = at.step
        self._book.prune(best)

    def read(self, resume: Resume | None) -> Standing:
        """Return where a checkpoint was made, the beginning without one."""
        if resume is None:
            return Standing()
        with tempfile.TemporaryDirectory(prefix="tinderbox-") as scratch:
            standing = read_part(self._book.fetch(resume, Path(scratch)))
        self._saved = standing.position.step
        return standing


def _member(place: Place) -> Member:
    rank, node, host = place
    return Member(rank=rank, name=f"share-{rank}", node=node, host=host)
