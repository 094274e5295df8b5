"""A worker's way to the driver: to it through HTTP on a cluster, to a record of calls in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tinderbox.checkpoint import Save
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Resume, Verdict


class Channel(Protocol):
    """What a worker process tells the driver; `StaleAttempt` from any call means that its attempt is over."""

    def beat(self, position: Position, done: Counts) -> None:
        """Note where training stands and what was done since the last call; never waits, a thread sends the sum."""

    def end_epoch(self, report: EpochReport) -> Verdict:
        """Tell of an epoch, wait until all workers have, and return what follows."""

    def save(self, position: Position, save: Save) -> None:
        """Bring this worker's part of a checkpoint to safety; it counts once all parts that belong to it are there."""

    def fetch(self, resume: Resume, rank: int, folder: Path) -> Path:
        """Return a file in `folder` with a part of a checkpoint, its digest checked."""

    def finish(self, model: Save | None, confusion: list[list[int]] | None) -> None:
        """Tell that training is over: the model, from rank 0, and which validation examples were taken for what."""

    def assignment(self) -> Assignment:
        """Return the newest addresses of this attempt's workers; in mode threshold one may have been replaced."""
