"""A run's record and checkpoints in memory, for tests of the driver's loop of mode averaging."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from tinderbox.checkpoint import Save
from tinderbox.config import TrainJob
from tinderbox.training.history import Training
from tinderbox.training.record import CheckpointKept, Event, RunBegan
from tinderbox.training.records import Position, Resume


class Shelf:
    """A run's record and its checkpoints, in memory; `kept` has all that were ever made."""

    def __init__(self, wanted: TrainJob) -> None:
        self.job = wanted
        self.training, self.events, self.kept = Training(), list[Event](), dict[Position, bytes]()
        self.pruned = list[int | None]()
        self.model, self.confusion = b"", None
        self.logs = dict[tuple[int, int], str]()
        self.note(RunBegan(time=0, generation=1, workers=wanted.workers, epochs=wanted.epochs))

    def note(self, event: Event) -> None:
        """Write down."""
        self.events.append(event)
        self.training.apply(event)

    def newest(self) -> Resume | None:
        """Return the newest checkpoint."""
        return Resume(max(self.kept, key=lambda at: at.step)) if self.kept else None

    def at_epoch(self, epoch: int) -> Resume | None:
        """Return the checkpoint at an end of an epoch."""
        return next((Resume(at) for at in self.kept if (at.epoch, at.examples) == (epoch, 0)), None)

    def fetch(self, resume: Resume, folder: Path) -> Path:
        """Return a checkpoint's file."""
        path = folder / "part"
        path.write_bytes(self.kept[resume.position])
        return path

    def keep(self, attempt: int, position: Position, save: Save) -> tuple[str, int]:
        """Keep a checkpoint."""
        buffer = io.BytesIO()
        save(buffer)
        self.kept[position] = buffer.getvalue()
        return "digest", len(buffer.getvalue())

    def prune(self, best: int | None) -> None:
        """Note what is to stay."""
        self.pruned.append(best)

    def write_log(self, attempt: int, rank: int, text: str) -> None:
        """Keep what a worker has printed."""
        self.logs[attempt, rank] = text

    def finish(self, model: bytes, confusion: Any) -> None:
        """Keep the results."""
        self.model, self.confusion = model, confusion

    @property
    def losses(self) -> list[tuple[int, int, dict[str, float]]]:
        """What the history says of each epoch, times left out."""
        return [(row.epoch, row.step, row.metrics) for row in self.training.history]

    def again(self, upto: Position) -> Shelf:
        """Return the shelf of a driver that comes after one that was killed, and finds checkpoints up to a position."""
        other = Shelf(self.job)
        for event in self.events[1:]:
            other.note(event)
            if isinstance(event, CheckpointKept) and event.step == upto.step:
                break
        other.kept = {at: part for at, part in self.kept.items() if at.step <= upto.step}
        other.note(RunBegan(time=0, generation=2, workers=self.job.workers, epochs=self.job.epochs))
        return other
