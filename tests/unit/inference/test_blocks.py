"""Rows in blocks: each path with its own image, whatever is broken among them, and nothing overwritten later."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from tinderbox.inference import blocks
from tinderbox.inference.blocks import Block, Picture, number_blocks, picture_blocks, raw_blocks
from tinderbox.inference.images import Frame, Unreadable, decode

FRAME = Frame(2, 2, 1)
MakePicture = Callable[[int], Picture]


def broken(number: int) -> Picture:
    """Return a picture that is none."""
    return Picture(f"/broken/{number}.png", b"no image")


def sizes(found: list[Block]) -> list[tuple[int, int]]:
    """Return how many rows and mistakes each block has."""
    return [(len(block.paths), len(block.mistakes)) for block in found]


def right(block: Block) -> bool:
    """Whether each path of a block has the image whose value the path says."""
    values = [int(path.rpartition("/")[2].removesuffix(".png")) for path in block.paths]
    return len(values) == len(block.values) and all(
        (image == value).all() for image, value in zip(block.values, values, strict=True)
    )


def test_each_path_keeps_its_own_image(
    picture: MakePicture, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded by threads in whatever order, with broken ones in between, images stay with their paths."""
    draw = np.random.default_rng(3)
    pauses = iter(draw.uniform(0, 0.002, 1_000).tolist())

    def decode_late(content: bytes, frame: Frame) -> object:
        time.sleep(next(pauses))
        return decode(content, frame)

    monkeypatch.setattr(blocks, "decode", decode_late)
    pictures = [broken(number) if number % 7 == 3 else picture(number) for number in range(200)]
    found = list(picture_blocks(pictures, FRAME, 16, threads))
    assert all(map(right, found))
    assert [path for block in found for path in block.paths] == [f"/images/{n}.png" for n in range(200) if n % 7 != 3]
    assert [one.path for block in found for one in block.mistakes] == [
        f"/broken/{n}.png" for n in range(200) if n % 7 == 3
    ]


def test_a_block_that_was_handed_on_is_not_overwritten(picture: MakePicture, threads: ThreadPoolExecutor) -> None:
    """A block's values are its own, also while later blocks are filled."""
    coming = picture_blocks(map(picture, range(64)), FRAME, 4, threads)
    first = next(coming)
    rest = list(coming)
    assert right(first)
    assert not any(np.shares_memory(first.values, block.values) for block in rest)


@pytest.mark.parametrize(
    ("count", "batch", "expected"),
    [
        (0, 4, []),
        (1, 4, [(1, 0)]),
        (8, 4, [(4, 0), (4, 0)]),
        (9, 4, [(4, 0), (4, 0), (1, 0)]),
        (3, 1, [(1, 0)] * 3),
    ],
)
def test_blocks_are_full_but_for_the_last(
    count: int, batch: int, expected: list[tuple[int, int]], picture: MakePicture, threads: ThreadPoolExecutor
) -> None:
    """No rows make no block, and the last block has what is left."""
    assert sizes(list(picture_blocks(map(picture, range(count)), FRAME, batch, threads))) == expected


def test_blocks_may_have_broken_rows_only(threads: ThreadPoolExecutor) -> None:
    """Where all is broken, mistakes do not pile up, and each keeps its reason."""
    found = list(picture_blocks(map(broken, range(10)), FRAME, 4, threads))
    assert sizes(found) == [(0, 4), (0, 4), (0, 2)]
    assert {one.reason for block in found for one in block.mistakes} == {"not_an_image"}
    assert [block.values.shape for block in found] == [(0, 2, 2, 1)] * 3


def test_what_was_not_even_read_stays_a_mistake(threads: ThreadPoolExecutor) -> None:
    """A picture that comes with a reason, such as being too large, keeps it."""
    pictures = [Picture("/large.png", Unreadable("too_large", "a file may have 5 bytes"))]
    (block,) = picture_blocks(pictures, FRAME, 4, threads)
    assert [(one.path, one.reason, one.sentence) for one in block.mistakes] == [
        ("/large.png", "too_large", "a file may have 5 bytes")
    ]


