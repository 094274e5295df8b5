"""The driver of mode averaging: splits, averages, checkpoints, losses and ends, on workers that fit a straight line."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.training.averaging.shelf import Shelf
from tinderbox.config import TrainJob, check_train
from tinderbox.config.train import Averaging
from tinderbox.errors import BadInput, Superseded, TinderboxError
from tinderbox.failure import Failure
from tinderbox.training.averaging.averager import Averager
from tinderbox.training.averaging.rounds import Answer, Begin, Export, RoundLost, Train, Validate, Work, join
from tinderbox.training.record import Event, RunEnded
from tinderbox.training.records import Counts, Position, Sums
from tinderbox.training.sampling import schedule, validation_slice
from tinderbox.training.state import State

EXAMPLES, BATCH = 50, 4
RNG = np.random.default_rng(1)
X = RNG.normal(size=(EXAMPLES, 3))
Y = X @ np.array([1.0, -2.0, 0.5]) + RNG.normal(size=EXAMPLES) / 10
RATE, MOMENTUM = 0.05, 0.9


def job(**changes: Any) -> TrainJob:
    """Return a job with 3 workers, of which each takes 4 examples a step, and 3 epochs of 5 steps."""
    tree = {"kind": "train", "name": "line", "model": "lenet5", "workers": 3, "batch": BATCH, "epochs": 3}
    return check_train({**tree, "mode": {"name": "averaging", "frequency": 2}, **changes}, "test")


class Line:
    """Workers that fit a line by gradient descent with momentum: floats are weights and velocities.

    `before` is called with the number of each round and its work, and may raise what a round raises.
    """

    def __init__(self, wanted: TrainJob, before: Callable[[int, Work], None] = lambda number, work: None) -> None:
        self.job, self.before = wanted, before
        self.works = list[Work]()
        self.shares = list[int]()

    def run(self, work: Work, state: State, shares: int) -> Answer:
        """Do what Spark would do."""
        self.works.append(work)
        self.shares.append(shares)
        self.before(len(self.works), work)
        return join([self.answer(work, state, rank) for rank in range(shares)])

    def answer(self, work: Work, state: State, rank: int) -> Answer:
        """Do one share."""
        place = (rank, f"node-{rank}", f"pod-{rank}")
        if isinstance(work, Begin):
            return Answer(state=State(np.zeros(6, np.float32), np.zeros(1, np.int64)), places=(place,))
        if isinstance(work, Train):
            return replace(self.train(work, state, rank), places=(place,))
        if isinstance(work, Validate):
            part = validation_slice(EXAMPLES, self.job.workers, rank)
            errors = (X[part] @ state.floats[:3] - Y[part]) ** 2
            confusion = np.full((2, 2), len(errors)) if work.confusion else None
            return Answer(sums=Sums(len(errors), {"loss": float(errors.sum())}), confusion=confusion)
        assert isinstance(work, Export)
        return Answer(model=state.floats.tobytes())

    def train(self, work: Train, state: State, rank: int) -> Answer:
        """Take a share's steps."""
        weights, velocities = state.floats[:3].astype(np.float64), state.floats[3:].astype(np.float64)
        batch = self.job.batch.size * (self.job.workers if self.job.batch.per == "worker" else 1)
        whole = schedule(EXAMPLES, batch, self.job.workers, rank, self.job.seed, work.position)
        steps = whole.cut(0, work.steps)
        total, loss = 0, 0.0
        for number in range(len(steps)):
            rows, count = steps.step(number), int(steps.counts[number])
            if count:
                errors = X[rows] @ weights - Y[rows]
                velocities = MOMENTUM * velocities - RATE * 2 * errors @ X[rows] / count
                weights = weights + velocities
                total, loss = total + count, loss + float((errors**2).sum())
        done, at = int(steps.done[-1]), work.position
        ended = done == EXAMPLES
        position = Position(at.epoch + ended, 0 if ended else done, at.step + len(steps))
        floats = np.concatenate([weights, velocities]).astype(np.float32)
        return Answer(
            weight=total,
            state=State(floats, state.integers + len(steps)),
            position=position,
            sums=Sums(total, {"loss": loss}),
            counts=Counts(len(steps), total, 1.0, 0.25, 24, 12 * len(steps)),
        )


