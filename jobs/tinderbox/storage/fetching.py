"""Files by their path or URL, wherever they are: opened, or brought to this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote

import fsspec

from tinderbox.errors import BadInput, TinderboxError

_SPARK_NAMES = {"s3a": "s3", "s3n": "s3", "abfss": "abfs", "wasbs": "abfs"}
"""What fsspec calls file systems that Spark has other names for."""


def spoken(path: str) -> str:
    """Return the path or URL by which fsspec knows a file that Spark has named."""
    scheme, colon, rest = path.partition(":")
    if colon and scheme == "file":
        return unquote("/" + rest.lstrip("/")) if "%" in rest else "/" + rest.lstrip("/")
    return f"{_SPARK_NAMES.get(scheme, scheme)}:{rest}" if colon else path


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Lend a file for reading, in order and in blocks."""
    with fsspec.open(spoken(path), "rb") as file:
        yield cast("BinaryIO", file)


def has_held(path: str, time: float) -> bool:
    """Whether a file surely has content, and had it at a `time` in seconds since 1970."""
    try:
        files, name = fsspec.url_to_fs(spoken(path))
        return bool(files.info(name)["size"]) and bool(files.modified(name).timestamp() < time)
    except Exception:  # whatever a library raises: what cannot be looked at from here proves nothing
        return False


@contextmanager
def fetched(path: str) -> Iterator[Path]:
    """Lend a file or folder on this machine, copied there and removed afterwards where it is elsewhere.

    Raises:
        BadInput: There is none, or it must not be read, or its URL is of a kind that is not known.
        TinderboxError: It cannot be read now.
    """
    try:
        files, name = fsspec.url_to_fs(spoken(path))
    except (ImportError, ValueError) as error:
        raise BadInput(f"{path} cannot be opened: {error}; give a path or another URL") from error
    with _telling(path):
        files.info(name)  # exists() says no where storage does not answer
    if "file" in files.protocol:
        yield Path(name)
        return
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch, name.rstrip("/").rpartition("/")[2])
        with _telling(path):
            _copy(files, name, target)
        yield target


@contextmanager
def _telling(path: str) -> Iterator[None]:
    """Turn what is wrong with a file into one sentence."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"{path} is not there; give a path or URL that is") from error
    except PermissionError as error:
        raise BadInput(f"{path} must not be read: {error}; give a path or another URL") from error
    except OSError as error:
        raise TinderboxError(f"{path} cannot be read: {error}; start again once it can") from error


def _copy(files: fsspec.AbstractFileSystem, name: str, target: Path) -> None:
    """Copy a file, or a folder whole; fsspec's own `get` takes some names for patterns."""
    for each in [name] if files.isfile(name) else files.find(name):
        local = target / each.removeprefix(name).lstrip("/")
        local.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(each, str(local))
