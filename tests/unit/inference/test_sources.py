"""Pictures out of tables, archives and records: each with its name, and what is broken as a row of its own."""

from __future__ import annotations

import errno
import gzip
import io
import random
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest

from tinderbox.errors import BadInput
from tinderbox.inference.blocks import Picture
from tinderbox.inference.images import Unreadable
from tinderbox.inference.sources import from_columns, from_records, from_tars

FILES = {"a/one.png": b"1" * 700, "a/two.png": b"2" * 3000, "three.png": b""}


def told(pictures: Iterator[Picture]) -> list[tuple[str, bytes | str]]:
    """Return each path with its content, or with the reason why there is none."""
    return [(one.path, one.content.reason if isinstance(one.content, Unreadable) else one.content) for one in pictures]


def archive(path: Path, mode: str = "w", files: dict[str, bytes] | None = None) -> Path:
    """Write a tar archive."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in (FILES if files is None else files).items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """Lend a file of this machine, which cannot be read backwards."""
    with Path(path).open("rb") as file:
        file.seek = file.tell = None  # type: ignore[assignment, method-assign]
        yield file


@contextmanager
def fetched(path: str) -> Iterator[Path]:
    """Lend a file of this machine."""
    if not Path(path).exists():
        raise BadInput(f"{path} is not there; give a path or URL that is")
    yield Path(path)


def tars(*paths: Path | str, limit: int = 1 << 20) -> list[tuple[str, bytes | str]]:
    """Return what is in archives."""
    return told(from_tars(map(str, paths), limit, opened))


def test_images_in_columns() -> None:
    """Null stands for a file that was too large; an empty file is a file."""
    tables = [
        pa.RecordBatch.from_pydict({"path": ["a", "b"], "content": pa.array([b"1", None], pa.binary())}),
        pa.RecordBatch.from_pydict({"path": pa.array([None], pa.string()), "content": pa.array([b""], pa.binary())}),
        pa.RecordBatch.from_pydict({"path": pa.array([], pa.string()), "content": pa.array([], pa.binary())}),
    ]
    assert told(from_columns(tables, 5)) == [("a", b"1"), ("b", "too_large"), (None, b"")]


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_members_of_archives_in_their_order(kind: str, tmp_path: Path) -> None:
    """Compressed or not, whatever the name ends in, and one archive after the other."""
    first, second = archive(tmp_path / "1", f"w:{kind}"), archive(tmp_path / "2.tar", f"w:{kind}", {"x": b"3"})
    assert tars(first, second) == [
        *[(f"{first}/{name}", content) for name, content in FILES.items()],
        (f"{second}/x", b"3"),
    ]
    assert tars() == []


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    """Folders, symbolic links and devices have no image; names that lead out of the archive are only names."""
    path = tmp_path / "mixed.tar"
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            member = tarfile.TarInfo("no-file")
            member.type, member.linkname = kind, "/etc/hostname"
            tar.addfile(member)
        tar.addfile(tarfile.TarInfo("../../up.png"))
        tar.addfile(tarfile.TarInfo("/absolute.png"))
    assert tars(path) == [(f"{path}/../../up.png", b""), (f"{path}//absolute.png", b"")]


def test_a_hard_link_is_a_row_with_an_error(tmp_path: Path) -> None:
    """It stands for a file whose content is only at another name, which a stream cannot go back to."""
    path = tmp_path / "a.tar"
    (tmp_path / "one.png").write_bytes(b"1")
    (tmp_path / "two.png").hardlink_to(tmp_path / "one.png")
    with tarfile.open(path, "w") as tar:
        for name in ("one.png", "two.png"):
            tar.add(tmp_path / name, name)
    assert tars(path) == [(f"{path}/one.png", b"1"), (f"{path}/two.png", "unsupported")]


def test_members_that_are_too_large_are_not_read(tmp_path: Path) -> None:
    """The others of the archive are, and the size is told."""
    path = archive(tmp_path / "a.tar")
    found = list(from_tars([str(path)], 1000, opened))
    assert told(iter(found)) == [
        (f"{path}/a/one.png", FILES["a/one.png"]),
        (f"{path}/a/two.png", "too_large"),
        (f"{path}/three.png", b""),
    ]
    assert isinstance(found[1].content, Unreadable)
    assert found[1].content.sentence == ("a file may have 1,000 bytes, got 3,000; raise limits.bytes for larger ones")


@pytest.mark.parametrize(
    "content", [b"", b"no archive", bytes(5000), gzip.compress(b"no archive"), b"\x1f\x8b\x08" + b"x" * 100]
)
def test_what_is_no_archive_is_at_most_one_row(content: bytes, tmp_path: Path) -> None:
    """It has one error under its own name, or no members, and the next archive is read."""
    broken, whole = tmp_path / "broken.tar", archive(tmp_path / "whole.tar", files={"x": b"3"})
    broken.write_bytes(content)
    *first, last = tars(broken, whole)
    assert first == ([] if content == bytes(5000) else [(str(broken), "truncated")])
    assert last == (f"{whole}/x", b"3")


def test_an_archive_that_is_gone_is_one_row(tmp_path: Path) -> None:
    """It was there when it was listed."""
    assert tars(tmp_path / "gone.tar") == [(str(tmp_path / "gone.tar"), "truncated")]


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_a_truncated_archive_gives_what_is_whole_and_one_row_more(kind: str, tmp_path: Path) -> None:
    """Members before the cut are labelled."""
    draw = random.Random(1)  # noqa: S311 - a test
    files = {f"{number}": draw.randbytes(150_000) for number in range(20)}
    path = archive(tmp_path / "a", f"w:{kind}", files)
    path.write_bytes(path.read_bytes()[:2_000_000])
    *whole, last = tars(path)
    assert last == (str(path), "truncated")
    assert len(whole) >= 1
    assert whole == [(f"{path}/{name}", content) for name, content in files.items()][: len(whole)]


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_damaged_archives_raise_nothing(kind: str, tmp_path: Path) -> None:
    """Whatever bytes are wrong, rows come out, and none is made of anything but members."""
    draw = random.Random(2)  # noqa: S311 - a test
    content = archive(tmp_path / "a", f"w:{kind}").read_bytes()
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(draw.randint(1, 20)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        (tmp_path / "a").write_bytes(damaged)
        assert all(path.startswith(str(tmp_path / "a")) for path, _ in tars(tmp_path / "a"))


def test_an_archive_of_many_members_is_not_kept_in_memory(tmp_path: Path) -> None:
    """What is known of members that were read is let go."""
    import tracemalloc

    path = archive(tmp_path / "a.tar", files={f"{number:0100}": b"" for number in range(2_000)})
    coming = from_tars([str(path)], 10, opened)
    next(coming)
    tracemalloc.start()
    try:
        assert sum(1 for _ in coming) == 1_999
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 200_000


def example(**features: bytes | float) -> bytes:
    """Return a record of features, those with underscores for slashes."""
    import tensorflow as tf

    made = tf.train.Example()
    for name, value in features.items():
        feature = made.features.feature[name.replace("_", "/")]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.float_list.value.append(value)
    content: bytes = made.SerializeToString()
    return content


def write(path: Path, *records: bytes, compression: str = "") -> Path:
    """Write a TFRecord file."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path), compression) as file:
        for record in records:
            file.write(record)
    return path


