"""Tables in shards: what the driver knows of them, and how each worker of a training reads rows of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinderbox.data.columns import Column, features_of, target_of
from tinderbox.data.dataset import Dataset
from tinderbox.data.packing import lay_out, open_packed
from tinderbox.data.rowfiles import Format, Opener, count_parquet, read_blocks
from tinderbox.errors import BadInput

Lister = Callable[[str], list[tuple[str, int, str]]]
"""Returns the files at a path, a folder or a glob: of each its path, its bytes, and a mark of its content."""


@dataclass(frozen=True)
class Doors:
    """How files are got at that may be anywhere: listed, and opened for reading."""

    listed: Lister
    opened: Opener


@dataclass(frozen=True)
class RowFile:
    """A file of rows: its path or URL, its `name` below the folder of all, its rows, and how many are held out."""

    path: str
    name: str
    rows: int
    held: int = 0


@dataclass(frozen=True)
class Shards:
    """A table in files, as it travels to the workers: not one row of it, but all that is needed to read some.

    `train` are the files whose rows are learnt from but for a `share` that is held out; `validation` are files of their
    own, where there are any. `shape` is that of one example, and `classes` name the labels 0, 1, ... of a
    classification; they are None for quantities.
    """

    train: tuple[RowFile, ...]
    validation: tuple[RowFile, ...]
    format: Format
    share: float
    target: Column
    features: tuple[Column, ...]
    dtype: str
    shape: tuple[int, ...]
    classes: tuple[str, ...] | None
    digest: str
    opened: Opener

    @property
    def counts(self) -> tuple[int, int]:
        """How many examples there are in all: to train on, and for validation."""
        held = sum(file.held for file in self.train)
        return sum(file.rows for file in self.train) - held, held + sum(file.rows for file in self.validation)

    def counts_of(self, rank: int, workers: int) -> tuple[int, int]:
        """How many examples a worker has to train on and for validation: at most one fewer than any other."""
        train, validation = (span(rank, workers, count) for count in self.counts)
        return len(train), len(validation)

    def read(self, rank: int, workers: int, folder: Path) -> Dataset:
        """Return a worker's examples as memory maps of files below a folder, where they are read into, once.

        They are those of a range of rows, in the order of files and rows. There may be none for validation. What was
        read there for another number of workers goes; what others of as many have read stays, for they may be at work.

        Raises:
            BadInput: There are fewer examples than workers, or a file is gone, broken, or not as it was.
            TinderboxError: A file cannot be read now.
        """
        if self.counts[0] < workers:
            raise BadInput(f"data: {self.counts[0]} examples do not give each of {workers} workers one; use fewer")
        place = folder / f"shard-{self.digest[:16]}-{rank}-of-{workers}"
        for other in set(folder.glob("shard-*")) - set(folder.glob(f"shard-*-of-{workers}")):
            shutil.rmtree(other, ignore_errors=True)  # a process that has it open can still read it
        lay_out(lambda partial: self._write(rank, workers, partial), place)
        return open_packed(place)

    def _write(self, rank: int, workers: int, folder: Path) -> None:
        train, validation = (span(rank, workers, count) for count in self.counts)
        targets = _Arrays(folder, "train", self, len(train)), _Arrays(folder, "validation", self, len(validation))
        starts = [0, 0]
        files = [(file, held_rows(file, self.share)) for file in self.train]
        files += [(file, np.ones(file.rows, np.bool_)) for file in self.validation]
        for file, held in files:
            parts = [np.flatnonzero(~held), np.flatnonzero(held)]
            chosen = [
                _within(rows, start, part) for rows, start, part in zip(parts, starts, (train, validation), strict=True)
            ]
            starts = [start + len(rows) for start, rows in zip(starts, parts, strict=True)]
            self._copy(file, chosen, targets)
        if self.classes is not None:
            np.save(folder / "classes.npy", np.array(self.classes))

    def _copy(self, file: RowFile, chosen: Sequence[NDArray[np.int64]], targets: Sequence[_Arrays]) -> None:
        """Add rows of a file, by their sorted numbers, to the arrays that they are for."""
        wanted = np.sort(np.concatenate(chosen))
        if not len(wanted):
            return
        if self.format == "parquet" and count_parquet(file.path, self.opened) != file.rows:
            raise BadInput(_changed(file))
        types = {column.name: column.kind for column in (*self.features, self.target)}
        done, dtype = 0, np.dtype(self.dtype)
        for first, block in read_blocks(file.path, self.format, types, self.opened, wanted):
            places = [_within_block(rows, first, block.num_rows) for rows in chosen]
            if not any(map(len, places)):
                continue
            x = features_of(block, self.features, dtype, file.path, first)
            y = target_of(block.column(self.target.name), self.classes, file.path, first)
            for rows, arrays in zip(places, targets, strict=True):
                arrays.add(x[rows], y[rows])
            done += sum(map(len, places))
        if done < len(wanted):
            raise BadInput(_changed(file))


class _Arrays:
    """The two files of a part of a data set, written from their beginning."""

    def __init__(self, folder: Path, part: str, shards: Shards, rows: int) -> None:
        label = np.dtype(np.float32 if shards.classes is None else np.int64)
        create = np.lib.format.open_memmap
        self._x = create(folder / f"x_{part}.npy", "w+", np.dtype(shards.dtype), (rows, *shards.shape))
        self._y = create(folder / f"y_{part}.npy", "w+", label, (rows,))
        self._done = 0

    def add(self, x: NDArray[np.generic], y: NDArray[np.generic]) -> None:
        place = slice(self._done, self._done + len(x))
        self._x[place], self._y[place] = x.reshape(len(x), *self._x.shape[1:]), y
        self._done += len(x)


def span(rank: int, workers: int, count: int) -> range:
    """Return which of so many things a worker has, in order; no worker has more than one more than another."""
    return range(rank * count // workers, (rank + 1) * count // workers)


def held_rows(file: RowFile, share: float) -> NDArray[np.bool_]:
    """Return which rows of a file are held out: always the same ones, whoever asks and whatever other files there are.

    Each row has a number of 64 bits by the file's name and its place in it, mixed as in Steele et al.'s SplitMix64.
    """
    import hashlib

    begin = int.from_bytes(hashlib.sha256(file.name.encode()).digest()[:8], "little")
    mixed = np.arange(1, file.rows + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(begin)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) < share * float(1 << 53)


def _within(rows: NDArray[np.int64], start: int, part: range) -> NDArray[np.int64]:
    """Return those rows of a file that are in a part, where `start` rows of other files come before."""
    return rows[max(part.start - start, 0) : max(part.stop - start, 0)]


def _within_block(rows: NDArray[np.int64], first: int, count: int) -> NDArray[np.int64]:
    """Return where in a block those rows are that it has."""
    begin, end = np.searchsorted(rows, (first, first + count))
    return rows[begin:end] - first


def _changed(file: RowFile) -> str:
    return f"{file.path}: must have {file.rows} rows, as when the training began, and has other ones; start it anew"
