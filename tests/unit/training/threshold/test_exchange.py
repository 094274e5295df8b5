"""Workers that share thresholded updates: what their replicas, residuals and checkpoints are, and who rejoins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.training.threshold.test_links import SECRET, addresses
from tinderbox.config.train import Threshold
from tinderbox.models.state import save_members
from tinderbox.training.records import Assignment, Position, Resume
from tinderbox.training.sampling import schedule
from tinderbox.training.state import collect
from tinderbox.training.threshold.exchange import MEMBER, ThresholdExchange
from tinderbox.training.threshold.replica import unpack_arrays

EXAMPLES, BATCH = 40, 4
"""Of an epoch, which so has ten steps."""
SETTINGS = Threshold(name="threshold", threshold=0.01, low=0.01, high=0.05, staleness=4)


class Driver:
    """Tells where all workers are, and keeps parts of checkpoints."""

    def __init__(self, workers: int, folder: Path) -> None:
        self.start = Assignment(1, 0, workers, addresses(workers), secret=SECRET)
        self._folder = folder

    def assignment(self) -> Assignment:
        """Return the newest addresses."""
        return self.start

    def move(self, rank: int) -> None:
        """Give the successor of a lost worker another address."""
        places = self.start.addresses
        self.start = replace(self.start, addresses=(*places[:rank], *addresses(1), *places[rank + 1 :]))

    def keep(self, rank: int, members: dict[str, bytes]) -> None:
        """Keep a part."""
        with (self._folder / str(rank)).open("wb") as file:
            save_members(members, file)

    def fetch(self, resume: Resume, rank: int, folder: Path) -> Path:
        """Return a part."""
        assert rank in resume.parts
        return self._folder / str(rank)


class Worker:
    """An exchange with a model whose gradients are given."""

    def __init__(self, driver: Driver, rank: int, seed: int = 0, **given: Any) -> None:
        self.model = make_model(seed)
        changes = {name: given.pop(name) for name in ("resume", "rejoins") if name in given}
        assignment = replace(driver.start, rank=rank, **changes)
        settings = SETTINGS.model_copy(update=given)
        self.exchange: Any = ThresholdExchange(assignment, driver, settings, EXAMPLES)  # type: ignore[arg-type]
        self.rank, self.workers, self.position = rank, assignment.workers, Position()
        self._draw = np.random.default_rng([rank, 7])
        self.sum = np.zeros_like(self.weights)

    @property
    def weights(self) -> NDArray[np.float32]:
        """All parameters."""
        weights: NDArray[np.float32] = collect(self.model.trainable_variables).floats
        return weights

    @property
    def moving(self) -> NDArray[np.float32]:
        """The statistics of BatchNormalization."""
        moving: NDArray[np.float32] = collect(self.model.non_trainable_variables).floats
        return moving

    def attach(self, position: Position | None = None) -> Worker:
        """Begin."""
        self.position = self.exchange.attach(self.model, position or Position())
        self.begin()
        return self

    def begin(self) -> None:
        """Begin the rest of an epoch."""
        self.exchange.begin(schedule(EXAMPLES, BATCH, self.workers, self.rank, 0, self.position))

    def step(self, scale: float = 0.02) -> None:
        """Take a step with gradients of this worker's own."""
        before = self.weights
        variables = self.model.trainable_variables
        gradients = [self._draw.normal(0, scale, variable.shape).astype(np.float32) for variable in variables]
        self.exchange.apply(lambda shared: self.model.optimizer.apply(shared, variables), gradients, variables)
        self.sum += (self.weights - before) / np.float32(self.workers)
        self.model.layers[1].moving_mean.assign_add(np.full(6, 1.0 + self.rank, np.float32))
        place = self.position
        self.position = Position(place.epoch, place.examples + BATCH, place.step + 1)
        self.exchange.after_step(self.position)

    def run(self, steps: int) -> None:
        """Take so many steps; the ends of epochs come by themselves."""
        for _ in range(steps):
            self.step()
            if self.position.examples == EXAMPLES:
                self.end_epoch()

    def end_epoch(self) -> None:
        """Settle, and begin the next epoch."""
        self.position = Position(self.position.epoch + 1, 0, self.position.step)
        self.exchange.settle(self.position)
        self.begin()

    @property
    def residual(self) -> NDArray[np.float32]:
        """What was not sent yet."""
        residual: NDArray[np.float32] = unpack_arrays(self.exchange.save()[MEMBER])["residual"]
        return residual