def records(*paths: Path, limit: int = 1 << 20, key: str | None = "image/filename") -> list[tuple[str, bytes | str]]:
    """Return what is in TFRecord files."""
    return told(from_records(map(str, paths), "image/encoded", key, limit, fetched))


@pytest.mark.parametrize("compression", ["", "GZIP"])
def test_images_in_records(compression: str, tmp_path: Path) -> None:
    """Each is called by its key below its file, or by its number where it has none."""
    path = write(
        tmp_path / f"a.tfrecord{'.gz' if compression else ''}",
        example(image_encoded=b"1", image_filename="é.png".encode()),
        example(image_encoded=b"22"),
        example(image_encoded=b"3", image_filename=b"\xff.png"),
        compression=compression,
    )
    assert records(path) == [(f"{path}/é.png", b"1"), (f"{path}/1", b"22"), (f"{path}/\ufffd.png", b"3")]
    assert [name for name, _ in records(path, key=None)] == [f"{path}/{number}" for number in range(3)]


def test_records_without_an_image(tmp_path: Path) -> None:
    """A missing feature, one of another type, no Example at all and too many bytes are rows with their reasons."""
    path = write(
        tmp_path / "a.tfrecord",
        example(image_filename=b"a.png"),
        example(image_encoded=1.5),
        b"\xff\xff",
        example(image_encoded=b"12345"),
        b"",
        example(image_encoded=b"1"),
    )
    assert records(path, limit=4) == [
        (f"{path}/a.png", "not_an_image"),
        (f"{path}/1", "not_an_image"),
        (f"{path}/2", "not_an_image"),
        (f"{path}/3", "too_large"),
        (f"{path}/4", "not_an_image"),
        (f"{path}/5", b"1"),
    ]


@pytest.mark.parametrize("damage", ["checksum", "cut", "gone", "no records"])
def test_broken_record_files_are_one_row_more(damage: str, tmp_path: Path) -> None:
    """Records before the damage are labelled, and so is the next file."""
    path, whole = (
        write(tmp_path / f"{name}.tfrecord", example(image_encoded=b"1"), example(image_encoded=b"2"))
        for name in ("broken", "whole")
    )
    content = path.read_bytes()
    path.write_bytes(
        {"checksum": content[:-6] + b"x" + content[-5:], "cut": content[:-3]}.get(damage, b"no records" * 9)
    )
    if damage == "gone":
        path.unlink()
    before = [(f"{path}/0", b"1")] if damage in ("checksum", "cut") else []
    assert records(path, whole) == [
        *before,
        (str(path), "truncated"),
        (f"{whole}/0", b"1"),
        (f"{whole}/1", b"2"),
    ]
    (sentence,) = (
        one.content.sentence
        for one in from_records([str(path)], "image/encoded", None, 10, fetched)
        if isinstance(one.content, Unreadable)
    )
    assert sentence.startswith("the file cannot be read to its end: ")
    assert "\n" not in sentence


def test_an_error_downstream_is_no_broken_file(tmp_path: Path) -> None:
    """What takes the pictures may fail for reasons of its own."""

    def take(pictures: Iterator[Picture]) -> None:
        for _ in pictures:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        take(from_tars([str(archive(tmp_path / "a.tar"))], 10, opened))
    with pytest.raises(OSError, match="full"):
        take(from_records([str(write(tmp_path / "b", example()))], "image/encoded", None, 10, fetched))


@dataclass
class Failing(io.BytesIO):
    """A file whose file system fails with some number."""

    number: int

    def read(self, size: int | None = -1) -> bytes:
        """Fail."""
        raise OSError(self.number, "no answer")


def test_a_network_that_fails_is_no_broken_archive() -> None:
    """Its rows would be lost for good: the task fails, and Spark tries again; a file that is gone is a row."""
    with pytest.raises(OSError, match="no answer"):
        list(from_tars(["a.tar"], 100, lambda name: nullcontext(Failing(errno.ECONNRESET))))
    [gone] = from_tars(["a.tar"], 100, lambda name: nullcontext(Failing(errno.ENOENT)))
    assert isinstance(gone.content, Unreadable)
    assert gone.content.reason == "truncated"
