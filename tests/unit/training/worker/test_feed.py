"""Batches out of arrays that stay where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinderbox.data import Examples
from tinderbox.training.records import Position
from tinderbox.training.sampling import schedule
from tinderbox.training.worker.feed import Feed

X = np.arange(24, dtype=np.uint8).reshape(12, 2)
Y = np.arange(12)


def test_batches_are_those_of_the_schedule(tmp_path: Path) -> None:
    """Out of memory, and out of a memory map, a part of one too."""
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    plan = schedule(12, 5, 1, 0, 3, Position(1))
    for x in (X, mapped):
        batches = list(Feed(Examples(x, Y)).take(plan).as_numpy_iterator())
        assert [y.tolist() for _, y in batches] == [plan.step(k).tolist() for k in range(3)]
        for k, (found, _) in enumerate(batches):
            np.testing.assert_array_equal(found, X[plan.step(k)])
            assert found.dtype == np.uint8
    part = Feed(Examples(mapped[4:], Y[4:])).in_order(0, 8, 8)
    np.testing.assert_array_equal(next(part.as_numpy_iterator())[0], X[4:])
    assert not mapped.flags.writeable


def test_what_only_stands_in_weighs_nothing() -> None:
    """And all else one."""
    plan = schedule(5, 4, 2, 1, 0, Position())
    batches = list(Feed(Examples(X, Y), masked=True).take(plan).as_numpy_iterator())
    assert [weights.tolist() for _, _, weights in batches] == [[1, 1], [0]]


def test_batches_for_replicas() -> None:
    """Can be cut into equal parts; what fills them up weighs nothing."""
    batches = list(Feed(Examples(X, Y), replicas=2).take(schedule(7, 4, 1, 0, 0, Position())).as_numpy_iterator())
    assert [len(y) for _, y, _ in batches] == [4, 4]
    assert [weights.tolist() for _, _, weights in batches] == [[1] * 4, [pytest.approx(4 / 3)] * 3 + [0]]


def test_examples_in_order() -> None:
    """In batches, the last one smaller; long numbers become as short as Keras's."""
    feed = Feed(Examples(X.astype(np.float64), Y.astype(np.float64)))
    batches = list(feed.in_order(2, 9, 3).as_numpy_iterator())
    assert [y.tolist() for _, y in batches] == [[2, 3, 4], [5, 6, 7], [8]]
    assert {(x.dtype, y.dtype) for x, y in batches} == {(np.dtype(np.float32), np.dtype(np.float32))}
    np.testing.assert_array_equal(feed.targets(2, 4), [2, 3])


def test_a_memory_map_is_not_copied(tmp_path: Path) -> None:
    """However large it is: 400 MB take no memory of the process's own."""
    path = tmp_path / "x.npy"
    np.lib.format.open_memmap(path, "w+", np.uint8, (400_000, 1000)).flush()
    mapped = np.load(path, mmap_mode="r")
    labels = np.zeros(len(mapped), np.int64)
    before = _own()
    batches = Feed(Examples(mapped, labels)).take(schedule(len(mapped), 64, 1, 0, 0, Position()).cut(0, 20))
    assert sum(len(y) for _, y in batches.as_numpy_iterator()) == 20 * 64
    assert _own() - before < 200 << 20


def _own() -> int:
    """Return how many bytes are this process's alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


@pytest.mark.parametrize("dtype", [np.bool_, np.float16, np.float32, np.int8, np.int64, np.uint16])
def test_types_of_maps(tmp_path: Path, dtype: type[np.generic]) -> None:
    """All that data sets have."""
    np.save(tmp_path / "x.npy", X.astype(dtype))
    feed = Feed(Examples(np.load(tmp_path / "x.npy", mmap_mode="r"), Y))
    assert next(feed.in_order(0, 12, 12).as_numpy_iterator())[0].dtype == dtype