def make_model(seed: int) -> Any:
    """Return a small compiled model with every kind of variable."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(6), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((5,)), *layers, keras.layers.Dense(3)])
    model.compile(optimizer=keras.optimizers.SGD(1.0, momentum=0.5), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


Hire = Callable[..., Worker]


@pytest.fixture
def hire() -> Iterator[Hire]:
    """Return what makes workers whose exchanges are closed after the test."""
    with ExitStack() as stack:

        def make(driver: Driver, rank: int, **given: Any) -> Worker:
            worker = Worker(driver, rank, **given)
            stack.enter_context(closing(worker.exchange))
            return worker

        yield make


def together(actions: list[Callable[[], Any]]) -> None:
    """Do all at the same time, and raise what one of them raises."""
    with ThreadPoolExecutor(len(actions)) as pool:
        for future in [pool.submit(action) for action in actions]:
            future.result()


def test_replicas_are_the_beginning_plus_all_messages(hire: Hire, tmp_path: Path) -> None:
    """At a common stop all have the same weights: what was there, plus all updates, less what is left in residuals."""
    driver = Driver(3, tmp_path)
    workers = [hire(driver, rank, seed=rank, clip_every=1_000) for rank in range(3)]
    together([worker.attach for worker in workers])
    beginning = workers[0].weights
    assert (workers[2].weights == beginning).all()  # rank 0's, whatever they were built with
    together([lambda worker=worker: worker.run(7) for worker in workers])
    together([lambda worker=worker: worker.exchange.settle(worker.position) for worker in workers])
    expected = beginning + sum(worker.sum - worker.residual for worker in workers)
    for worker in workers:
        assert np.abs(worker.weights - expected).max() < 1e-6
    assert np.abs(expected - beginning).max() > 0.02


def test_all_are_equal_after_an_epoch(hire: Hire, tmp_path: Path) -> None:
    """Bit by bit, BatchNorm's statistics included, which are rank 0's; within an epoch they are each worker's own."""
    driver = Driver(3, tmp_path)
    workers = [hire(driver, rank) for rank in range(3)]
    together([worker.attach for worker in workers])
    together([lambda worker=worker: worker.run(9) for worker in workers])
    assert [worker.moving[:6].tolist() for worker in workers] == [[9.0 * (rank + 1)] * 6 for rank in range(3)]
    together([lambda worker=worker: worker.run(1) for worker in workers])
    assert len({worker.weights.tobytes() for worker in workers}) == 1
    assert [worker.moving[:6].tolist() for worker in workers] == [[10.0] * 6] * 3
    assert len({worker.exchange._coder.tau for worker in workers}) == 1
    together([lambda worker=worker: worker.run(10) for worker in workers])
    assert len({worker.weights.tobytes() for worker in workers}) == 1
    assert workers[0].position == Position(2, 0, 20)


def test_traffic_is_what_was_sent(hire: Hire, tmp_path: Path) -> None:
    """Bytes, seconds, and what whole gradients had taken, each since it was asked last."""
    driver = Driver(2, tmp_path)
    workers = [hire(driver, rank, adaptive=False, threshold=0.03) for rank in range(2)]
    together([worker.attach for worker in workers])
    for worker in workers:
        worker.exchange.traffic()
    together([lambda worker=worker: worker.run(5) for worker in workers])
    size = workers[0].weights.size
    for worker in workers:
        traffic = worker.exchange.traffic()
        assert traffic.dense == 5 * 4 * size
        assert 5 * (1 + 12 + 20 + 35) <= traffic.sent < 5 * (1 + 12 + 20 + 42 + 4 * size) + 1_000
        assert traffic.seconds > 0
        assert worker.exchange.traffic().dense == 0


def test_steps_count_by_their_weights(hire: Hire, tmp_path: Path) -> None:
    """A worker with fewer examples in the last step changes less, and one without any changes nothing."""
    driver = Driver(1, tmp_path)
    worker = hire(driver, 0, threshold=1e-6, adaptive=False)
    worker.attach()
    plan = schedule(EXAMPLES, BATCH, 1, 0, 0, Position())
    weights = np.array([1, 0.5, 0] + [1] * 7, np.float32)
    worker.exchange.begin(replace(plan, weights=weights))
    variables, seen = worker.model.trainable_variables, []
    for step in range(1, 5):
        gradients = [np.full(variable.shape, 0.25, np.float32) for variable in variables]
        worker.exchange.apply(lambda shared: seen.append(float(np.asarray(shared[0]).max())), gradients, variables)
        worker.exchange.after_step(Position(0, step, step))
    assert seen == [0.25, 0.125, 0.0, 0.25]


