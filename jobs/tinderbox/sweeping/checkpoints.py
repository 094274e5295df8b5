"""Which states of a study's trials are kept: the newest of each that may go on, the best ones' last, the baseline's."""

from __future__ import annotations

from collections.abc import Callable

from tinderbox.errors import StaleAttempt
from tinderbox.sweeping.events import CheckpointFreed, CheckpointSaved, Event
from tinderbox.sweeping.history import Checkpoint, Trial
from tinderbox.sweeping.leaders import Leaders
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.study import Study


class Checkpoints:
    """The states of one study's trials; `garbage` lists the files that no trial needs any more."""

    def __init__(self, study: Study, rules: Rules, append: Callable[[Event], None]) -> None:
        self._study, self._append = study, append
        self._epochs, self._seconds = rules.checkpoint_epochs, rules.checkpoint_seconds
        self._leaders = Leaders(study, max(rules.top, 1))
        self._saved: dict[int, float] = {}
        self.garbage: list[str] = []

    # While a trial runs

    def begin(self, trial: Trial, now: float) -> None:
        """Note that an attempt begins: what the trial does from now on would be lost with its slot."""
        self._saved[trial.number] = now

    def is_due(self, trial: Trial, epoch: int, now: float) -> bool:
        """Whether a trial's newest state is to be saved, so that little is lost with its slot."""
        by_epochs = self._epochs is not None and epoch - trial.kept >= self._epochs
        age = now - self._saved.get(trial.number, now)
        return by_epochs or (self._seconds is not None and age >= self._seconds)

    def would_keep(self, trial: Trial) -> bool:
        """Whether the state of a trial that ends with its newest report is worth keeping."""
        return trial.baseline or self._leaders.would_take(trial)

    def keep(self, trial: Trial, checkpoint: CheckpointSaved) -> None:
        """Note that a trial's state is safe, in the place of an earlier one; a repeated note changes nothing.

        Raises:
            StaleAttempt: The trial's newest report is another one.
        """
        if checkpoint.epoch != trial.epoch:
            raise StaleAttempt(
                f"trial {trial.number} is at epoch {trial.epoch}, and this checkpoint at {checkpoint.epoch}"
            )
        kept = trial.checkpoint
        if kept is not None and (kept.attempt, kept.epoch, kept.sha256) == (
            checkpoint.attempt,
            checkpoint.epoch,
            checkpoint.sha256,
        ):
            return
        self._append(checkpoint)
        self._saved[trial.number] = checkpoint.time
        if kept is not None and kept.path != checkpoint.path:
            self._free(trial, kept, checkpoint.time)

    def refuse(self, checkpoint: CheckpointSaved) -> None:
        """Throw a state away that nobody waits for, but not the one that is kept: a note of it may be repeated late."""
        trial = self._study.trials.get(checkpoint.trial)
        kept = None if trial is None else trial.checkpoint
        if kept is None or kept.path != checkpoint.path:
            self.garbage.append(checkpoint.path)

    def miss(self, trial: Trial, path: str, now: float) -> None:
        """Note that the state of a trial is gone; it is not thrown away, for it may be there and out of reach now."""
        if trial.checkpoint is not None and trial.checkpoint.path == path:
            self._forget(trial, trial.checkpoint, now)

    # Once it has ended

    def take(self, trial: Trial, now: float) -> None:
        """Take in that a trial's attempt has ended; where it is one of the best by that, another one may be no more."""
        fallen = self._leaders.take(trial)
        for other in (trial, fallen):
            if other is not None:
                self._tidy(other, now)

    def tidy(self, now: float) -> None:
        """Throw away what a driver had not come to that died at the end of an attempt."""
        for trial in self._study.ended:
            self._tidy(trial, now)

    def _tidy(self, trial: Trial, now: float) -> None:
        """Throw the state of a trial away that has ended, unless it is the best one or the baseline."""
        is_wanted = trial in self._leaders or trial is self._study.best or trial is self._study.baseline
        if trial.checkpoint is not None and trial.state.ended and not is_wanted:
            self._free(trial, trial.checkpoint, now)

    def _free(self, trial: Trial, checkpoint: Checkpoint, now: float) -> None:
        self._forget(trial, checkpoint, now)
        self.garbage.append(checkpoint.path)

    def _forget(self, trial: Trial, checkpoint: Checkpoint, now: float) -> None:
        self._append(CheckpointFreed(time=now, trial=trial.number, path=checkpoint.path, size=checkpoint.size))
