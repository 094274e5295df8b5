"""Which examples a worker takes: each exactly once an epoch, for any number of workers, batches and beginnings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tinderbox.errors import BadInput
from tinderbox.training.records import Position
from tinderbox.training.sampling import Schedule, schedule, schedule_shard, shuffled, steps_of, validation_slice

RNG = np.random.default_rng(0)
CASES = [tuple(int(number) for number in RNG.integers(1, [200, 40, 9])) for _ in range(60)]
"""So many examples, batches and workers."""


def taken(schedules: list[Schedule]) -> list[int]:
    """Return all examples that count, step by step and worker by worker."""
    steps = range(len(schedules[0]))
    found = [own.step(k)[: own.counts[k]] for k in steps for own in schedules]
    return np.concatenate(found).tolist() if found else []


def mean_of_means(schedules: list[Schedule], values: np.ndarray, k: int) -> float:
    """Return what all workers have in step k when each weighs the mean of its rows and the mean is taken of that."""
    return float(np.mean([own.weights[k] * values[own.step(k)].mean() for own in schedules]))


@pytest.mark.parametrize(("examples", "batch", "workers"), CASES)
def test_each_example_once_an_epoch(examples: int, batch: int, workers: int) -> None:
    """In the order that one worker has, and from any step on as if the epoch had not been left."""
    (alone,) = [schedule(examples, batch, 1, 0, 7, Position(3))]
    together = [schedule(examples, batch, workers, rank, 7, Position(3)) for rank in range(workers)]
    assert taken(together) == taken([alone]) == shuffled(examples, 7, 3).tolist()
    assert sorted(taken(together)) == list(range(examples))
    assert {len(own) for own in together} == {steps_of(examples, batch)}
    for k in range(len(alone)):
        begun = Position(3, int(alone.done[k]))
        rest = [schedule(examples, batch, workers, rank, 7, begun) for rank in range(workers)]
        assert taken(rest) == shuffled(examples, 7, 3)[alone.done[k] :].tolist()


@pytest.mark.parametrize(("examples", "batch", "workers"), CASES)
def test_weights_give_the_mean_over_examples(examples: int, batch: int, workers: int) -> None:
    """Whatever each worker has of a step; parts differ by one example at most, and all read at least one."""
    values = RNG.random(examples)
    (alone,) = [schedule(examples, batch, 1, 0, 1, Position())]
    together = [schedule(examples, batch, workers, rank, 1, Position()) for rank in range(workers)]
    assert alone.even
    for k in range(len(alone)):
        assert mean_of_means(together, values, k) == pytest.approx(values[alone.step(k)].mean(), rel=1e-5)
        assert max(own.counts[k] for own in together) - min(own.counts[k] for own in together) <= 1
        assert all(len(own.step(k)) == max(own.counts[k], 1) for own in together)


def test_fewer_workers_go_on_in_the_middle_of_an_epoch() -> None:
    """With their smaller batch, and take what is left of it."""
    begun = [schedule(100, 12, 3, rank, 5, Position()).cut(0, 4) for rank in range(3)]
    rest = [schedule(100, 8, 2, rank, 5, Position(0, 48, 4)) for rank in range(2)]
    assert taken(begun) + taken(rest) == shuffled(100, 5, 0).tolist()
    assert [own.done[-1] for own in begun] == [48, 48, 48]


def test_steps_can_be_cut_out() -> None:
    """As a split of mode averaging does."""
    whole = schedule(50, 8, 3, 1, 0, Position())
    parts = [whole.cut(first, min(first + 3, len(whole))) for first in range(0, len(whole), 3)]
    assert [rows.tolist() for part in parts for rows in map(part.step, range(len(part)))] == [
        whole.step(k).tolist() for k in range(len(whole))
    ]
    assert np.concatenate([part.done for part in parts]).tolist() == whole.done.tolist()


def test_orders_differ_by_seed_epoch_and_shard() -> None:
    """And are the same for the same ones."""
    orders = [shuffled(20, *key).tolist() for key in itertools.product((0, 1), repeat=3)]
    assert len({tuple(order) for order in orders}) == 8
    assert shuffled(20, 1, 1).tolist() == shuffled(20, 1, 1).tolist()


@pytest.mark.parametrize("case", range(40))
def test_shards_give_each_example_once(case: int) -> None:
    """In equally many steps on all workers, with the mean over all examples of a step, and from any step on."""
    rng = np.random.default_rng(case)
    held = rng.integers(1, 60, rng.integers(1, 7)).tolist()
    batch = int(rng.integers(len(held), len(held) + 20))
    schedules = [schedule_shard(held, batch, rank, 3, Position(2)) for rank in range(len(held))]
    for own, size in zip(schedules, held, strict=True):
        assert taken([own]) == shuffled(size, 3, 2, schedules.index(own)).tolist()
        assert own.done.tolist() == schedules[0].done.tolist()
    assert {len(own) for own in schedules} == {steps_of(sum(held), batch)}
    assert schedules[0].done[-1] == sum(held)
    for k in range(len(schedules[0])):
        sums = sum(own.counts[k] for own in schedules)
        weights = np.array([own.weights[k] for own in schedules])
        assert weights == pytest.approx(len(held) * np.array([own.counts[k] for own in schedules]) / sums)
        begun = Position(2, int(schedules[0].done[k]))
        rest = schedule_shard(held, batch, 0, 3, begun)
        assert [rest.step(j).tolist() for j in range(len(rest))] == [
            schedules[0].step(j).tolist() for j in range(k + 1, len(schedules[0]))
        ]


def test_an_empty_shard_is_refused() -> None:
    """In a sentence, as are batches smaller than the number of workers."""
    with pytest.raises(BadInput, match=r"at least one example each.* got shards of 3, 0 examples"):
        schedule_shard([3, 0], 2, 0, 0, Position())
    with pytest.raises(BadInput, match="batches of 1"):
        schedule_shard([3, 3], 1, 0, 0, Position())


@pytest.mark.parametrize(("examples", "workers"), [(10, 3), (2, 4), (1, 1), (0, 2)])
def test_validation_examples_are_cut(examples: int, workers: int) -> None:
    """Into parts that hold each of them once."""
    parts = [validation_slice(examples, workers, rank) for rank in range(workers)]
    assert [row for part in parts for row in range(examples)[part]] == list(range(examples))