def test_an_unforeseen_failure_is_not_lost(
    picture: MakePicture, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread raises is raised where blocks are taken, after those before it."""

    def fail(content: bytes, frame: Frame) -> object:
        if content == b"bad":
            raise RuntimeError("no")
        return np.zeros((2, 2, 1), np.uint8)

    monkeypatch.setattr(blocks, "decode", fail)
    coming = picture_blocks([*map(picture, range(8)), Picture("bad", b"bad")], FRAME, 8, threads)
    assert len(next(coming).paths) == 8
    with pytest.raises(RuntimeError, match="no"):
        next(coming)


def test_only_so_many_files_are_read_ahead(picture: MakePicture, threads: ThreadPoolExecutor) -> None:
    """Memory is bounded: what comes after the batches that are decoded ahead has not been read."""
    taken: list[int] = []

    def tell() -> Iterator[Picture]:
        for number in range(200):
            taken.append(number)
            yield picture(number)

    next(picture_blocks(tell(), FRAME, 8, threads, ahead=2))
    assert len(taken) <= 8 + 2 * 8 + blocks.TOGETHER


def test_large_files_are_not_read_far_ahead(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, png: Callable[..., bytes]
) -> None:
    """A batch of large files would not fit into memory: so many bytes wait for threads, and no more."""
    monkeypatch.setattr(blocks, "WAITING_BYTES", 100_000)
    taken: list[int] = []

    def tell() -> Iterator[Picture]:
        for number in range(400):
            taken.append(number)
            yield Picture(f"/images/{number % 250}.png", png(number % 250) + bytes(10_000))

    found = picture_blocks(tell(), FRAME, 128, threads)
    assert right(next(found))
    assert len(taken) <= 128 + 3 * blocks.TOGETHER


def test_files_for_a_function_stay_as_they_are() -> None:
    """Contents are handed on as bytes, also where all have the same length, and refused ones are told apart."""
    pictures = [
        Picture("a", b"xx"),
        Picture("b", b"yy"),
        Picture("c", Unreadable("too_large", "no")),
        Picture("d", b""),
    ]
    found = list(raw_blocks(pictures, 3))
    assert [(block.paths, list(block.values), len(block.mistakes)) for block in found] == [
        (["a", "b"], [b"xx", b"yy"], 1),
        (["d"], [b""], 0),
    ]
    assert list(raw_blocks([], 3)) == []


def table(paths: list[str | None], **columns: pa.Array) -> pa.RecordBatch:
    """Return a table as Spark sends it."""
    return pa.RecordBatch.from_pydict({"path": pa.array(paths, pa.string()), **columns})


def test_numbers_keep_their_rows_and_the_order_of_features() -> None:
    """Rows go on over tables, whatever the columns are called on their way."""
    tables = [
        table([f"{n}" for n in part], x=pa.array([float(n) for n in part]), y=pa.array([n * 10.0 for n in part]))
        for part in (range(3), range(3, 5), range(0), range(5, 7))
    ]
    found = list(number_blocks(tables, ["a", "b"], 4))
    assert [block.paths for block in found] == [["0", "1", "2", "3"], ["4", "5", "6"]]
    assert np.concatenate([block.values for block in found]).tolist() == [[n, n * 10] for n in range(7)]
    assert {block.values.dtype for block in found} == {np.dtype(np.float32)}


def test_rows_without_numbers_are_mistakes() -> None:
    """Null, NaN, infinity and what float32 cannot hold are told with the first column to blame."""
    values = pa.array([1.0, None, float("nan"), 2.0, float("-inf"), 1e300])
    tables = [table(["0", "1", "2", "3", "4", "5"], a=pa.array([1, 2, 3, None, 5, 6]), b=values)]
    (block,) = number_blocks(tables, ["a", "b"], 10)
    assert (block.paths, block.values.tolist()) == (["0"], [[1.0, 1.0]])
    assert [(one.path, one.reason, one.sentence) for one in block.mistakes] == [
        (path, "wrong_values", f"{name} must be a finite number")
        for path, name in [("1", "b"), ("2", "b"), ("3", "a"), ("4", "b"), ("5", "b")]
    ]


@pytest.mark.parametrize("column", [pa.array([True, None]), pa.array([1, None], pa.int8()), pa.array([2**60, None])])
def test_columns_of_other_types_are_numbers_too(column: pa.Array) -> None:
    """Booleans and integers become float32, and their nulls are mistakes."""
    (block,) = number_blocks([table([None, "b"], a=column)], ["a"], 10)
    assert [*block.paths, *block.values.tolist()] == [None, [float(column[0].as_py())]]
    assert [one.path for one in block.mistakes] == ["b"]
