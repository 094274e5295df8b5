"""MNIST's files: read, in order, and refused when broken."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from tinderbox.config import Mnist
from tinderbox.data import load
from tinderbox.data.idx import read_idx, read_mnist
from tinderbox.errors import BadInput


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six training and two test images of 28 x 28; each is filled with its number, which is its label too."""
    for prefix, count in (("train", 6), ("t10k", 2)):
        images = np.broadcast_to(np.arange(count)[:, None, None], (count, 28, 28))
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(_idx(images)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(_idx(np.arange(count)))
    return tmp_path


def test_first_images_are_held_out_in_order(folder: Path) -> None:
    """Validation takes the first training images, and nothing is shuffled; gzipped and plain files may be mixed."""
    arrays = read_mnist(folder, 2)
    assert arrays["x_train"].shape == (4, 28, 28, 1)
    assert {name: array.tolist() for name, array in arrays.items() if name.startswith("y")} == {
        "y_train": [2, 3, 4, 5],
        "y_validation": [0, 1],
        "y_test": [0, 1],
    }
    assert arrays["x_train"][:, 0, 0, 0].tolist() == [2, 3, 4, 5]


def test_mnist_becomes_a_data_set(folder: Path) -> None:
    """A job's MNIST keeps its own split and has one class for each label."""
    data = load(Mnist(source="mnist", folder=folder.name, validation=1), folder.parent, print)
    assert data.train.x.dtype == np.uint8
    assert data.train.y.tolist() == [1, 2, 3, 4, 5]
    assert data.test is not None
    assert data.test.y.tolist() == [0, 1]
    assert data.classes == list("012345")


def test_held_out_images_must_leave_some(folder: Path) -> None:
    """As many validation images as there are images are refused."""
    with pytest.raises(BadInput, match="validation must leave images to train on, got 6 of 6"):
        read_mnist(folder, 6)


def test_missing_file_is_refused(folder: Path) -> None:
    """A file that is not there is named."""
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(BadInput, match="t10k-labels-idx1-ubyte: does not exist"):
        read_mnist(folder, 2)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a", b"", "is no idx file of bytes, got the header b''"),
        ("a", b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "is no idx file of bytes"),
        ("a", b"\0\0\x08\x03\0\0\0\x01", "is no idx file of bytes"),
        ("a", b"\0\0\x08\x01\0\0\0\x03ab", r"must hold 3 bytes for shape \(3,\), got 2; fetch it again"),
        ("a.gz", b"not gzipped", "cannot be read: Not a gzipped file"),
        ("a.gz", gzip.compress(b"\0" * 99)[:-9], "cannot be read: "),
    ],
)
def test_broken_file_is_refused(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    """A file of another kind, a cut one and a broken gzip are refused with the file's name."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=f"{name}: {sentence}"):
        read_idx(tmp_path / name)
