"""A look at tables in shards, by the driver: files, rows, columns and classes, with no more than the target read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinderbox.config.data import Sharded
from tinderbox.data.columns import Column, Kind, flat, inner, is_list, is_numeric, target_kind, told
from tinderbox.data.discovery import Discovery, Task
from tinderbox.data.rowfiles import Format, Opener, read_blocks, schema_of, telling
from tinderbox.data.shards import Doors, RowFile, Shards, held_rows
from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

CHEAP = 64 << 20
"""Bytes up to which the digest is one of the content itself."""

_ENDINGS: dict[Format, tuple[str, ...]] = {"parquet": (".parquet", ".pq"), "csv": (".csv", ".csv.gz")}
_CSV_TYPES = {"null": "double", "int64": "double", "double": "double", "bool": "bool"}
"""What a feature in a CSV file is read as, by what it looks like."""
_CSV_TARGETS = {"whole": "int64", "real": "double", "text": "string", "truth": "bool"}


@dataclass(frozen=True)
class _File:
    """A file as storage knows it, with its columns."""

    path: str
    name: str
    size: int
    mark: str
    schema: pa.Schema | None = None


def plan_shards(config: Sharded, base: Path, doors: Doors, task: Task = "auto") -> Shards:
    """Return all that workers need to know of the tables that a job names.

    Relative paths start at `base`. Of Parquet files only the ends and the target are read; CSV files are gone through
    once. Whole numbers and texts as targets are classes, real numbers are quantities, unless the `task` says otherwise.

    Raises:
        BadInput: There is no such file, one is broken, a column is missing or holds what it must not, or nothing is
            left to train on or to validate with.
        TinderboxError: A file cannot be read now.
    """
    origin, kind, files = _find(config.path, config.format, base, doors)
    own = None if config.validation_path is None else _find(config.validation_path, kind, base, doors)
    everything = [*files, *(own[2] if own else [])]
    columns = _features(config, kind, everything, doors.opened, origin)
    discovery = Discovery(config.target, None if kind == "csv" else _target(config.target, everything, origin))
    train, validation = (
        tuple(_count(file, kind, config.target, columns, discovery, doors.opened) for file in some)
        for some in (files, own[2] if own else [])
    )
    listed = None if config.classes is None else [str(name) for name in config.classes]
    shards = Shards(
        train=tuple(replace(file, held=int(held_rows(file, config.share).sum())) for file in train),
        validation=validation,
        format=kind,
        share=config.share,
        target=Column(config.target, _CSV_TARGETS[discovery.kind]),
        features=columns,
        dtype=_dtype(columns, everything),
        shape=_shape(config, columns, origin),
        classes=discovery.classes(task, listed, origin),
        digest="",
        opened=doors.opened,
    )
    _check_parts(shards, config, origin)
    return replace(shards, digest=_digest(shards, everything))


def _find(path: str, kind: Format | None, base: Path, doors: Doors) -> tuple[str, Format, list[_File]]:
    """Return what messages call a path, the format of the files at it, and these, with their columns."""
    whole = path if "://" in path or path.startswith(("/", "file:")) else str(base.resolve() / path)
    found = doors.listed(whole)
    kind = kind or _guess([name for name, _, _ in found], whole)
    fitting = [each for each in found if each[0].lower().endswith(_ENDINGS[kind])] or found
    if not fitting:
        raise BadInput(f"{whole}: holds no files; give a folder, a glob or a URL of Parquet or CSV files")
    names = _below(each[0] for each in fitting)
    files = [_File(path, name, size, mark) for (path, size, mark), name in zip(fitting, names, strict=True)]
    return whole, kind, [replace(file, schema=schema_of(file.path, kind, doors.opened)) for file in files]


def _below(paths: Iterable[str]) -> list[str]:
    """Return paths or URLs as they are called in the lowest folder that has all of them, wherever that is."""
    parts = [path.split("/") for path in paths]
    lowest, highest = (choose(path[:-1] for path in parts) for choose in (min, max))
    above = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(lowest, highest, strict=False)))
    return ["/".join(path[above:]) for path in parts]


def _guess(names: Sequence[str], origin: str) -> Format:
    kinds = [kind for kind, endings in _ENDINGS.items() if any(name.lower().endswith(endings) for name in names)]
    if len(kinds) == 1:
        return kinds[0]
    got = "both" if kinds else f"names such as {names[0].rpartition('/')[2]}" if names else "no files"
    raise BadInput(f"{origin}: must hold files called .parquet or .csv, of one kind, got {got}; say its format")


def _schemas(files: Sequence[_File]) -> list[tuple[str, pa.Schema]]:
    """Return the columns of each file that has some, with its path."""
    return [(file.path, file.schema) for file in files if file.schema is not None]


def _features(config: Sharded, kind: Format, files: Sequence[_File], opened: Opener, origin: str) -> tuple[Column, ...]:
    """Return the columns to learn from, each of them of numbers in every file."""
    schemas = _schemas(files)
    if not schemas:
        raise BadInput(f"{origin}: holds no rows, and its files no names of columns; give others")
    names = config.features or [name for name in schemas[0][1].names if name != config.target]
    if not names:
        raise BadInput(f"{origin}: has no column but the target {config.target!r}; add features to learn from")
    for path, schema in schemas:
        for name in (config.target, *names):
            if schema.names.count(name) != 1:
                what = "no column" if name not in schema.names else "more than one column"
                raise BadInput(f"{path}: has {what} {name!r}; it has {told(schema.names)}")
        for name in names:
            _check_numeric(schema.field(name).type, name, path)
            if is_list(schema.field(name).type) != is_list(schemas[0][1].field(name).type):
                raise BadInput(f"{path}: feature {name!r} must be numbers or lists in all files, and differs here")
    return tuple(_column(name, kind, files, opened) for name in names)


def _check_numeric(kind: pa.DataType, name: str, path: str) -> None:
    if not is_numeric(inner(kind)):
        raise BadInput(
            f"{path}: feature {name!r} must hold numbers, got {kind}; turn it into numbers, "
            f"or list the columns to use under features"
        )


def _column(name: str, kind: Format, files: Sequence[_File], opened: Opener) -> Column:
    found = _schemas(files)[0][1].field(name).type
    if kind == "csv":
        return Column(name, _CSV_TYPES[str(found)])
    widths = (_width(path, name, opened) for path, _ in _schemas(files)) if is_list(found) else iter((1,))
    return Column(name, str(found), next((width for width in widths if width), 0))


def _width(path: str, name: str, opened: Opener) -> int:
    """Return how many numbers the first row of a file has in a column of lists."""
    with telling(path), opened(path) as file:
        import pyarrow.parquet as pq

        blocks = pq.ParquetFile(file).iter_batches(1, columns=[name], use_threads=False)
        return next((len(flat(block.column(0))) for block in blocks), 0)


def _target(name: str, files: Sequence[_File], origin: str) -> Kind:
    """Return what kind of values the target has in all Parquet files."""
    kinds = set[Kind]()
    for path, schema in _schemas(files):
        found = schema.field(name).type
        if (kind := target_kind(found)) is None:
            raise BadInput(f"{path}: target {name!r} must hold numbers or texts, got {found}")
        kinds.add(kind)
    if kinds == {"real", "whole"}:
        return "real"
    if len(kinds) > 1:
        raise BadInput(f"{origin}: target {name!r} must be the same in all files, got {' and '.join(sorted(kinds))}")
    return kinds.pop()


def _count(
    file: _File, kind: Format, target: str, features: Sequence[Column], discovery: Discovery, opened: Opener
) -> RowFile:
    """Return a file with its number of rows, its target noted on the way."""
    rows = 0
    if file.schema is not None:
        types = {target: "string"}
        if kind == "csv":  # whose features are read too: what is no number is told before anything starts
            types |= {column.name: column.kind for column in features}
        for first, block in read_blocks(file.path, kind, types, opened):
            discovery.add(block.column(target), file.path, first)
            rows = first + block.num_rows
    return RowFile(file.path, file.name, rows)


def _dtype(columns: Sequence[Column], files: Sequence[_File]) -> str:
    """Return what examples are kept as: bytes where all features are bytes, as of images, and else 32-bit numbers."""
    kinds = {str(inner(schema.field(column.name).type)) for _, schema in _schemas(files) for column in columns}
    return "uint8" if kinds == {"uint8"} else "float32"


def _shape(config: Sharded, columns: Sequence[Column], origin: str) -> tuple[int, ...]:
    numbers = sum(column.width for column in columns)
    shape = (numbers,) if config.shape is None else tuple(config.shape)
    if not numbers or np.prod(shape) != numbers:
        raise BadInput(f"{origin}: shape must be one of the {numbers} numbers in an example, got {list(shape)}")
    return shape


def _check_parts(shards: Shards, config: Sharded, origin: str) -> None:
    train, validation = shards.counts
    if not train:
        raise BadInput(f"{origin}: must hold rows to train on, and has {validation} for validation and no others")
    if not validation:
        where = (
            f"a share of {config.share} of {train} rows is none" if config.share else "validation_path holds no rows"
        )
        raise BadInput(f"{origin}: must leave rows for validation, and {where}; give more of them")


def _digest(shards: Shards, files: Sequence[_File]) -> str:
    """Return the SHA-256 of what is learnt from: of the content where it is small, else of names, sizes and marks."""
    told_of = asdict(replace(shards, train=(), validation=(), opened=None))  # type: ignore[arg-type]
    cheap = sum(file.size for file in files) <= CHEAP
    sha256 = hashlib.sha256(json.dumps(told_of, sort_keys=True).encode())
    for file in files:
        mark = _content(file.path, shards.opened) if cheap else file.mark
        sha256.update(json.dumps([file.name, file.size, mark]).encode())
    return sha256.hexdigest()


def _content(path: str, opened: Opener) -> str:
    with telling(path), opened(path) as file:
        return hashlib.sha256(file.read()).hexdigest()
