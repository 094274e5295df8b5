"""Files that are whole or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

import pytest

from tinderbox import checkpoint


def test_a_state_is_written_whole(tmp_path: Path) -> None:
    """Folders on the way are made, and nothing else is left."""
    path = tmp_path / "a" / "b" / "state"
    checkpoint.write(lambda file: file.write(b"state") and None, path)
    assert path.read_bytes() == b"state"
    assert [found.name for found in path.parent.iterdir()] == ["state"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_state_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """What was there before stays, half of the new one does not."""
    path = tmp_path / "state"

    def save(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    with pytest.raises(error):
        checkpoint.write(save, path)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"old")
    with pytest.raises(error):
        checkpoint.write(save, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_sees_the_old_or_the_new(tmp_path: Path) -> None:
    """The new content appears when the block ends, at once."""
    path = tmp_path / "state"
    path.write_bytes(b"old")
    with checkpoint.replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_who_may_read_the_folder_may_read_the_file(tmp_path: Path) -> None:
    """A report is for others too, unlike a temporary file."""
    checkpoint.write(lambda file: None, tmp_path / "report")
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o644


def test_the_digest(tmp_path: Path) -> None:
    """SHA-256 and size, of an empty file too."""
    for content in (b"", b"state" * 100_000):
        (tmp_path / "state").write_bytes(content)
        expected = hashlib.sha256(content).hexdigest(), len(content)
        assert checkpoint.digest(tmp_path / "state") == expected
