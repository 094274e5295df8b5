"""One worker by itself, in this process: what it tells the driver, and what it does on the driver's word."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.training.working import Door, Told, make_recipe
from tinderbox.models.building import Task, build_model
from tinderbox.training import confusion
from tinderbox.training.exchange import Alone, Traffic
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment, Counts, Position, Resume, Verdict
from tinderbox.training.sampling import schedule
from tinderbox.training.worker import process as worker
from tinderbox.training.worker.process import Over, Work, take_part

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 90)
POINTS = (RNG.random((90, 3)) + 0.5 * LABELS[:, None]).astype(np.float32)
DATA = {"x": POINTS, "y": LABELS}
"""54 to learn from and 18 for validation, once the splits have had theirs."""


def sigmoid(shape: tuple[int, ...], classes: int) -> Any:
    """Return a logistic regression, compiled."""
    import keras

    model = keras.Sequential([keras.Input(shape), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.125, momentum=0.5), "binary_crossentropy", metrics=["accuracy"])
    return model


def run(folder: Path, recipe: Recipe, data: Path, *, resume: Resume | None = None, **door: Any) -> tuple[Over, Told]:
    """Train in this process, and return how it ended and what was told."""
    folder.mkdir(exist_ok=True)
    work = Work(recipe, folder, data, Door(folder, **door))
    return take_part(work, Assignment(1, 0, 1, (), resume), sigmoid), Told(folder, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the examples are laid out."""
    return make_recipe(tmp_path_factory.mktemp("work") / "data", DATA)[1]


def recipe(data: Path, **job: Any) -> Recipe:
    """Return a recipe of the logistic regression."""
    return make_recipe(data, DATA, **{"batch": 16, "model": {"build": "own:build"}, "workers": 1, **job})[0]


