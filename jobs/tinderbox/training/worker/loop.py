"""The epochs of one worker: plain Keras `fit`, with what the driver is told of it and the checkpoints that are due."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tinderbox.config import TrainJob
from tinderbox.models.state import read_members, restore, save_members, save_model, set_stream
from tinderbox.training.channel import Channel
from tinderbox.training.exchange import Exchange
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Resume, Verdict
from tinderbox.training.sampling import Schedule
from tinderbox.training.worker.feed import Feed
from tinderbox.training.worker.scores import Scores

if TYPE_CHECKING:
    import keras

_TELL_SECONDS = 0.2
_PROGRESS = "progress.json"
"""The member of a part that says what the unfinished epoch has come to."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a worker trains with.

    `schedules` returns what it does from a position to the end of its epoch, and `rate` is the learning rate, None
    where a schedule says it.
    """

    job: TrainJob
    assignment: Assignment
    model: Any
    exchange: Exchange
    channel: Channel
    train: Feed
    schedules: Callable[[Position], Schedule]
    scores: Scores
    classes: int | None
    rate: float | None
    scratch: Path


class Loop:
    """Trains from where the assignment says to the end, or to where the driver says that it is over."""

    def __init__(self, setting: Setting) -> None:
        self._set = setting
        self._job, self._model, self._exchange = setting.job, setting.model, setting.exchange
        self._channel, self._rank, self._scores = setting.channel, setting.assignment.rank, setting.scores
        self._position = Position()
        self._schedule: Schedule | None = None
        self._begun: NDArray[np.float64] | None = None  # what the epoch had come to in the checkpoint
        self._began = 0.0  # since when seconds are not counted yet
        self._taken = 0  # examples behind the metrics of the epoch
        self._counts = self._told = Counts()
        self._tell_at = 0.0

    def run(self) -> None:
        """Train, and tell the driver how it ended.

        Raises:
            Diverged: The loss is no number any more.
            StaleAttempt: The driver has given up this attempt.
            PeerLost: Another worker has gone.
        """
        resume = self._set.assignment.resume
        if resume is not None and not self._set.assignment.rejoins:  # others have a newer state for one that rejoins
            self._restore(resume)
        self._position = self._exchange.attach(self._model, self._position)
        finalize, self._model.optimizer.finalize_variable_values = (
            self._model.optimizer.finalize_variable_values,
            lambda variables: None,  # each epoch is a fit of its own, and only the last one ends training
        )
        verdict = Verdict(stop=self._set.assignment.over)
        while not verdict.stop and self._position.epoch < self._job.epochs:
            verdict = self._run_epoch()
        if verdict.best is not None:
            self._load(verdict.best)
            self._position = verdict.best.position
        finalize(self._model.trainable_variables)
        self._finish()

    def _run_epoch(self) -> Verdict:
        self._schedule = schedule = self._set.schedules(self._position)
        self._exchange.begin(schedule)
        self._counts = self._told = Counts()
        self._taken, self._began = 0, time.monotonic()
        if len(schedule):
            epoch = self._position.epoch
            self._model.fit(
                self._set.train.take(schedule),
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=[_callback(self)],
                verbose=0,
                shuffle=False,
            )
        self._scores.check(self._position)
        train = self._scores.sums(self._taken)
        self._position = Position(self._position.epoch + 1, 0, self._position.step)
        self._exchange.settle(self._position)
        self._pass_time()
        self._tell()
        report = EpochReport(
            self._rank, self._position.epoch, train, self._scores.look(), self._counts, step=self._position.step
        )
        verdict = self._channel.end_epoch(report)
        every = self._job.checkpoints.every_epochs
        wanted = verdict.stop or verdict.save  # there is something to go on from, whatever ends this process now
        if wanted or (every is not None and self._position.epoch % every == 0) or self._is_due():
            self._save()
        return verdict

    def begin_epoch(self) -> None:
        """Take over what the epoch had come to before; Keras has set its metrics to zero."""
        self._began = time.monotonic()
        if self._begun is not None:
            self._taken = int(self._begun[0])
            self._scores.take_over(self._begun[1:])
            self._begun = None

    def end_step(self, number: int) -> None:
        """Note a step of the epoch's schedule, and save what is due."""
        schedule, position = self._schedule, self._position
        assert schedule is not None  # noqa: S101 - a step belongs to an epoch
        self._position = Position(position.epoch, int(schedule.done[number]), position.step + 1)
        examples = int(schedule.counts[number])
        self._taken += examples
        self._counts += Counts(1, examples)
        self._exchange.after_step(self._position)
        self._pass_time()
        last = number + 1 == len(schedule)  # the epoch is ended first, and saved with its end
        if self._is_due() and not last:
            self._exchange.settle(self._position)
            self._pass_time()
            self._save()
            self._began = time.monotonic()
        if self._began >= self._tell_at:
            self._scores.check(self._position)
            self._tell()

    def _pass_time(self) -> None:
        """Count the seconds since the last call: of steps with all of their exchange, but not of saving."""
        now = time.monotonic()
        self._counts += Counts(seconds=now - self._began)
        self._began = now

    def _is_due(self) -> bool:
        every = self._job.checkpoints.steps
        return every is not None and self._position.step % every == 0

    def _tell(self) -> None:
        """Tell the driver what was done since it was told last."""
        traffic = self._exchange.traffic()
        done = self._counts + Counts(sync_seconds=traffic.seconds, sent=traffic.sent, dense=traffic.dense)
        self._channel.beat(self._position, done - self._told)
        self._counts = self._told = done
        self._tell_at = time.monotonic() + _TELL_SECONDS

    def _save(self) -> None:
        """Save this worker's part of a checkpoint of where training stands."""
        model = self._model
        progress = np.zeros(1)
        if self._position.examples:
            self._scores.check(self._position)
            progress = self._exchange.total(np.concatenate([[float(self._taken)], self._scores.values()]))
        if self._rank and not self._exchange.every_worker_saves:
            return
        members = {**self._exchange.save(), _PROGRESS: json.dumps(progress.tolist()).encode()}

        def save(file: BinaryIO) -> None:
            if self._rank:
                save_members(members, file)
            else:
                save_model(model, file, members)

        self._channel.save(self._position, save)

    def _restore(self, resume: Resume) -> None:
        """Go on from a checkpoint: with the model, and what else the worker of this rank has left there."""
        path: Path | None = self._load(resume)
        if self._rank:
            known = self._rank in resume.parts
            path = self._channel.fetch(resume, self._rank, self._set.scratch) if known else None
        members = read_members(path) if path is not None else {}
        progress = np.array(json.loads(members.pop(_PROGRESS, b"[0]")), np.float64)
        self._begun = progress if len(progress) > 1 else None
        self._exchange.restore(members)
        self._position = resume.position

    def _load(self, resume: Resume) -> Path:
        """Give the model the state of a checkpoint, and return the part of it that this is in, rank 0's."""
        path = self._channel.fetch(resume, 0, self._set.scratch)
        restore(self._model, path)
        set_stream(self._model, self._rank)
        if self._set.rate is not None:
            self._model.optimizer.learning_rate = self._set.rate  # workers may have come or gone
        return path

    def _finish(self) -> None:
        confusion, model = self._scores.confuse(self._set.classes), self._model
        counts = None if confusion is None else confusion.tolist()
        self._channel.finish(None if self._rank else lambda file: save_model(model, file), counts)


def _callback(loop: Loop) -> keras.callbacks.Callback:
    import keras

    class Steps(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            loop.begin_epoch()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            loop.end_step(batch)

    return Steps()