def average(wanted: TrainJob, rounds: Line, book: Shelf) -> Shelf:
    """Run a training."""
    ticks = iter(range(1_000_000))
    assert isinstance(wanted.mode, Averaging)
    Averager(wanted, wanted.mode, rounds, book, lambda: float(next(ticks))).run()
    return book


def trained(**changes: Any) -> Shelf:
    """Run a training that nothing disturbs."""
    wanted = job(**changes)
    return average(wanted, Line(wanted), Shelf(wanted))


def outcomes(book: Shelf) -> list[tuple[str, str]]:
    """Return how attempts ended, and why."""
    ends = [attempt.ended for attempt in book.training.attempts]
    return [(end.outcome, end.cause) for end in ends if end is not None]


# Splits


def test_a_split_is_workers_times_frequency_times_batch() -> None:
    """An epoch of 50 examples is 24, 24 and the 2 that are left, and the next one begins anew."""
    wanted = job(epochs=2)
    rounds = Line(wanted)
    average(wanted, rounds, Shelf(wanted))
    positions = [(work.position.epoch, work.position.examples) for work in rounds.works if isinstance(work, Train)]
    assert positions == [(0, 0), (0, 24), (0, 48), (1, 0), (1, 24), (1, 48)]
    assert rounds.shares == [3] * (len(rounds.shares) - 1) + [1], "the model is written by one"


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_frequency_1_with_sgd_equals_one_worker_with_the_whole_batch(workers: int) -> None:
    """Momentum and the last batch, which not all workers have an example of, included."""
    alone = trained(workers=1, batch=12, mode={"name": "averaging", "frequency": 1})
    several = trained(workers=workers, batch={"size": 12, "per": "all"}, mode={"name": "averaging", "frequency": 1})
    one, many = (np.frombuffer(book.model, np.float32) for book in (alone, several))
    np.testing.assert_allclose(many, one, rtol=1e-5)


def test_a_larger_frequency_is_not_the_same() -> None:
    """Or the test before would show nothing; it learns as well, though."""
    alone, several = trained(workers=1, batch=12, epochs=12), trained(epochs=12)
    assert not np.allclose(np.frombuffer(alone.model, np.float32), np.frombuffer(several.model, np.float32), rtol=1e-3)
    for book in (alone, several):
        assert book.training.history[-1].metrics["val_loss"] < 0.1 * float((Y**2).mean())


def test_iterations_advance_by_the_frequency() -> None:
    """Whole numbers are alike in all workers and count their steps."""
    book = trained(epochs=1, checkpoints={"steps": 1})
    counted = {at.step: int(np.load(io.BytesIO(part))["integers"][0]) for at, part in book.kept.items()}
    assert counted == {2: 2, 4: 4, 5: 5}


def test_the_history_is_a_mean_over_all_examples() -> None:
    """Each epoch has its loss, its steps, and what the slowest worker waited for."""
    book = trained()
    assert [row.step for row in book.training.history] == [5, 10, 15]
    first = book.training.history[0]
    assert set(first.metrics) == {"loss", "val_loss"}
    assert (first.examples, first.workers) == (EXAMPLES, 3)
    assert (first.sent, first.dense) == (3 * 3 * 24, 3 * 12 * 5), "of three workers in three splits of five steps"
    assert 0 < first.sync_seconds < first.seconds
    weights = np.frombuffer(book.model, np.float32)[:3]
    assert book.training.history[-1].metrics["val_loss"] == pytest.approx(((X @ weights - Y) ** 2).mean())


def test_the_training_loss_is_that_of_all_splits() -> None:
    """The losses of an epoch's three splits, and not those of its last one alone, are its loss."""
    wanted = job()
    rounds, told = Line(wanted), [0.0] * wanted.epochs
    fine = rounds.train

    def train(work: Train, state: State, rank: int) -> Answer:
        answer = fine(work, state, rank)
        told[work.position.epoch] += answer.sums.sums["loss"]
        return answer

    rounds.train = train  # type: ignore[method-assign]
    history = average(wanted, rounds, Shelf(wanted)).training.history
    assert [row.metrics["loss"] for row in history] == pytest.approx([loss / EXAMPLES for loss in told])