def test_an_epoch_is_what_plain_fit_makes_of_it(tmp_path: Path, data: Path) -> None:
    """With the same order of examples: weights, loss and accuracy, of training and validation."""
    wanted = recipe(data, epochs=2)
    over, told = run(tmp_path / "ours", wanted, data)
    assert over == Over("complete")
    from tinderbox.training.sampling import shuffled

    x, y, vx, vy = (np.load(data / f"{name}.npy") for name in ("x_train", "y_train", "x_validation", "y_validation"))
    model = build_model(wanted.job, Task((3,), 2), function=sigmoid)
    for epoch in range(2):
        order = shuffled(54, 0, epoch)
        logs = model.fit(
            x[order],
            y[order],
            batch_size=16,
            shuffle=False,
            verbose=0,
            validation_data=(vx, vy),
            validation_batch_size=32,
        ).history
        assert told.history[epoch] == pytest.approx({name: values[0] for name, values in logs.items()}, rel=1e-5)
    for mine, theirs in zip(told.model().get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    outputs = model.predict(vx, verbose=0)[:, 0] > 0.5
    assert told.confusion.tolist() == [
        [int(((vy == true) & (outputs == found)).sum()) for found in (0, 1)] for true in (0, 1)
    ]
    assert [report["step"] for report in told.notes("reports")] == [4, 8]
    assert [note["step"] for note in told.notes("saves")] == [4, 8]
    assert told.model().optimizer.momentum == 0.5


def test_a_run_that_stops_early_goes_back_to_its_best_epoch(tmp_path: Path, data: Path) -> None:
    """Weights, optimizer and confusion are those of it."""
    _, best = run(tmp_path / "first", recipe(data, epochs=1), data)
    folder = tmp_path / "second"
    folder.mkdir()
    shutil.copy(best.folder / "part-4-0", folder)
    verdicts = {2: Verdict(save=True), 3: Verdict(stop=True, best=best.resume(4))}
    over, told = run(folder, recipe(data, epochs=9, checkpoints={"epochs": 9}), data, verdicts=verdicts)
    assert over == Over("complete")
    assert [note["epoch"] for note in told.notes("saves")] == [2, 3], "the last one too, to go on from"
    assert len(told.notes("reports")) == 3
    for mine, theirs in zip(told.model().get_weights(), best.model().get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert int(told.model().optimizer.iterations) == 4
    assert told.confusion.tolist() == best.confusion.tolist()


def test_checkpoints_by_steps(tmp_path: Path, data: Path) -> None:
    """Are due after so many of the whole run; one at the end of an epoch is saved after the epoch was told."""
    over, told = run(tmp_path / "work", recipe(data, epochs=3, checkpoints={"steps": 2}), data)
    assert over == Over("complete")
    places = [(note["epoch"], note["examples"], note["step"]) for note in told.notes("saves")]
    assert places == [(0, 32, 2), (1, 0, 4), (1, 32, 6), (2, 0, 8), (2, 32, 10), (3, 0, 12)]
    finished = replace(Assignment(1, 0, 1, (), told.resume(12)), over=True)
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(told.folder / "part-12-0", again)
    assert take_part(Work(recipe(data, epochs=9), again, data, Door(again)), finished, sigmoid) == Over("complete")
    assert Told(again, 1).notes("reports") == []
    assert Told(again, 1).confusion.tolist() == told.confusion.tolist()


def test_a_loss_that_is_no_number(tmp_path: Path, data: Path) -> None:
    """Ends the run with a sentence, and leaves no checkpoint."""

    def linear(shape: tuple[int, ...], classes: int) -> Any:
        import keras

        return keras.Sequential([keras.Input(shape), keras.layers.Dense(classes)])

    folder = tmp_path / "linear"
    folder.mkdir()
    steep = recipe(data, epochs=3, optimizer={"name": "sgd", "learning_rate": 1e38}, checkpoints={"steps": 2})
    over = take_part(Work(steep, folder, data, Door(folder)), Assignment(1, 0, 1, ()), linear)
    assert over.outcome == "diverged"
    assert re.match("the mean loss of epoch 1 was (nan|inf) at step 2; use a smaller", over.failure.cause)
    assert Told(folder, 1).notes("saves") == []


def test_what_a_build_function_raises_is_its_failure(tmp_path: Path, data: Path) -> None:
    """With its traceback, and without ours."""

    def build(shape: tuple[int, ...], classes: int) -> Any:
        raise KeyError("no such layer")

    over = take_part(Work(recipe(data), tmp_path, data, Door(tmp_path)), Assignment(1, 0, 1, ()), build)
    assert (over.outcome, over.failure.cause) == ("failed", "KeyError: 'no such layer'")
    assert over.failure.details.count("File ") == 1


def test_a_schedules_clock_goes_by_all_workers(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which are wanted: one that is left of four, with 16 examples a step, has an epoch of one step in mind."""
    seen: list[Task] = []
    monkeypatch.setattr(worker, "build_model", lambda job, task, *given: seen.append(task))
    over = take_part(Work(recipe(data, workers=4), tmp_path, data, Door(tmp_path)), Assignment(1, 0, 1, ()), sigmoid)
    assert over.outcome == "failed", "there is no model"
    assert [task.steps for task in seen] == [1]


def test_averages_of_weights_are_taken_once(tmp_path: Path, data: Path) -> None:
    """An optimizer that keeps them puts them in place when training ends, not after each epoch."""
    job = {"optimizer": {"name": "sgd", "learning_rate": 0.1, "arguments": {"use_ema": True, "ema_momentum": 0.9}}}
    _, told = run(tmp_path / "work", recipe(data, epochs=3, **job), data)
    plain = recipe(data, epochs=3, optimizer={"name": "sgd", "learning_rate": 0.1})
    _, without = run(tmp_path / "plain", plain, data)
    assert told.history == without.history
    assert not np.allclose(told.model().get_weights()[0], without.model().get_weights()[0])


class Late(Alone):
    """Others have ended the first epoch already, but for telling of it, as is so for one that replaces a lost one."""

    every_worker_saves = True

    def attach(self, model: Any, position: Position) -> Position:
        """Take over where they are."""
        return Position(0, 54, 4)


def test_a_worker_that_comes_at_the_end_of_an_epoch(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Has no metric of training to tell of it, looks at its validation examples, and goes on with the next."""
    monkeypatch.setattr(worker, "_exchange", lambda *_: Late())
    over, told = run(tmp_path / "work", recipe(data, epochs=2), data)
    assert over == Over("complete")
    first, second = told.notes("reports")
    assert (first["epoch"], first["train"], first["counts"]["steps"]) == (1, {"examples": 0, "sums": {}}, 0)
    assert (first["validation"]["examples"], second["train"]["examples"]) == (18, 54)
    assert [note["step"] for note in told.notes("saves")] == [4, 8]


def test_training_ends_with_a_checkpoint(tmp_path: Path, data: Path) -> None:
    """Though none is due by epochs or by steps: raised epochs go on from it, and what is lost in finishing, too."""
    for number, due in enumerate(({"epochs": 2}, {"steps": 100})):
        verdicts = {3: Verdict(stop=True)}
        over, told = run(tmp_path / f"{number}", recipe(data, epochs=3, checkpoints=due), data, verdicts=verdicts)
        assert over == Over("complete")
        assert told.notes("saves")[-1] == {"epoch": 3, "examples": 0, "step": 12}


class Slow(Alone):
    """An exchange that takes long after steps, and longer at the end of an epoch and before a checkpoint."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def after_step(self, position: Position) -> None:
        """Take a while."""
        self._spend(0.05)

    def settle(self, position: Position) -> None:
        """Take a while."""
        self._spend(0.5)

    def _spend(self, seconds: float) -> None:
        began = time.perf_counter()
        time.sleep(seconds)
        self._seconds += time.perf_counter() - began

    def traffic(self) -> Traffic:
        """Tell how long it was."""
        spent, self._seconds = self._seconds, 0.0
        return Traffic(spent)


def test_all_time_in_exchange_is_time_of_the_epoch(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends it and what comes before a checkpoint too, in what is told meanwhile and in what is told of it."""
    monkeypatch.setattr(worker, "_exchange", lambda *_: Slow())
    over, told = run(tmp_path / "work", recipe(data, epochs=2, checkpoints={"steps": 2}), data)
    assert over == Over("complete")
    counts = [Counts(**report["counts"]) for report in told.notes("reports")]
    assert all(4 * 0.05 + 2 * 0.5 <= count.sync_seconds <= count.seconds for count in counts)
    heard = Counts()
    for _, done in told.notes("beats"):
        heard += Counts(**done)
        assert heard.sync_seconds <= heard.seconds
    assert heard.seconds == pytest.approx((counts[0] + counts[1]).seconds)


def test_what_only_stands_in_counts_for_nothing_after_other_workers_too(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the 28 examples that one worker has left of an epoch two take 27 and 1, so the second has none in the end."""
    frozen = {"optimizer": {"name": "sgd", "learning_rate": 1e-12}}
    _, alone = run(
        tmp_path / "work", recipe(data, batch={"size": 26, "per": "all"}, checkpoints={"steps": 1}, **frozen), data
    )
    monkeypatch.setattr(worker, "_exchange", lambda *_: Alone())
    wanted = recipe(data, batch={"size": 27, "per": "all"}, workers=2, **frozen)
    resume, folder = alone.resume(1), alone.folder
    assert resume.position == Position(0, 26, 1)
    over = take_part(Work(wanted, folder, data, Door(folder)), Assignment(1, 1, 2, ("", ""), resume), sigmoid)
    assert over == Over("complete")
    train = Told(folder, 2).notes("reports", 1)[0]["train"]
    rows = schedule(54, 27, 2, 1, 0, resume.position).step(0)
    x, y = (np.load(data / f"{name}.npy")[rows] for name in ("x_train", "y_train"))
    likely = alone.model().predict(x, verbose=0)[:, 0]
    assert train["examples"] == len(rows) == 13
    assert train["sums"]["top1"] == pytest.approx(((likely > 0.5) == y).sum(), abs=1e-3)
    assert train["sums"]["loss"] == pytest.approx(-np.log(np.where(y == 1, likely, 1 - likely)).sum(), rel=1e-4)


def test_very_many_classes_have_no_confusion(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message of the square of them would be too large; training ends well all the same."""
    monkeypatch.setattr(confusion, "LARGEST", 1)
    over, told = run(tmp_path / "work", recipe(data), data)
    assert (over, told.notes("confusion")) == (Over("complete"), [None])
