"""Data sets put together from named arrays and from what a job names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.config import Digits, Function, Npz, Split
from tinderbox.data import Dataset, Examples, from_arrays, load
from tinderbox.errors import BadInput


def _no_functions(name: str) -> Callable[[], Any]:
    raise AssertionError(f"no function was to be looked up, got {name}")


def _rows(count: int) -> dict[str, np.ndarray]:
    """Return inputs that number the examples, and as targets two classes that take turns."""
    return {"x": np.arange(count, dtype=np.float32)[:, np.newaxis], "y": np.arange(count) % 2}


def _numbers(examples: Examples | None) -> list[int]:
    assert examples is not None
    return [int(number) for number in examples.x[:, 0]]


def test_digits_fit_the_network_for_mnist() -> None:
    """Digits are bytes from 0 to 255 with one channel, split by class into three parts."""
    data = load(Digits(source="digits"), Path(), _no_functions)
    assert data.test is not None
    assert (len(data.train), len(data.validation), len(data.test)) == (1079, 359, 359)
    assert data.train.x.shape == (1079, 8, 8, 1)
    assert data.train.x.dtype == np.uint8
    assert (data.train.x.min(), data.train.x.max()) == (0, 255)
    assert data.classes == list("0123456789")
    assert set(np.bincount(data.validation.y)) <= {34, 35, 36, 37}


def test_split_loses_and_doubles_nothing() -> None:
    """Each example is in exactly one part, with its own target, and not in the file's order."""
    data = from_arrays(_rows(100))
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts if part is not None] == [60, 20, 20]
    assert sorted(number for part in parts for number in _numbers(part)) == list(range(100))
    assert all(number % 2 == label for number, label in zip(_numbers(data.train), data.train.y, strict=True))
    assert _numbers(data.train) != sorted(_numbers(data.train))


def test_split_is_drawn_by_its_seed() -> None:
    """The same seed gives the same split, another seed another one."""
    first, again = from_arrays(_rows(100)), from_arrays(_rows(100))
    other = from_arrays(_rows(100), Split(seed=1))
    assert _numbers(first.train) == _numbers(again.train)
    assert _numbers(first.train) != _numbers(other.train)


def test_no_share_for_test_means_no_test_examples() -> None:
    """A test share of 0 leaves the rest to training."""
    data = from_arrays(_rows(100), Split(test=0))
    assert data.test is None
    assert (len(data.train), len(data.validation)) == (80, 20)


def test_what_arrays_hold_out_is_kept_as_it_is() -> None:
    """Given parts keep their examples and order, and only the missing one is drawn from training."""
    rows = _rows(50)
    arrays = {"x_train": rows["x"], "y_train": rows["y"], "x_test": rows["x"][:7], "y_test": rows["y"][:7]}
    data = from_arrays(arrays)
    assert _numbers(data.test) == list(range(7))
    assert len(data.validation) == 10
    assert sorted(_numbers(data.train) + _numbers(data.validation)) == list(range(50))
    complete = from_arrays(arrays | {"x_validation": rows["x"][:3], "y_validation": rows["y"][:3]})
    assert _numbers(complete.train) == list(range(50))
    assert _numbers(complete.validation) == [0, 1, 2]


def test_labels_of_all_parts_share_their_classes() -> None:
    """A text has the same number in every part, even if one part lacks it."""
    x = np.zeros((2, 1))
    arrays = {"x_train": x, "y_train": np.array(["cat", "dog"]), "x_test": x, "y_test": np.array(["dog", "ape"])}
    data = from_arrays(arrays | {"x_validation": x, "y_validation": np.array(["dog", "dog"])})
    assert data.classes == ["ape", "cat", "dog"]
    assert data.test is not None
    assert [part.y.tolist() for part in (data.train, data.validation, data.test)] == [[1, 2], [2, 2], [2, 0]]


def test_quantities_have_no_classes() -> None:
    """Real targets are split without classes and stay what they are."""
    data = from_arrays({"x": np.zeros((10, 1)), "y": np.linspace(0, 1, 10)})
    assert data.classes is None
    assert data.train.y.dtype == np.float64


def test_relative_paths_start_at_the_job_file(tmp_path: Path) -> None:
    """A path in a job file leads on from the folder of that file."""
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "rows.npz", **_rows(20))
    data: Dataset = load(Npz(source="npz", path="data/rows.npz"), tmp_path, _no_functions)
    assert len(data.train) == 12


def test_function_gives_the_arrays() -> None:
    """A user's function is looked up by its name and may return anything that becomes an array."""
    asked = []

    def find(name: str) -> Callable[[], Any]:
        asked.append(name)
        return lambda: {"x": [[float(number)] for number in range(10)], "y": ["no", "yes"] * 5}

    data = load(Function(source="function", function="mine:read"), Path(), find)
    assert asked == ["mine:read"]
    assert data.classes == ["no", "yes"]
    assert len(data.train) == 6


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({}, "has nothing to train on, got no arrays"),
        ({"x_test": [1.0], "y_test": [1.0]}, "has nothing to train on, got x_test, y_test"),
        ({"x": [[1.0]]}, "has no y, got x; inputs x and targets y come in pairs"),
        ({"x_train": [1.0], "y_train": [1.0], "y_test": [1.0]}, "has no x_test"),
        ({"x": [1.0], "y": [1.0], "x_val": [1.0]}, "has no use for 'x_val'; arrays are named x, y, x_train"),
        ({"x": [1.0], "y": [1.0], "x_test": [1.0], "y_test": [1.0]}, "has x beside x_test; give x and y, or"),
        ({"x": [[1.0], [1.0, 2.0]], "y": [1.0, 2.0]}, "x must be an array with examples of one shape, got setting"),
        ({"x": [], "y": []}, "x must hold examples, got shape (0,)"),
        ({"x": 3.0, "y": [1.0]}, "x must hold examples, got shape ()"),
        ({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0]}, "x and y must be equally long, got 3 and 2"),
        ({"x": ["a", "b"], "y": [1.0, 2.0]}, "x must hold numbers, got <U1"),
        (
            {"x_train": [[1.0]], "y_train": [1.0], "x_test": [[1.0, 2.0]], "y_test": [1.0]},
            "x_train and x_test must be alike, got shapes (1,) and (2,)",
        ),
        (
            {"x_train": [1.0], "y_train": [[1.0, 1.0]], "x_test": [1.0], "y_test": [1.0]},
            "y_train and y_test must be alike, got shapes (2,) and ()",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, Any], sentence: str) -> None:
    """Each mistake in arrays is one sentence that names the array."""
    with pytest.raises(BadInput) as caught:
        from_arrays(arrays, origin="mine.npz")
    assert str(caught.value).startswith(f"mine.npz: {sentence}")
