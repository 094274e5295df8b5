"""A training's record and checkpoints in storage, as those who run it write them down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tinderbox.api.plan import describe_job
from tinderbox.api.trained import write_classes
from tinderbox.api.training import TrainPlan
from tinderbox.checkpoint import Save
from tinderbox.errors import TinderboxError
from tinderbox.storage.checkpoints import part_name
from tinderbox.storage.log import SegmentLog
from tinderbox.storage.training import MODEL, TrainFolder
from tinderbox.training.history import Training, rebuild
from tinderbox.training.record import CheckpointKept, EpochEnded, Event, encode
from tinderbox.training.records import Position, Resume


@contextmanager
def opened_record(plan: TrainPlan, folder: TrainFolder) -> Iterator[tuple[SegmentLog, Training]]:
    """Take a training's record over, or begin one, until the block ends; return its log and what it adds up to.

    Raises:
        Superseded: Another driver takes it over at the same time.
        TinderboxError: The record is damaged or cannot be written.
    """
    job, is_new = plan.job, not folder.exists()
    if is_new:
        folder.write_job(describe_job(job), plan.run)
    log = folder.log()
    try:
        try:
            log.claim()  # before it is read: another driver that still writes it would add what is not read
            training = rebuild(log.read())
        except OSError as error:
            raise TinderboxError(
                f"the record of training {job.name!r} cannot be written: {error}; start it again once it can"
            ) from error
        if not is_new:
            folder.write_job(describe_job(job), plan.run)
        write_classes(folder, plan.classes)
        yield log, training
    finally:
        log.close()


class KeptCheckpoints:
    """The checkpoints of a training, for its next attempt."""

    def __init__(self, folder: TrainFolder) -> None:
        self.folder = folder

    def newest(self) -> Resume | None:
        """Return the newest one that is whole, None where there is none; what is newer is removed."""
        whole = self.folder.clear()
        return None if whole is None else whole.resume

    def at_epoch(self, epoch: int) -> Resume | None:
        """Return the whole one at the end of an epoch, None where there is none."""
        whole = self.folder.at_epoch(epoch)
        return None if whole is None else whole.resume


class Ledger(KeptCheckpoints):
    """Where a training is written down whose driver has all of its state; `keep` says how many checkpoints stay."""

    def __init__(self, folder: TrainFolder, log: SegmentLog, training: Training, keep: int) -> None:
        super().__init__(folder)
        self.training = training
        self._log, self._keep = log, keep

    def note(self, event: Event) -> None:
        """Let something happen: it is safe in the record, and in `training`, when this returns."""
        try:
            if isinstance(event, CheckpointKept):
                self.folder.count(event)
            self._log.append(encode(event))
            self.training.apply(event)
            if isinstance(event, EpochEnded):
                self.folder.write_history(ended.row for ended in self.training.history)
        except OSError as error:
            raise TinderboxError(f"training stopped: its record cannot be written: {error}") from error

    def fetch(self, resume: Resume, folder: Path) -> Path:
        """Return a file with part 0 of a checkpoint; one that is not on this machine is copied into a folder."""
        return self.folder.fetch(part_name(resume.position.step, 0), folder)

    def keep(self, attempt: int, position: Position, save: Save) -> tuple[str, int]:
        """Store a checkpoint of one part, whole or not at all; return the part's digest and its size in bytes."""
        return self.folder.keep_part(position.step, 0, save)

    def prune(self, best: int | None) -> None:
        """Remove checkpoints that are not wanted any more; that of the epoch `best` is."""
        with suppress(OSError):  # it costs room and nothing else
            self.folder.prune(self._keep, best)

    def write_log(self, attempt: int, rank: int, text: str) -> None:
        """Keep what a worker has printed in an attempt."""
        with suppress(OSError):  # training goes on without it
            self.folder.write_log(attempt, rank, text)

    def finish(self, model: bytes, confusion: list[list[int]] | None) -> None:
        """Store the model, and which validation examples were taken for what."""
        self.folder.write(MODEL, model)
        self.folder.write_confusion(confusion)
