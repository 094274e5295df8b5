"""Shares of mode averaging, done with Keras: equal to plain training where they should be, and nothing left between."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.training.averaging.shelf import Shelf
from tinderbox.config import TrainJob, check_train
from tinderbox.config.train import Averaging
from tinderbox.data import Dataset, load, pack, unpack
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.metrics.meter import NOBODY
from tinderbox.models.building import Task, build_model
from tinderbox.training import confusion
from tinderbox.training.averaging.averager import Averager
from tinderbox.training.averaging.held import Bench
from tinderbox.training.averaging.rounds import Answer, Begin, Export, Train, Validate, Work, join
from tinderbox.training.averaging.shares import do_share
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Position
from tinderbox.training.sampling import shuffled
from tinderbox.training.state import State

EXAMPLES = 150
"""Four whole batches of 32, and one of 22."""

BUILD = """
import keras


def net(shape, classes, dropout=0.0, norm=False):
    layers = [keras.layers.Rescaling(1 / 16), keras.layers.Flatten(), keras.layers.Dense(12, "relu")]
    if norm:
        layers.append(keras.layers.BatchNormalization(momentum=0.5))
    if dropout:
        layers.append(keras.layers.Dropout(dropout))
    return keras.Sequential([keras.Input(shape), *layers, keras.layers.Dense(classes, "softmax")])


def broken(shape, classes):
    print("about to fail")
    raise ValueError("no such network")
"""


def job(**changes: Any) -> TrainJob:
    """Return a job of two workers with 16 examples each."""
    tree = {
        "kind": "train",
        "name": "shares",
        "model": {"build": "averaged_net:net"},
        "code": "code",
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "workers": 2,
        "batch": 16,
        "epochs": 2,
        "seed": 3,
        "mode": {"name": "averaging", "frequency": 1},
    }
    return check_train({**tree, **changes}, "test")


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Some digits."""
    whole = load(job().data, Path(), lambda name: None)
    assert len(whole.validation) > 256, "more than one block of one worker"
    return replace(whole, train=replace(whole.train, x=whole.train.x[:EXAMPLES], y=whole.train.y[:EXAMPLES]))


@pytest.fixture(scope="module")
def folder(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set and the user's module, as they lie in an executor."""
    folder = tmp_path_factory.mktemp("scratch")
    unpack(lambda: pack(data), folder / "data")
    (folder / "code").mkdir()
    (folder / "code" / "averaged_net.py").write_text(BUILD)
    return folder


class Here:
    """Does the shares of a round one after the other in this process, as one Python worker would."""

    def __init__(self, wanted: TrainJob, data: Dataset, folder: Path) -> None:
        shape, classes = data.train.x.shape[1:], len(data.classes or ())
        counts = len(data.train), len(data.validation)
        self.recipe = Recipe(wanted, None, b"", shape, classes, *counts, "digest")
        self.key, self.folder = str(wanted), folder

    def run(self, work: Work, state: State, shares: int) -> Answer:
        """Do all shares, the last one first, for the order may be any."""
        answers = [self.share(work, state, rank) for rank in reversed(range(shares))]
        return join(answers[::-1])

    def share(self, work: Work, state: State, rank: int) -> Answer:
        """Do one share."""
        place = (rank, "node", "pod")
        return do_share(
            work, state, Bench(self.key, self.recipe, self.folder / "code", self.folder / "data", place, NOBODY)
        )


def average(wanted: TrainJob, data: Dataset, folder: Path) -> Shelf:
    """Run a training and return what it leaves."""
    book = Shelf(wanted)
    assert isinstance(wanted.mode, Averaging)
    Averager(wanted, wanted.mode, Here(wanted, data, folder), book, lambda: 0.0).run()
    return book


def loaded(model: bytes) -> Any:
    """Return the Keras model in a file."""
    import keras

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "model.keras")
        path.write_bytes(model)
        return keras.models.load_model(path)


def weights(book: Shelf) -> list[np.ndarray[Any, Any]]:
    """Return the weights of the model that a training has left, and its optimizer's state."""
    model = loaded(book.model)
    return [np.asarray(each) for each in (*model.weights, *model.optimizer.variables)]


