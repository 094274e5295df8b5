"""A model's state as flat arrays, means of several, and checkpoints of them, bit by bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.failure import Failure
from tinderbox.training.averaging.parts import Standing, read_part, write_part
from tinderbox.training.averaging.rounds import Answer, join
from tinderbox.training.records import Counts, Position, Sums
from tinderbox.training.state import State, assign, collect

RNG = np.random.default_rng(2)


class Variable:
    """As much of a Keras variable as is needed."""

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)
        self.dtype, self.shape = str(self.value.dtype), self.value.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return self.value

    def assign(self, value: np.ndarray[Any, Any]) -> None:
        """Take a value of the same shape."""
        assert value.shape == self.shape
        self.value = value.astype(self.dtype)


def variables() -> list[Variable]:
    """Return variables of several types and shapes, a scalar and an empty one among them."""
    return [
        Variable(RNG.normal(size=(3, 2)).astype(np.float32)),
        Variable(np.int64(7)),
        Variable(np.float32(0.25)),
        Variable(RNG.normal(size=4).astype(np.float16)),
        Variable(np.array([1, 2**32 - 1], np.uint32)),
        Variable(np.zeros((0, 5), np.float32)),
        Variable(np.array([True, False])),
    ]


def state(seed: int, size: int = 1_000) -> State:
    """Return a state of numbers of many sizes."""
    rng = np.random.default_rng(seed)
    floats = (rng.normal(size=size) * 10.0 ** rng.integers(-8, 8, size)).astype(np.float32)
    return State(floats, np.array([seed, 5], np.int64))


def test_variables_come_back_as_they_were() -> None:
    """Collected from some, assigned to others, in their own types."""
    some, others = variables(), variables()
    taken = collect(some)
    assert (taken.floats.dtype, taken.integers.tolist()) == (np.float32, [7, 1, 2**32 - 1, 1, 0])
    assign(taken, others)
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one.value, other.value)
        assert one.dtype == str(other.value.dtype)


def test_double_precision_is_kept_where_a_variable_has_it() -> None:
    """One of float64 makes the whole state so."""
    some = [Variable(RNG.normal(size=3)), Variable(np.float32(1.5))]
    others = [Variable(np.zeros(3)), Variable(np.float32(0))]
    assign(collect(some), others)
    np.testing.assert_array_equal(some[0].value, others[0].value)


def test_a_state_of_another_model_is_refused() -> None:
    """With both sizes, and before a variable is changed."""
    others = variables()
    before = others[0].value.copy()
    with pytest.raises(ValueError, match=r"1000 real and 2 whole numbers does not fit a model of 11 and 5"):
        assign(state(1), others)
    np.testing.assert_array_equal(others[0].value, before)


@pytest.mark.parametrize("weights", [(1, 1), (3, 7), (16, 16, 15), (5, 0, 0), (0, 9, 4)])
def test_a_mean_counts_by_examples(weights: tuple[int, ...]) -> None:
    """In double precision, of which nothing is lost before the end."""
    answers = [Answer(weight=weight, state=state(seed)) for seed, weight in enumerate(weights)]
    joined = join(answers)
    expected = np.average([answer.state.floats.astype(np.float64) for answer in answers], axis=0, weights=weights)
    np.testing.assert_allclose(joined.state.floats, expected, rtol=1e-15)
    assert joined.weight == sum(weights)
    assert joined.state.integers.tolist() == [0, 5], "those of the first rank"


def test_equal_states_have_themselves_as_their_mean() -> None:
    """Bit by bit, in a tree of any shape: a learning rate, say, is not worn off by averaging."""
    one = state(3)
    answers = [Answer(weight=weight, state=one) for weight in (7, 13, 1, 64, 33)]
    flat = join(answers)
    tree = join([join(answers[:2]), join([answers[2], join(answers[3:])])])
    for joined in (flat, tree):
        np.testing.assert_array_equal(joined.state.floats.astype(np.float32), one.floats)


def test_what_has_no_weight_cannot_spoil_a_mean() -> None:
    """Infinite numbers of a worker without an example are not looked at."""
    bad = State(np.full(1_000, np.nan, np.float32), np.zeros(2, np.int64))
    joined = join([Answer(weight=4, state=state(1)), Answer(weight=0, state=bad)])
    np.testing.assert_array_equal(joined.state.floats.astype(np.float32), state(1).floats)


def test_answers_add_up() -> None:
    """Sums and what was sent add up; workers side by side take as long as the slowest; the first failure is told."""
    place, other = (0, "a", "x"), (1, "b", "y")
    failed = (other, Failure("no"))
    joined = join(
        [
            Answer(places=(place,), sums=Sums(2, {"loss": 1.0}), counts=Counts(5, 2, 1.0, 0.5, 10, 20)),
            Answer(places=(other,), again=(other,), sums=Sums(3, {"loss": 2.0}), counts=Counts(5, 3, 4.0, 0.1, 10, 20)),
            Answer(failed=failed, confusion=np.eye(2, dtype=np.int64)),
            Answer(failed=((2, "c", "z"), Failure("nor this")), confusion=np.eye(2, dtype=np.int64)),
        ]
    )
    assert joined.sums == Sums(5, {"loss": 3.0})
    assert joined.counts == Counts(5, 5, 4.0, 0.5, 20, 40)
    assert joined.places == (place, other)
    assert joined.again == (other,)
    assert joined.failed == failed
    assert joined.confusion is not None
    assert joined.confusion.tolist() == [[2, 0], [0, 2]]


def test_a_checkpoint_holds_all_of_a_standing(tmp_path: Path) -> None:
    """What is read is what was written: numbers that are none, too."""
    floats = np.array([np.nan, np.inf, -0.0, 1e-45, 3.4e38], np.float32)
    standing = Standing(
        State(floats, np.array([2**62, -1], np.int64)),
        Position(3, 40, 77),
        Sums(40, {"loss": 0.1 + 0.2, "top1": 1 / 3}),
        Counts(5, 40, 1.5, 0.25, 1, 2),
    )
    buffer = io.BytesIO()
    write_part(standing)(buffer)
    path = tmp_path / "part-0"
    path.write_bytes(buffer.getvalue())
    found = read_part(path)
    assert (found.position, found.sums, found.counts) == (standing.position, standing.sums, standing.counts)
    assert found.state.floats.tobytes() == floats.tobytes()
    assert found.state.integers.tolist() == [2**62, -1]
