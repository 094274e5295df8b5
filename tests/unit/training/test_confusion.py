"""What examples are taken for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinderbox.training.confusion import LARGEST, Batch, classify, confuse


def test_batches_add_up() -> None:
    """Rows are true classes; the largest output is what an example is taken for."""
    outputs = np.eye(3)[[0, 1, 1, 2]]
    batches = [(np.array([0, 1, 2, 2]), outputs), (np.array([[0], [0]]), np.eye(3)[[2, 2]])]
    found = confuse(batches, 3)
    assert found is not None
    assert found.tolist() == [[1, 0, 2], [0, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 1, 1)])
def test_one_output_is_how_likely_the_second_class_is(shape: tuple[int, ...]) -> None:
    """Whatever axes of one it has."""
    outputs = np.array([0.1, 0.9, 0.5, 0.6], np.float32).reshape(shape)
    assert classify(outputs).tolist() == [0, 1, 0, 1]


def test_no_batch_is_none_of_each() -> None:
    """A worker may have no validation example."""
    found: Any = confuse([], 2)
    assert found.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("classes", [None, LARGEST + 1])
def test_quantities_and_very_many_classes_are_not_counted(classes: int | None) -> None:
    """And nothing is predicted for it."""

    def batches() -> Iterator[Batch]:
        raise AssertionError
        yield

    assert confuse(batches(), classes) is None


def test_what_workers_tell_of_the_most_classes_is_no_larger_than_the_driver_takes() -> None:
    """As JSON, where all but a few counts have one digit."""
    from tinderbox.training.driver.messages import FINISH, Finish, Sender
    from tinderbox.training.driver.routes import LARGEST_MESSAGE

    found: Any = confuse([], LARGEST)
    message = Finish(sender=Sender(agent="agent-0", attempt=1, rank=0), confusion=(found + 9_999).tolist())
    assert len(FINISH.dump_json(message)) < LARGEST_MESSAGE
