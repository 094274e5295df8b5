"""Rows of Parquet and CSV files, block by block, wherever the files are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import BadInput, TinderboxError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

Opener = Callable[[str], AbstractContextManager[BinaryIO]]
"""Lends a file by its path or URL for reading, in any order."""

Format = Literal["parquet", "csv"]
Blocks = Iterator[tuple[int, "pa.RecordBatch"]]
"""Blocks of rows, each with the number of its first one, from 0."""

ROWS = 8192
"""Of a block of a Parquet file, at most."""


@contextmanager
def telling(path: str) -> Iterator[None]:
    """Turn what is wrong with a file into one sentence.

    Raises:
        BadInput: It is not there, must not be read, or is broken.
        TinderboxError: The way to it is, which another attempt may not find so.
    """
    try:
        yield
    except TinderboxError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BadInput(f"{path} is not there; give a path or URL that is, on every machine of a worker") from error
    except PermissionError as error:
        raise BadInput(f"{path} must not be read: {error}; give a path or another URL") from error
    except OSError as error:
        if type(error) is not OSError or error.errno is not None:  # what Arrow raises for a broken file is plain
            raise TinderboxError(f"{path} cannot be read: {error}; start again once it can") from error
        raise BadInput(_broken(path, error)) from error
    except Exception as error:  # whatever a library raises
        raise BadInput(_broken(path, error)) from error


def _broken(path: str, error: Exception) -> str:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f"{path} cannot be read: {reason}; write it anew, or leave it out"


def schema_of(path: str, kind: Format, opened: Opener) -> pa.Schema | None:
    """Return the columns of a file and their types, as the first block of a CSV file looks; None for an empty one.

    Raises:
        BadInput: The file is not there, or is broken.
    """
    with telling(path), opened(path) as file:
        if kind == "parquet":
            import pyarrow.parquet as pq

            return pq.ParquetFile(file).schema_arrow
        reader = _open_csv(file, path, None)
        return None if reader is None else reader.schema


def count_parquet(path: str, opened: Opener) -> int:
    """Return how many rows a Parquet file has, by what stands at its end.

    Raises:
        BadInput: The file is not there, or is broken.
    """
    import pyarrow.parquet as pq

    with telling(path), opened(path) as file:
        return int(pq.ParquetFile(file).metadata.num_rows)


def read_blocks(
    path: str, kind: Format, types: Mapping[str, str], opened: Opener, wanted: NDArray[np.int64] | None = None
) -> Blocks:
    """Yield the columns that `types` names, those of a CSV file as these Arrow types.

    Of a file of which only some rows are `wanted`, by their sorted numbers, blocks without any may be left out.

    Raises:
        BadInput: The file is not there, is broken, or lacks a column.
    """
    with telling(path), opened(path) as file:
        blocks = _of_parquet(file, types, wanted) if kind == "parquet" else _of_csv(file, path, types, wanted)
        yield from blocks


def _of_parquet(file: BinaryIO, types: Mapping[str, str], wanted: NDArray[np.int64] | None) -> Blocks:
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(file)
    begin = 0
    for group in range(parquet.num_row_groups):
        end = begin + parquet.metadata.row_group(group).num_rows
        if wanted is None or np.searchsorted(wanted, begin) < np.searchsorted(wanted, end):
            first = begin
            for block in parquet.iter_batches(ROWS, [group], list(types), use_threads=False):
                yield first, block
                first += block.num_rows
        begin = end


def _of_csv(file: BinaryIO, path: str, types: Mapping[str, str], wanted: NDArray[np.int64] | None) -> Blocks:
    first = 0
    for block in _open_csv(file, path, types) or ():
        if wanted is not None and (not len(wanted) or first > wanted[-1]):
            return
        yield first, block
        first += block.num_rows


def _open_csv(file: BinaryIO, path: str, types: Mapping[str, str] | None) -> csv.CSVStreamingReader | None:
    """Return a reader of a CSV file whose first line names its columns; None where there is no such line."""
    import pyarrow as pa
    from pyarrow import csv

    source: Any = pa.CompressedInputStream(file, "gzip") if path.endswith(".gz") else pa.PythonFile(file, "r")
    options = csv.ConvertOptions(strings_can_be_null=True)
    if types is not None:
        options.column_types = {name: pa.type_for_alias(kind) for name, kind in types.items()}
        options.include_columns = list(types)
    try:
        return csv.open_csv(source, csv.ReadOptions(use_threads=False), csv.ParseOptions(), options)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return None
        raise
