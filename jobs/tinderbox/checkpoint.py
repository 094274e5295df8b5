"""Checkpoints on their way: hashed while they are read or written, whole or not there at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

_BLOCK = 1 << 20

Save = Callable[[BinaryIO], None]
"""Writes a trial's state into an open binary file, such as `lambda file: joblib.dump(model, file)`."""


def write(save: Save, path: Path) -> None:
    """Write a state to a path that either holds all of it afterwards or does not exist."""
    with replacing(path) as file:
        save(file)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well, synced, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            yield cast("BinaryIO", file)
            # Temporary files are the owner's alone; what is kept is for everyone who may read the folder.
            Path(file.name).chmod(0o644)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def digest(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file in hexadecimal, and its size in bytes."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256")
    return sha256.hexdigest(), path.stat().st_size