def test_the_end_is_written_down() -> None:
    """Model, confusion, and an attempt that is complete, with the places of its workers."""
    book = trained()
    assert len(book.model) == 24
    assert book.confusion == [[EXAMPLES] * 2] * 2
    assert outcomes(book) == [("complete", "")]
    members = book.training.attempts[0].members
    assert [(members[rank].node, members[rank].host) for rank in range(3)] == [
        ("node-0", "pod-0"),
        ("node-1", "pod-1"),
        ("node-2", "pod-2"),
    ]
    assert book.training.ended is not None
    assert (book.training.ended.epoch, book.training.ended.early) == (3, False)


# Checkpoints


def test_checkpoints_are_made_each_epoch_without_a_word() -> None:
    """At the ends of epochs, where nothing is under way."""
    assert list(trained().kept) == [Position(1, 0, 5), Position(2, 0, 10), Position(3, 0, 15)]


def test_checkpoints_by_steps_are_made_at_the_next_split() -> None:
    """Every 4 steps, of splits that end after 2, 4, 5, 7, 9, 10, ...; the end of training has one in any case."""
    assert [at.step for at in trained(checkpoints={"steps": 4}).kept] == [4, 9, 12, 15]
    assert [at.step for at in trained(checkpoints={"steps": 100}).kept] == [15]


def test_a_run_goes_on_from_any_checkpoint_as_if_nothing_had_happened() -> None:
    """Bit by bit the same model, and the same history, from each of them, in the middle of epochs, too."""
    whole = trained(checkpoints={"steps": 1})
    assert len(whole.kept) == 9
    for at in whole.kept:
        book = whole.again(at)
        average(book.job, Line(book.job), book)
        assert book.model == whole.model, at
        assert book.losses == whole.losses, at
        began = book.training.attempts[-1].began
        assert (began.epoch, began.examples, began.step) == (at.epoch, at.examples, at.step)


def test_a_run_that_has_only_its_end_to_do_trains_nothing() -> None:
    """A driver killed before it wrote the model is followed by one that writes it."""
    whole = trained()
    book = whole.again(Position(3, 0, 15))
    rounds = Line(book.job)
    average(book.job, rounds, book)
    assert not [work for work in rounds.works if isinstance(work, Train)]
    assert book.model == whole.model


def test_whoever_follows_is_shown_each_split() -> None:
    """From where a run goes on, with what the epoch has cost so far."""
    whole = trained(checkpoints={"steps": 1})
    book, shown = whole.again(Position(1, 24, 7)), list[tuple[int, int]]()
    mode = book.job.mode
    assert isinstance(mode, Averaging)
    Averager(
        book.job, mode, Line(book.job), book, lambda: 0.0, lambda at, counts: shown.append((at.step, counts.examples))
    ).run()
    assert shown == [(7, 24), (9, 48), (10, 50), (12, 24), (14, 48), (15, 50)]


# Logs


def test_what_workers_print_is_kept_by_attempt() -> None:
    """All of it until the end of the attempt, that of the epoch that ended without a loss, too."""
    wanted = job(epochs=2)
    rounds, book = Line(wanted, losing(6)), Shelf(wanted)
    fine, seen = rounds.answer, list[dict[tuple[int, int], str]]()

    def answer(work: Work, state: State, rank: int) -> Answer:
        seen.append(dict(book.logs))
        said = f"{type(work).__name__} " if rank == 1 else ""
        return replace(fine(work, state, rank), printed=((rank, said),) if said else ())

    rounds.answer = answer  # type: ignore[method-assign]
    average(wanted, rounds, book)
    assert list(book.logs) == [(1, 1), (2, 1)]
    assert book.logs[1, 1] == "Begin Train Train Train Validate "
    assert book.logs[2, 1] == "Begin Train Train Train Validate Validate "
    assert book.logs[1, 1] in (logs.get((1, 1)) for logs in seen), "it can be read while training goes on"


# Losses


def losing(*rounds: int, outcome: Any = "killed") -> Callable[[int, Work], None]:
    """Return what loses rounds of these numbers."""

    def before(number: int, work: Work) -> None:
        if number in rounds:
            raise RoundLost(outcome, f"round {number} was lost")

    return before