def fitted(wanted: TrainJob, data: Dataset, batch: int) -> Any:
    """Return a model that plain Keras has fitted on the same examples in the same order, and its history."""
    from averaged_net import net  # type: ignore[import-not-found]  # the user's module, on the path by now

    steps = -(-EXAMPLES // batch)
    task = Task(data.train.x.shape[1:], len(data.classes or ()), (), steps)
    model = build_model(wanted, task, None, net)
    rows = []
    for epoch in range(wanted.epochs):
        order = shuffled(EXAMPLES, wanted.seed, epoch)
        fit = model.fit(
            data.train.x[order],
            data.train.y[order],
            batch,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            validation_data=(data.validation.x, data.validation.y),
            verbose=0,
        )
        rows.append({name: values[0] for name, values in fit.history.items()})
    return model, rows


def values(model: Any) -> list[np.ndarray[Any, Any]]:
    """Return the weights of a model and the state of its optimizer."""
    return [np.asarray(each) for each in (*model.weights, *model.optimizer.variables)]


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "sgd", "learning_rate": 0.1},
        {"name": "sgd", "learning_rate": 0.1, "arguments": {"momentum": 0.9, "nesterov": True}},
    ],
)
@pytest.mark.parametrize("workers", [2, 3])
def test_frequency_1_with_sgd_equals_synchronous(
    workers: int, optimizer: dict[str, Any], data: Dataset, folder: Path
) -> None:
    """N workers with frequency 1 have the weights, the metrics and the iterations of plain Keras with all examples.

    Of the last batch, 150 - 4 x 36 = 6 examples, workers have 3 and 3 or 2, 2 and 2; momentum is averaged, too.
    """
    wanted = job(workers=workers, batch={"size": 36, "per": "all"}, optimizer=optimizer)
    book = average(wanted, data, folder)
    model, rows = fitted(wanted, data, 36)
    for ours, theirs in zip(weights(book), values(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-6)
    for ours, theirs in zip(book.training.history, rows, strict=True):
        assert ours.metrics == pytest.approx(theirs, rel=1e-4)


def test_one_worker_is_plain_keras(data: Dataset, folder: Path) -> None:
    """Bit by bit, whatever the frequency, with dropped-out units and Adam: averaging adds nothing of its own."""
    net = {"build": "averaged_net:net", "parameters": {"dropout": 0.3, "norm": True}}
    wanted = job(workers=1, model=net, optimizer="adam", batch=32, mode={"name": "averaging", "frequency": 3})
    book = average(wanted, data, folder)
    model, rows = fitted(wanted, data, 32)
    for ours, theirs in zip(weights(book), values(model), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(book.training.history, rows, strict=True):
        assert ours.metrics == pytest.approx(theirs, rel=1e-5)


def test_a_run_goes_on_bit_by_bit_from_any_checkpoint(data: Dataset, folder: Path) -> None:
    """Optimizer, statistics and random layers too, and whatever the process has done before."""
    net = {"build": "averaged_net:net", "parameters": {"dropout": 0.3, "norm": True}}
    wanted = job(model=net, optimizer="adam", mode={"name": "averaging", "frequency": 2}, checkpoints={"steps": 1})
    whole = average(wanted, data, folder)
    assert [(at.epoch, at.examples) for at in whole.kept] == [(0, 64), (0, 128), (1, 0), (1, 64), (1, 128), (2, 0)]
    for at in whole.kept:
        book = whole.again(at)
        Averager(wanted, wanted.mode, Here(wanted, data, folder), book, lambda: 0.0).run()  # type: ignore[arg-type]
        assert book.losses == whole.losses, at
        for ours, theirs in zip(weights(book), weights(whole), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_a_share_that_is_computed_again_says_the_same(data: Dataset, folder: Path) -> None:
    """After other shares and other work in the same process, whose model it has."""
    net = {"build": "averaged_net:net", "parameters": {"dropout": 0.3, "norm": True}}
    here = Here(job(model=net), data, folder)
    begun = here.share(Begin(), State.empty(), 0).state
    work = Train(Position(0, 32, 1), 3)
    first = here.share(work, begun, 1)
    here.run(work, begun, 2)
    here.run(Validate(confusion=True), first.state, 2)
    again = here.share(work, begun, 1)
    np.testing.assert_array_equal(first.state.floats, again.state.floats)
    assert first.sums == again.sums
    other = here.share(work, begun, 0)
    assert (other.state.floats != first.state.floats).any()
    assert first.position == other.position == Position(0, 128, 4)


def test_statistics_of_batch_normalization_are_averaged(data: Dataset, folder: Path) -> None:
    """Each worker's are those of its own examples; the mean counts each by its examples."""
    net = {"build": "averaged_net:net", "parameters": {"norm": True}}
    here = Here(job(model=net, batch={"size": 22, "per": "all"}, workers=3), data, folder)
    begun = here.share(Begin(), State.empty(), 0).state
    work = Train(Position(0, 132, 6), 1)  # 18 examples: 6 each, of which the test takes away 4 of one by its weight
    answers = [here.share(work, begun, rank) for rank in range(3)]
    assert [answer.weight for answer in answers] == [6, 6, 6]
    answers[2] = replace(answers[2], weight=2)
    mean = join(answers).state.floats
    expected = (6 * answers[0].state.floats + 6 * answers[1].state.floats + 2 * answers[2].state.floats) / 14
    np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-7)
    moving = _statistics(here, State(mean.astype(np.float32), begun.integers))
    single = [_statistics(here, answer.state) for answer in answers]
    assert not np.allclose(single[0], single[1])
    np.testing.assert_allclose(moving, (6 * single[0] + 6 * single[1] + 2 * single[2]) / 14, rtol=1e-5)


def _statistics(here: Here, state: State) -> np.ndarray[Any, Any]:
    model = loaded(here.share(Export(), state, 0).model)
    (layer,) = (each for each in model.layers if "normalization" in each.name)
    return np.asarray(layer.moving_mean)


def test_a_worker_without_an_example_counts_the_step_and_no_more(data: Dataset, folder: Path) -> None:
    """Its state has no weight, and its iterations are those of the others."""
    here = Here(job(batch={"size": 149, "per": "all"}, optimizer="adam"), data, folder)
    begun = here.share(Begin(), State.empty(), 0).state
    both = [here.share(Train(Position(0, 149, 1), 5), begun, rank) for rank in range(2)]
    assert [answer.weight for answer in both] == [1, 0]
    assert [answer.position for answer in both] == [Position(1, 0, 2)] * 2
    assert both[0].state.integers[0] == both[1].state.integers[0] == begun.integers[0] + 1
    np.testing.assert_array_equal(join(both).state.floats, both[0].state.floats.astype(np.float64))


def test_confusion_says_what_was_taken_for_what(data: Dataset, folder: Path) -> None:
    """Rows are true classes; its diagonal is what the metric says."""
    here = Here(job(), data, folder)
    begun = here.share(Begin(), State.empty(), 0).state
    confusion = here.run(Validate(confusion=True), begun, 2).confusion
    sums = here.run(Validate(), begun, 2).sums
    assert confusion is not None
    np.testing.assert_array_equal(confusion.sum(axis=1), np.bincount(data.validation.y))
    assert confusion.trace() == pytest.approx(sums.sums["top1"])
    assert sums.examples == len(data.validation)


def test_the_model_is_built_once(data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python worker keeps the model of its training from share to share, and no other."""
    built = []
    monkeypatch.setattr(
        "tinderbox.training.averaging.held.build_model", lambda *given: built.append(1) or build_model(*given)
    )
    one, two = Here(job(seed=11), data, folder), Here(job(seed=12), data, folder)
    for here in (one, one, two, two, one):
        for rank in range(2):
            here.share(Begin(), State.empty(), rank)
    assert len(built) == 3


def test_a_mistake_of_the_user_is_told_once(data: Dataset, folder: Path) -> None:
    """What the build function raises comes back as an answer, with its traceback, and ends the run."""
    wanted = job(model={"build": "averaged_net:broken"})
    book = Shelf(wanted)
    with pytest.raises(TinderboxError, match="ValueError: no such network"):
        Averager(wanted, wanted.mode, Here(wanted, data, folder), book, lambda: 0.0).run()  # type: ignore[arg-type]
    (attempt,) = book.training.attempts
    assert attempt.ended is not None
    assert "averaged_net.py" in attempt.ended.details
    assert attempt.ended.member is not None
    assert attempt.ended.member.node == "node"


@pytest.mark.parametrize(
    ("error", "passing"),
    [(TinderboxError("t.parquet cannot be read"), True), (BadInput("no such column"), False), (OSError("no"), False)],
)
def test_what_is_nobodys_mistake_may_be_tried_again(
    error: Exception, passing: bool, data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage that does not answer for a moment; bad input, and what user code raises, would be so again."""

    def read(bench: Bench) -> Dataset:
        raise error

    monkeypatch.setattr("tinderbox.training.averaging.held.open_data", read)
    answer = Here(job(seed=13), data, folder).share(Begin(), State.empty(), 1)
    told = answer.passing if passing else answer.failed
    assert told is not None
    assert told[0] == (1, "node", "pod")
    assert str(error) in told[1].cause
    assert (answer.failed if passing else answer.passing) is None


def test_determinism_ends_with_the_share(data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that Spark uses again, the next training must not pay for it; each share of its own has it."""
    from tensorflow.python.framework import config

    seen = []
    monkeypatch.setattr(
        "tinderbox.training.averaging.shares.collect",
        lambda given: seen.append(config.is_op_determinism_enabled()) or State.empty(),
    )
    for wanted in (True, True, False):
        Here(job(deterministic=wanted), data, folder).share(Begin(), State.empty(), 0)
        assert not config.is_op_determinism_enabled()
    assert seen == [True, True, False]


def test_very_many_classes_have_no_confusion(data: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be as large as the square of them on every worker."""
    one, state = Here(job(seed=21), data, folder), Here(job(seed=21), data, folder).run(Begin(), State.empty(), 2).state
    counted = one.run(Validate(confusion=True), state, 2).confusion
    assert counted is not None
    assert counted.sum() == len(data.validation)
    monkeypatch.setattr(confusion, "LARGEST", 9)
    answer = one.run(Validate(confusion=True), state, 2)
    assert (answer.failed, answer.confusion) == (None, None)


def test_what_is_printed_comes_along(data: Dataset, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By the share that printed it, where it fails above all; Spark's own log of the executor has it, too."""
    answer = Here(job(model={"build": "averaged_net:broken"}, seed=14), data, folder).share(Begin(), State.empty(), 1)
    assert answer.failed is not None
    assert answer.printed == ((1, "about to fail\n"),)
    assert "about to fail" in capfd.readouterr().err
    assert Here(job(seed=15), data, folder).run(Begin(), State.empty(), 2).printed == ()
