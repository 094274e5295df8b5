"""Rows on their way to a model, in blocks of at most a batch: images decoded in threads, ahead of the model."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.inference.images import Frame, Unreadable, decode

if TYPE_CHECKING:
    import pyarrow as pa

TOGETHER = 8
"""So many images are decoded by one call of a thread: small ones cost less than the call does."""

WAITING_BYTES = 128 << 20
"""Files of more than this together do not wait for threads, however few they are."""


@dataclass(frozen=True)
class Picture:
    """An image's file: its path, or key, and what is in it, or why nothing could be had."""

    path: str
    content: bytes | Unreadable


@dataclass(frozen=True)
class Mistake:
    """Why a row has no prediction: a short reason to count by, and one sentence."""

    path: str
    reason: str
    sentence: str


@dataclass(frozen=True)
class Block:
    """Up to a batch of rows, of shape [n, ...], their paths, and those that came with them and are broken."""

    paths: list[str]
    values: NDArray[Any]
    mistakes: list[Mistake]


def picture_blocks(
    pictures: Iterable[Picture], frame: Frame, batch: int, threads: Executor, ahead: int = 2
) -> Iterator[Block]:
    """Yield the decoded images; while one block is worked on, `ahead` batches more are being decoded."""
    paths: list[str] = []
    values = np.empty((batch, frame.height, frame.width, frame.channels), np.uint8)
    mistakes: list[Mistake] = []
    for path, image in _decoded(iter(pictures), frame, -(-ahead * batch // TOGETHER), threads):
        if isinstance(image, Unreadable):
            mistakes.append(Mistake(path, image.reason, image.sentence))
        else:
            values[len(paths)] = image
            paths.append(path)
        if len(paths) == batch or len(mistakes) == batch:
            yield Block(paths, values[: len(paths)], mistakes)
            paths, mistakes, values = [], [], np.empty_like(values)
    if paths or mistakes:
        yield Block(paths, values[: len(paths)], mistakes)


def _decoded(
    pictures: Iterator[Picture], frame: Frame, most: int, threads: Executor
) -> Iterator[tuple[str, NDArray[np.uint8] | Unreadable]]:
    """Yield each picture's path and image, in their order, with up to `most` calls of threads under way."""
    coming: deque[tuple[int, Future[list[tuple[str, NDArray[np.uint8] | Unreadable]]]]] = deque()
    while some := list(islice(pictures, TOGETHER)):
        coming.append((sum(map(_size, some)), threads.submit(_decode_all, some, frame)))
        while len(coming) > most or sum(size for size, _ in coming) > WAITING_BYTES:
            yield from coming.popleft()[1].result()
    for _, call in coming:
        yield from call.result()


def _size(picture: Picture) -> int:
    return 0 if isinstance(picture.content, Unreadable) else len(picture.content)


def _decode_all(pictures: Sequence[Picture], frame: Frame) -> list[tuple[str, NDArray[np.uint8] | Unreadable]]:
    return [(picture.path, _decode(picture, frame)) for picture in pictures]


def _decode(picture: Picture, frame: Frame) -> NDArray[np.uint8] | Unreadable:
    if isinstance(picture.content, Unreadable):
        return picture.content
    try:
        return decode(picture.content, frame)
    except Unreadable as mistake:
        return mistake


def raw_blocks(pictures: Iterable[Picture], batch: int) -> Iterator[Block]:
    """Yield the files as they are, for a function that decodes them itself."""
    coming = iter(pictures)
    while some := list(islice(coming, batch)):
        whole = [(one.path, one.content) for one in some if isinstance(one.content, bytes)]
        broken = [(one.path, one.content) for one in some if isinstance(one.content, Unreadable)]
        values = np.empty(len(whole), object)
        values[:] = [content for _, content in whole]
        mistakes = [Mistake(path, why.reason, why.sentence) for path, why in broken]
        yield Block([path for path, _ in whole], values, mistakes)


def number_blocks(tables: Iterable[pa.RecordBatch], features: Sequence[str], batch: int) -> Iterator[Block]:
    """Yield rows of numbers: `path` comes first, then the `features`; one with a null or a NaN is broken."""
    coming = _numbers(tables)
    while some := list(islice(coming, batch)):  # Spark's tables are smaller than most batches
        yield _split([path for path, _ in some], np.stack([row for _, row in some]), features)


def _numbers(tables: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    import pyarrow as pa

    for table in tables:
        paths, *numbers = table.columns
        columns = [column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False) for column in numbers]
        with np.errstate(over="ignore"):  # what is too large for float32 is no finite number
            matrix = np.column_stack(columns).astype(np.float32)
        yield from zip(paths.to_pylist(), matrix, strict=True)


def _split(paths: list[str], values: NDArray[np.float32], features: Sequence[str]) -> Block:
    """Return a block in which rows with values that are no numbers are told apart."""
    sound = np.isfinite(values)
    whole = sound.all(axis=1)
    mistakes = [
        Mistake(paths[row], "wrong_values", f"{features[int(np.argmin(sound[row]))]} must be a finite number")
        for row in np.flatnonzero(~whole)
    ]
    return Block([paths[row] for row in np.flatnonzero(whole)], values[whole], mistakes)
