"""Files by their path or URL, wherever they are: opened, or brought to this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

import fsspec
from fsspec.core import has_magic

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


def listed(path: str) -> list[tuple[str, int, str]]:
    """Return the files at a path, in a folder and below it, or that a glob names, sorted by their paths.

    Of each its path or URL, its bytes, and a mark that is another one when its content is: what storage keeps as its
    digest, or when it was written. Names that begin with _ or . are left out, as Spark does.

    Raises:
        BadInput: There is none, or it must not be read, or its URL is of a kind that is not known.
        TinderboxError: It cannot be read now.
    """
    try:
        files, name = fsspec.url_to_fs(spoken(path))
    except (ImportError, ValueError) as error:
        raise BadInput(f"{path} cannot be opened: {error}; give a path or another URL") from error
    with _telling(path):
        found = _find(files, name)
    local = "file" in files.protocol
    return [
        (each if local else str(files.unstrip_protocol(each)), int(info["size"] or 0), _mark(info))
        for each, info in sorted(found.items())
        if info["type"] == "file" and not _is_hidden(each, name)
    ]


def _find(files: fsspec.AbstractFileSystem, name: str) -> dict[str, dict[str, Any]]:
    """Return what is at a path, or where nothing is, what it is a pattern of."""
    try:
        info = files.info(name)
    except FileNotFoundError:
        tops = files.glob(name, detail=True) if has_magic(name) else {}
        if not tops:
            raise
        return {key: info for top in tops.values() for key, info in _below(files, top).items()}
    return _below(files, info)


def _below(files: fsspec.AbstractFileSystem, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if info["type"] == "file":
        return {info["name"]: info}
    found: dict[str, dict[str, Any]] = files.find(info["name"], detail=True)
    return found


def _is_hidden(path: str, top: str) -> bool:
    """Whether a file, or a folder below the one that was asked for, has a name that is not for data."""
    below = path.removeprefix(top.rstrip("/")) if path.startswith(top.rstrip("/")) else path.rpartition("/")[2]
    return any(part.startswith(("_", ".")) for part in below.split("/"))


def _mark(info: dict[str, Any]) -> str:
    keys = (
        "ETag",
        "etag",
        "md5",
        "md5Hash",
        "checksum",
        "content_md5",
        "LastModified",
        "last_modified",
        "mtime",
        "created",
    )
    return next((str(info[key]) for key in keys if info.get(key)), "")


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