@pytest.mark.parametrize("number", range(1, 16))
def test_a_lost_round_is_run_again_and_changes_nothing(number: int) -> None:
    """Whichever of all rounds is lost, model and history are those of an undisturbed run, and the cause is told."""
    whole, wanted = trained(), job()
    book = average(wanted, Line(wanted, losing(number)), Shelf(wanted))
    assert book.model == whole.model
    assert book.losses == whole.losses
    assert outcomes(book) == [("killed", f"round {number} was lost"), ("complete", "")]


def test_a_frozen_share_is_told_as_frozen() -> None:
    """The outcome of an attempt is that of the round that was lost."""
    wanted = job()
    book = average(wanted, Line(wanted, losing(3, outcome="frozen")), Shelf(wanted))
    assert [outcome for outcome, _ in outcomes(book)] == ["frozen", "complete"]
    assert book.training.attempts[1].began.step == 2, "it goes on after the last split, not from a checkpoint"


def test_attempts_are_bounded() -> None:
    """After so many the run ends, with the last cause; the next driver begins to count anew."""
    wanted = job(attempts={"most": 3}, checkpoints={"steps": 1})
    book = Shelf(wanted)
    with pytest.raises(TinderboxError, match=r"given up at step 5 after 3 attempts, .* because round 9 was lost"):
        average(wanted, Line(wanted, losing(3, 5, 9)), book)
    assert [outcome for outcome, _ in outcomes(book)] == ["killed"] * 3
    average(wanted, Line(wanted, losing(3, 5)), book)
    assert outcomes(book)[-1] == ("complete", "")
    assert book.model == trained().model


def test_what_a_share_raises_ends_the_run_at_once() -> None:
    """It would be raised again; the record has its traceback and where it was."""
    wanted = job()
    rounds, book = Line(wanted), Shelf(wanted)
    fine = rounds.answer

    def answer(work: Work, state: State, rank: int) -> Answer:
        if isinstance(work, Train) and rank == 1 and work.position.step == 2:
            return Answer(failed=((1, "node-1", "pod-1"), Failure("ValueError: no", "Traceback ...")))
        return fine(work, state, rank)

    rounds.answer = answer  # type: ignore[method-assign]
    with pytest.raises(TinderboxError, match="ValueError: no"):
        average(wanted, rounds, book)
    (attempt,) = book.training.attempts
    assert attempt.ended is not None
    assert (attempt.ended.outcome, attempt.ended.details) == ("failed", "Traceback ...")
    assert attempt.ended.member is not None
    assert (attempt.ended.member.rank, attempt.ended.member.node) == (1, "node-1")


def test_divergence_ends_the_run() -> None:
    """A loss that is no number any more is told as such, and not averaged further."""
    wanted = job()
    rounds, book = Line(wanted), Shelf(wanted)
    fine = rounds.train
    rounds.train = lambda work, state, rank: replace(  # type: ignore[method-assign]
        fine(work, state, rank), sums=Sums(4, {"loss": float("nan")})
    )
    with pytest.raises(TinderboxError, match="loss is nan"):
        average(wanted, rounds, book)
    assert outcomes(book)[0][0] == "failed"
    assert sum(isinstance(work, Train) for work in rounds.works) == 1, "the first split is the last one"


@pytest.mark.parametrize("number", range(2, 16))
def test_an_interrupt_costs_nothing(number: int) -> None:
    """A driver that is asked to end keeps where it stands, and the next one leaves the same model and history."""
    whole, wanted = trained(checkpoints={"steps": 100}), job(checkpoints={"steps": 100})

    def interrupt(now: int, work: Work) -> None:
        if now == number:
            raise KeyboardInterrupt

    book = Shelf(wanted)
    with pytest.raises(KeyboardInterrupt):
        average(wanted, Line(wanted, interrupt), book)
    assert outcomes(book) == [("released", "its driver was asked to end")]
    step = max((at.step for at in book.kept), default=0)
    average(wanted, Line(wanted), book)
    assert book.training.attempts[1].began.step == step
    assert step == [0, 0, 0, 2, 4, 5, 5, 7, 9, 10, 10, 12, 14, 15, 15, 15][number]
    assert book.model == whole.model
    assert book.losses == whole.losses