def test_a_checkpoint_has_all_that_a_worker_goes_on_from(hire: Hire, tmp_path: Path) -> None:
    """Residual, threshold and momentum; the learning rate is that of the new attempt."""
    driver = Driver(2, tmp_path)
    workers = [hire(driver, rank) for rank in range(2)]
    together([worker.attach for worker in workers])
    together([lambda worker=worker: worker.run(6) for worker in workers])
    together([lambda worker=worker: worker.exchange.settle(worker.position) for worker in workers])
    position, state = workers[1].position, workers[1].exchange.save()
    again = Driver(2, tmp_path)
    successors = [hire(again, rank) for rank in range(2)]
    successors[1].model.optimizer.learning_rate = 0.25
    successors[1].exchange.restore(state)
    together([lambda worker=worker: worker.attach(position) for worker in successors])
    assert np.abs(workers[1].residual).max() > 0
    assert (successors[1].residual == workers[1].residual).all()
    assert (successors[0].residual == 0).all()
    assert successors[1].exchange._coder.tau == workers[1].exchange._coder.tau != SETTINGS.threshold
    momenta = [worker.model.optimizer.variables[2].numpy() for worker in (workers[1], *successors)]
    assert (momenta[0] == momenta[2]).all()
    assert (momenta[0] != momenta[1]).any()
    assert float(successors[1].model.optimizer.learning_rate) == 0.25
    together([lambda worker=worker: worker.run(4) for worker in successors])
    assert successors[0].position == Position(1, 0, 10)
    assert (successors[0].weights == successors[1].weights).all()


def test_fewer_workers_take_over_the_residuals_of_those_that_are_gone(hire: Hire, tmp_path: Path) -> None:
    """Rank 0 adds them to its own, so that their sum stays."""
    driver = Driver(3, tmp_path)
    workers = [hire(driver, rank) for rank in range(3)]
    together([worker.attach for worker in workers])
    together([lambda worker=worker: worker.run(3) for worker in workers])
    for worker in workers:
        driver.keep(worker.rank, worker.exchange.save())
    driver.start = replace(driver.start, workers=1, addresses=addresses(1))
    resume = Resume(Position(0, 12, 3), dict.fromkeys(range(3), "0" * 64))
    one = hire(driver, 0, resume=resume)
    one.exchange.restore(workers[0].exchange.save())
    one.attach(resume.position)
    expected = workers[0].residual + workers[1].residual + workers[2].residual
    assert (one.residual == expected).all()
    assert (expected != workers[0].residual).any()


@pytest.mark.parametrize(("lost", "steps"), [(0, 6), (0, 10), (1, 6)])
def test_a_lost_worker_is_replaced(hire: Hire, tmp_path: Path, lost: int, steps: int) -> None:
    """It goes on where others know that its predecessor was, within an epoch or at its end; then all are equal."""
    driver = Driver(3, tmp_path)
    workers = [hire(driver, rank) for rank in range(3)]
    together([worker.attach for worker in workers])
    gone = workers.pop(lost)
    survivors = [threading.Thread(target=worker.run, args=(20,), daemon=True) for worker in workers]
    for thread in survivors:
        thread.start()
    for _ in range(steps):
        gone.step()
    gone.exchange.close()
    driver.move(lost)
    successor = hire(driver, lost, seed=3, rejoins=True).attach()
    assert successor.position == Position(0, BATCH * steps, steps)
    if steps == 10:
        successor.end_epoch()
    successor.run(20 - steps)
    for thread in survivors:
        thread.join(60)
    for worker in workers:
        assert worker.position == successor.position == Position(2, 0, 20)
        assert (worker.weights == successor.weights).all()
        assert (worker.moving == successor.moving).all()


def test_a_worker_that_is_lost_between_two_epochs_begins_the_next(hire: Hire, tmp_path: Path) -> None:
    """Where others have begun it, the one before is known to have ended for all."""
    driver = Driver(2, tmp_path)
    root, gone = (hire(driver, rank) for rank in range(2))
    together([root.attach, gone.attach])
    together([lambda: root.run(10), lambda: gone.run(10)])
    root.run(3)
    gone.exchange.close()
    driver.move(1)
    successor = hire(driver, 1, rejoins=True).attach()
    assert successor.position == Position(1, 0, 10)
    together([lambda: root.run(7), lambda: successor.run(10)])
    assert (root.weights == successor.weights).all()
    assert root.position == successor.position


def test_one_worker_alone_needs_nobody(hire: Hire, tmp_path: Path) -> None:
    """What is left of two after a loss still trains, and its model is what was sent."""
    driver = Driver(1, tmp_path)
    worker = hire(driver, 0, clip_every=1_000)
    worker.attach()
    beginning = worker.weights
    worker.run(20)
    assert np.abs(worker.weights - (beginning + worker.sum - worker.residual)).max() < 1e-6
