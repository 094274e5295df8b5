"""Packing: what leaves the driver, and how processes share it."""

from __future__ import annotations

import dataclasses
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from tinderbox.data import Dataset, Examples, digest, open_packed, pack, unpack


@pytest.fixture
def dataset() -> Dataset:
    """A small data set; only its test examples hold the number 7."""
    train = Examples(np.arange(12, dtype=np.uint8).reshape(3, 2, 2) % 6, np.array([0, 1, 0]))
    validation = Examples(np.ones((2, 2, 2), np.uint8), np.array([1, 0]))
    return Dataset(train, validation, Examples(np.full((2, 2, 2), 7, np.uint8), np.array([1, 1])), ["äpfel", "b"])


def test_test_examples_never_leave_the_driver(dataset: Dataset) -> None:
    """The archive holds training, validation and class names, and nothing of the test examples."""
    with np.load(io.BytesIO(pack(dataset))) as archive:
        assert sorted(archive.files) == ["classes", "x_train", "x_validation", "y_train", "y_validation"]
        assert not any((archive[name] == 7).any() for name in archive.files if name.startswith("x"))


def test_unpacked_data_is_the_same_and_mapped_read_only(dataset: Dataset, tmp_path: Path) -> None:
    """Processes get the same arrays as maps of one file, which they cannot change."""
    unpack(lambda: pack(dataset), tmp_path / "data")
    opened = open_packed(tmp_path / "data")
    assert opened.test is None
    assert opened.classes == ["äpfel", "b"]
    for ours, theirs in ((dataset.train, opened.train), (dataset.validation, opened.validation)):
        for before, after in ((ours.x, theirs.x), (ours.y, theirs.y)):
            assert isinstance(after, np.memmap)
            assert after.dtype == before.dtype
            np.testing.assert_array_equal(before, after)
    with pytest.raises(ValueError, match="read-only"):
        opened.train.x[0] = 0


def test_data_without_classes_keeps_none(dataset: Dataset, tmp_path: Path) -> None:
    """Quantities have no class names before and after."""
    unpack(lambda: pack(dataclasses.replace(dataset, classes=None)), tmp_path / "data")
    assert open_packed(tmp_path / "data").classes is None


def test_many_ask_and_one_does_the_work(dataset: Dataset, tmp_path: Path) -> None:
    """Of several that ask at once only one fetches the archive, and all find the folder whole."""
    together, fetched = Barrier(4), []

    def fetch() -> bytes:
        fetched.append(1)
        return pack(dataset)

    def ask() -> int:
        together.wait(10)
        unpack(fetch, tmp_path / "new" / "data")
        return len(open_packed(tmp_path / "new" / "data").train)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
    assert [future.result() for future in asked] == [3] * 4
    assert len(fetched) == 1


def test_broken_start_leaves_no_half_folder(dataset: Dataset, tmp_path: Path) -> None:
    """After a failure on the way, and a leftover of a killed process, the next one starts over."""
    (tmp_path / ".data.part").mkdir()
    (tmp_path / ".data.part" / "x_train.npy").write_bytes(b"half")
    with pytest.raises(OSError, match="lost"):
        unpack(_fail, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    unpack(lambda: pack(dataset), tmp_path / "data")
    assert len(open_packed(tmp_path / "data").train) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [".data.lock", "data"]


def _fail() -> bytes:
    raise OSError("the broadcast is lost")


def test_digest_is_of_the_content(dataset: Dataset, tmp_path: Path) -> None:
    """Equal data has an equal digest, wherever it lies in memory."""
    x = np.asfortranarray(dataset.train.x)
    moved = dataclasses.replace(dataset, train=Examples(x, dataset.train.y.copy()))
    assert digest(moved) == digest(dataset)
    assert len(digest(dataset)) == 64


@pytest.mark.parametrize("change", ["value", "type", "shape", "classes", "test", "no test"])
def test_digest_changes_with_everything(dataset: Dataset, change: str) -> None:
    """A value, a type, a shape, a class name and the test examples all count."""
    x, y = dataset.train.x, dataset.train.y
    changed = {
        "value": {"train": Examples(x ^ 1, y)},
        "type": {"train": Examples(x.view(np.int8), y)},
        "shape": {"train": Examples(x.reshape(3, 4), y)},
        "classes": {"classes": ["a", "b"]},
        "test": {"test": dataset.validation},
        "no test": {"test": None},
    }[change]
    assert digest(dataclasses.replace(dataset, **changed)) != digest(dataset)  # type: ignore[arg-type]
