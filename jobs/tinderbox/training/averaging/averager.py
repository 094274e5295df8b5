"""Mode averaging: the driver has all state, workers take some steps from it, and what they come to is averaged.

The scheme is DL4J's ParameterAveragingTrainingMaster: a split of the data is workers x frequency x batch examples, and
parameters, the optimizer's state and what layers keep, such as the moving statistics of BatchNormalization, are all
averaged after it, each worker counting by the examples it had.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from tinderbox.config import TrainJob
from tinderbox.config.train import Averaging
from tinderbox.errors import Superseded, TinderboxError
from tinderbox.failure import Failure
from tinderbox.training.averaging.book import Book, Chronicle
from tinderbox.training.averaging.parts import Standing
from tinderbox.training.averaging.rounds import Answer, Begin, Export, RoundLost, Rounds, Train, Validate, Work
from tinderbox.training.progress import best_epoch, find_divergence, is_over, judge, merge
from tinderbox.training.record import RunEnded
from tinderbox.training.records import Counts, EpochReport, Position, Sums
from tinderbox.training.state import State

LOG = logging.getLogger(__name__)


class Averager:
    """Runs one training in mode averaging, or goes on with it, round by round.

    `now` returns the Unix time, and `show` is told where training stands and what the epoch has cost so far.
    """

    def __init__(
        self,
        job: TrainJob,
        mode: Averaging,
        rounds: Rounds,
        book: Book,
        now: Callable[[], float],
        show: Callable[[Position, Counts], None] = lambda position, counts: None,
    ) -> None:
        self._job, self._mode = job, mode
        self._rounds, self._book, self._now, self._show = rounds, book, now, show
        self._chronicle = Chronicle(book, job.workers, now)
        self._at, self._lost = Standing(), 0

    def run(self) -> None:
        """Train to the end, or go on to it from the newest checkpoint, and leave the model.

        Raises:
            TinderboxError: A share has failed, training has diverged, or attempts are used up.
        """
        self._at = self._chronicle.read(self._book.newest())
        while True:
            try:
                self._begin()
                self._train()
                self._finish()
                return
            except RoundLost as lost:
                self._chronicle.end(lost.outcome, Failure(lost.cause, lost.details), lost.place)
                self._count(lost)
            except Superseded:
                raise
            except TinderboxError as error:
                self._chronicle.abandon(error)
                raise
            except KeyboardInterrupt:
                self._chronicle.release(self._at, self._best())
                raise

    def _best(self) -> int | None:
        """Return the epoch whose checkpoint stays, None where none is done."""
        return best_epoch(self._book.training.history, self._job)

    def _begin(self) -> None:
        """Begin an attempt: all workers build the model, which also shows that they are there, and where."""
        try:
            answer = self._rounds.run(Begin(), self._at.state, self._job.workers)
        except RoundLost:
            self._chronicle.begin(self._at.position, ())
            raise
        self._chronicle.begin(self._at.position, answer.places)
        self._chronicle.overhear(answer.printed)
        if answer.failed is not None:
            raise self._chronicle.fail(answer.failed[1], answer.failed[0])
        if not self._at.state.size:
            self._at = replace(self._at, state=answer.state)
        self._show(self._at.position, self._at.counts)

    def _count(self, lost: RoundLost) -> None:
        """Count a loss; all that was trained is here, so the next attempt goes on after the last split.

        Raises:
            TinderboxError: This driver has seen too many.
        """
        self._lost += 1
        LOG.warning("attempt %d ended (%s): %s", self._chronicle.attempt, lost.outcome, lost.cause)
        if self._lost >= self._job.attempts.most:
            raise TinderboxError(
                f"training was given up at step {self._at.position.step} after {self._lost} attempts, which is what "
                f"attempts.most allows, the last one because {lost.cause}; see to the cause and run the same command "
                "again to go on"
            )

    def _ask(self, work: Work, state: State, shares: int) -> Answer:
        """Return what shares answer from a state.

        Raises:
            RoundLost: A share was lost, or is frozen.
            TinderboxError: A share has failed.
        """
        answer = self._rounds.run(work, state, shares)
        self._chronicle.overhear(answer.printed)
        for rank, node, _ in answer.again:
            LOG.warning("share %d was lost and computed again, on %s", rank, node)
        if answer.failed is not None:
            place, failure = answer.failed
            raise self._chronicle.fail(failure, place)
        return answer

    def _train(self) -> None:
        while True:
            history = self._book.training.history
            if self._at.position.epoch > (history[-1].epoch if history else 0):
                self._end_epoch()
            elif is_over(history, self._job):
                return
            else:
                self._split()

    def _split(self) -> None:
        """Train one split and average what it comes to."""
        at, began = self._at, self._now()
        answer = self._ask(Train(at.position, self._mode.frequency), at.state, self._job.workers)
        self._check(answer.sums.means)
        state = State(answer.state.floats.astype(at.state.floats.dtype), answer.state.integers)
        counts = at.counts + _timed(answer.counts, self._now() - began)
        self._at = Standing(state, answer.position, at.sums + answer.sums, counts)
        self._show(answer.position, counts)
        ends = answer.position.epoch > at.position.epoch
        if not ends and self._chronicle.is_due(answer.position.step, self._job.checkpoints.steps):
            self._chronicle.keep(self._at, self._best())

    def _end_epoch(self) -> None:
        """Measure the validation examples, write the epoch down, and keep a checkpoint where one is due."""
        job, at, training = self._job, self._at, self._book.training
        epoch, step, every = at.position.epoch, at.position.step, job.checkpoints.every_epochs
        validation = self._ask(Validate(), at.state, job.workers).sums
        merged = replace(merge([EpochReport(0, epoch, at.sums, validation, at.counts, step)]), workers=job.workers)
        self._check(merged.metrics)
        self._at = replace(at, sums=Sums(0, {}), counts=Counts())
        self._book.note(merged.ended(self._chronicle.attempt, epoch, self._now()))
        self._chronicle.write_logs()
        best = self._best()
        is_wanted = is_over(training.history, job) or (job.early_stopping is not None and best == epoch)
        is_due = self._chronicle.is_due(step, job.checkpoints.steps) or (every is not None and epoch % every == 0)
        if is_wanted or is_due:
            self._chronicle.keep(self._at, best)

    def _check(self, metrics: dict[str, float]) -> None:
        if (cause := find_divergence(metrics)) is not None:
            raise self._chronicle.fail(Failure(cause))

    def _finish(self) -> None:
        """Leave the model of the best epoch, or of the last one, and note that the run is over."""
        history, at, workers = self._book.training.history, self._at, self._job.workers
        if (best := judge(history, self._job, self._book.at_epoch).best) is not None:
            at = self._chronicle.read(best)
        confusion = self._ask(Validate(confusion=True), at.state, workers).confusion
        model = self._ask(Export(), at.state, 1).model
        self._book.finish(model, None if confusion is None else confusion.tolist())
        self._chronicle.end("complete", Failure(""))
        early = history[-1].epoch < self._job.epochs
        self._book.note(RunEnded(time=self._now(), epoch=at.position.epoch, early=early))


def _timed(counts: Counts, seconds: float) -> Counts:
    """Return what a round has cost in all, Spark's part included, which is exchange like the rest of it."""
    waited = max(seconds - counts.seconds + counts.sync_seconds, 0.0)
    return replace(counts, seconds=max(seconds, counts.seconds), sync_seconds=waited)
