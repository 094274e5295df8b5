"""Where images come from, in a Python worker: what Spark has read, or members of the archives that it has named."""

from __future__ import annotations

import errno
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tinderbox.errors import BadInput
from tinderbox.inference.blocks import Picture
from tinderbox.inference.images import Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

_LINK = "a hard link to an earlier member, which is not read again; write archives with --hard-dereference"

Opener = Callable[[str], AbstractContextManager[BinaryIO]]
Fetcher = Callable[[str], AbstractContextManager[Path]]


@dataclass(frozen=True)
class Files:
    """How a worker gets at files that Spark has only named: opened for reading, or brought to its machine."""

    opened: Opener
    fetched: Fetcher


def from_columns(tables: Iterable[pa.RecordBatch], limit: int) -> Iterator[Picture]:
    """Yield the images in the columns `path` and `content`; one that is null was larger than `limit` bytes."""
    for table in tables:
        for path, content in zip(table.column("path"), table.column("content"), strict=True):
            held = content.as_py()
            yield Picture(path.as_py(), too_large(limit) if held is None else held)


def from_tars(names: Iterable[str], limit: int, opened: Opener) -> Iterator[Picture]:
    """Yield the members of tar archives, in their order, one in memory at a time; a broken archive is one more row."""
    for name in names:
        try:
            with opened(name) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
                for member in archive:
                    archive.members = []  # type: ignore[attr-defined] # or it keeps what it knows of each, to the end
                    if member.isfile():
                        yield Picture(f"{name}/{member.name}", _read(archive, member, limit))
                    elif member.islnk():
                        yield Picture(f"{name}/{member.name}", Unreadable("unsupported", _LINK))
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            if is_passing(error):
                raise
            yield Picture(name, Unreadable("truncated", f"the archive cannot be read to its end: {error}"))


def is_passing(error: Exception) -> bool:
    """Whether an error is of the way to a file, as of a network, so that the task is worth another try."""
    # What a broken file raises has no number.
    return isinstance(error, OSError) and error.errno not in (None, errno.ENOENT)


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, limit: int) -> bytes | Unreadable:
    if member.size > limit:
        return too_large(limit, member.size)
    file = archive.extractfile(member)
    assert file is not None  # noqa: S101 - a member that is a file has one
    return file.read()


def from_records(names: Iterable[str], image: str, key: str | None, limit: int, fetched: Fetcher) -> Iterator[Picture]:
    """Yield the images in the feature `image` of TFRecord files; a broken file is one more row."""
    import tensorflow as tf

    for name in names:
        try:
            with fetched(name) as path:
                records = tf.data.TFRecordDataset(str(path), "GZIP" if name.endswith(".gz") else "")
                for number, record in enumerate(records.as_numpy_iterator()):
                    yield _from_example(record, name, number, image, key, limit)
        except (tf.errors.OpError, BadInput, OSError) as error:
            reason = error.message if isinstance(error, tf.errors.OpError) else error
            yield Picture(name, Unreadable("truncated", f"the file cannot be read to its end: {reason}"))


def _from_example(record: bytes, name: str, number: int, image: str, key: str | None, limit: int) -> Picture:
    """Return the image in one tf.train.Example."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    path = f"{name}/{number}"
    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError:
        return Picture(path, Unreadable("not_an_image", "the record is no tf.train.Example"))
    if key is not None and key in features and features[key].bytes_list.value:
        path = f"{name}/{features[key].bytes_list.value[0].decode(errors='replace')}"
    held = features[image].bytes_list.value if image in features else []
    if not held:
        return Picture(path, Unreadable("not_an_image", f"the record has no feature {image!r} that holds bytes"))
    return Picture(path, held[0] if len(held[0]) <= limit else too_large(limit, len(held[0])))


def too_large(limit: int, size: int | None = None) -> Unreadable:
    """Return why a file was not even read."""
    got = "" if size is None else f", got {size:,}"
    return Unreadable("too_large", f"a file may have {limit:,} bytes{got}; raise limits.bytes for larger ones")