@pytest.mark.parametrize(
    ("error", "outcome"), [(TinderboxError("no executor came"), "lost"), (BadInput("no such metric"), "failed")]
)
def test_what_stops_the_driver_ends_the_attempt(error: TinderboxError, outcome: str) -> None:
    """Where executors do not come, say, the attempt is not left open."""
    wanted = job()
    book = Shelf(wanted)

    def stop(number: int, work: Work) -> None:
        if number == 4:
            raise error

    with pytest.raises(type(error), match=str(error)):
        average(wanted, Line(wanted, stop), book)
    assert outcomes(book) == [(outcome, str(error))]


def test_a_driver_that_was_superseded_writes_nothing_more() -> None:
    """The attempt is the later driver's to end."""
    wanted = job()
    book = Shelf(wanted)
    notes = book.note

    def note(event: Event) -> None:
        if len(book.events) == 3:
            raise Superseded("another driver has taken over")
        notes(event)

    book.note = note  # type: ignore[method-assign]
    with pytest.raises(Superseded):
        average(wanted, Line(wanted), book)
    assert len(book.events) == 3
    assert book.training.running is not None


def test_what_could_not_be_done_for_now_is_told_with_its_place() -> None:
    """Files that cannot be read for a moment, say: the next attempt reads them; the record has whose share it was."""
    wanted, whole = job(), trained()

    def pass_by(number: int, work: Work) -> None:
        if number == 3:
            raise RoundLost("lost", "t.parquet cannot be read", "Traceback ...", (1, "node-1", "pod-1"))

    book = average(wanted, Line(wanted, pass_by), Shelf(wanted))
    assert outcomes(book) == [("lost", "t.parquet cannot be read"), ("complete", "")]
    ended = book.training.attempts[0].ended
    assert ended is not None
    assert ended.member is not None
    assert (ended.details, ended.member.rank, ended.member.node) == ("Traceback ...", 1, "node-1")
    assert book.model == whole.model


# Early stopping


@pytest.mark.parametrize("step", [2, 12])
def test_an_interrupt_leaves_the_best_epoch_where_it_is(step: int) -> None:
    """The checkpoint of a driver that is asked to end in the third epoch does not push out that of the first one."""
    wanted = job(early_stopping={"metric": "val_loss", "patience": 9}, checkpoints={"epochs": 9})
    rounds, book = Line(wanted), Shelf(wanted)
    fine = rounds.answer

    def answer(work: Work, state: State, rank: int) -> Answer:
        if isinstance(work, Train) and work.position.step == step:
            raise KeyboardInterrupt
        value = 1.0 + len(book.training.history)
        answered = fine(work, state, rank)
        return replace(answered, sums=Sums(1, {"loss": value})) if isinstance(work, Validate) else answered

    rounds.answer = answer  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        average(wanted, rounds, book)
    assert max(book.kept, key=lambda at: at.step).step == step
    assert book.pruned[-1] == (1 if step > 5 else None)


def test_training_stops_early_and_the_best_epoch_is_the_result() -> None:
    """With a validation loss that is best in epoch 2, the model is the one of epoch 2."""
    values = [3.0, 1.0, 2.0, 1.5, 0.5]
    wanted = job(epochs=5, early_stopping={"metric": "val_loss", "patience": 2}, checkpoints={"epochs": 5})
    rounds, book = Line(wanted), Shelf(wanted)
    fine = rounds.answer

    def answer(work: Work, state: State, rank: int) -> Answer:
        answered = fine(work, state, rank)
        value = values[min(len(book.training.history), 4)]
        return replace(answered, sums=Sums(1, {"loss": value})) if isinstance(work, Validate) else answered

    rounds.answer = answer  # type: ignore[method-assign]
    average(wanted, rounds, book)
    assert [row.metrics["val_loss"] for row in book.training.history] == values[:4]
    assert isinstance(book.events[-1], RunEnded)
    assert (book.events[-1].epoch, book.events[-1].early) == (2, True)
    best = np.load(io.BytesIO(book.kept[Position(2, 0, 10)]))["floats"]
    assert book.model == best.tobytes()
    assert book.pruned[-1] == 2, "the best epoch's checkpoint stays"
    # A driver that is lost while it writes the model is followed by one that trains nothing more.
    again = book.again(Position(4, 0, 20))
    later = Line(wanted)
    average(wanted, later, again)
    assert not [work for work in later.works if isinstance(work, Train)]
    assert again.model == book.model
