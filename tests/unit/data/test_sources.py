"""Sources: archives, functions, and arrays that are gone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.config import Memory
from tinderbox.data.sources import call, read, read_digits, read_npz
from tinderbox.errors import BadInput


def test_digits_keep_all_their_grey_values() -> None:
    """Sixteen steps of grey become seventeen evenly spread bytes."""
    assert np.unique(read_digits()["x"]).tolist() == [round(step * 255 / 16) for step in range(17)]


def test_archive_is_read_by_name(tmp_path: Path) -> None:
    """An archive gives its arrays under their names."""
    np.savez_compressed(tmp_path / "rows.npz", x=np.arange(3), y=np.array(["a", "b", "c"]))
    arrays = read_npz(tmp_path / "rows.npz")
    assert {name: array.tolist() for name, array in arrays.items()} == {"x": [0, 1, 2], "y": ["a", "b", "c"]}


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 cut off"])
def test_broken_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is no archive is refused with the call that writes one."""
    path = tmp_path / "rows.npz"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"rows\.npz: is no NumPy archive; write it by np\.savez"):
        read_npz(path)


def test_damaged_archive_is_refused(tmp_path: Path) -> None:
    """A byte that changed on the way is found by the archive's checksum."""
    path = tmp_path / "rows.npz"
    np.savez(path, x=np.zeros(100), y=np.zeros(100))
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"rows\.npz: cannot be read: Bad CRC-32 for file 'x\.npy'"):
        read_npz(path)


def test_missing_archive_is_refused(tmp_path: Path) -> None:
    """A file that is not there is refused with its name."""
    with pytest.raises(BadInput, match=r"rows\.npz: does not exist"):
        read_npz(tmp_path / "rows.npz")


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    """An array of Python objects is refused, because reading one could run anything."""
    np.savez(tmp_path / "rows.npz", x=np.zeros(2), y=np.array([{}, {}], object))
    with pytest.raises(BadInput, match=r"rows\.npz: cannot be read: Object arrays"):
        read_npz(tmp_path / "rows.npz")


def test_single_array_is_refused(tmp_path: Path) -> None:
    """A .npy file under the name of an archive is refused."""
    with (tmp_path / "rows.npz").open("wb") as file:
        np.save(file, np.zeros(2))
    with pytest.raises(BadInput, match="is no NumPy archive"):
        read_npz(tmp_path / "rows.npz")


def test_function_that_raises_is_refused() -> None:
    """The exception of a user's function is told with the function's name."""

    def broken() -> Any:
        raise KeyError("disk")

    with pytest.raises(BadInput, match=r"^mine:read: raised KeyError: 'disk'$"):
        call(broken, "mine:read")


@pytest.mark.parametrize("code", [0, 3])
def test_function_that_exits_is_refused(code: int) -> None:
    """A script's sys.exit() would end the command, without a word and perhaps as a success."""
    with pytest.raises(BadInput, match=rf"^mine:read: raised SystemExit: {code}$"):
        call(lambda: sys.exit(code), "mine:read")


def test_function_must_return_a_mapping() -> None:
    """A tuple, a likely mistake, is refused with what is wanted."""
    with pytest.raises(
        BadInput, match=r"^mine:read: must return a mapping such as dict\(x=\.\.\., y=\.\.\.\), got tuple$"
    ):
        call(lambda: ([1], [1]), "mine:read")


def test_arrays_of_a_notebook_are_gone() -> None:
    """A study that was begun in a notebook cannot be continued without its arrays."""
    with pytest.raises(BadInput, match=r"pass them as data again"):
        read(Memory(source="memory", digest="0"), Path(), print)
