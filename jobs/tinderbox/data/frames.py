"""Rows of a data frame, as an Arrow table, as the arrays of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.data.columns import Column, features_of, flat, inner, is_list, is_numeric, target_kind, told
from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa


def choose_columns(names: Sequence[str], target: str | None, features: Sequence[str] | None, origin: str) -> list[str]:
    """Return the columns to learn from: those that are named, or all but the target.

    Raises:
        BadInput: The target is not named, a column is not there, or nothing is left to learn from.
    """
    if target is None:
        raise BadInput(f"{origin}: target must name the column to predict, one of {told(list(names))}")
    chosen = [name for name in names if name != target] if features is None else list(features)
    for name in (target, *chosen):
        if name not in names:
            raise BadInput(f"{origin}: has no column {name!r}; it has {told(list(names))}")
    if target in chosen:
        raise BadInput(f"{origin}: features must not list the target {target!r}, or there is nothing to learn")
    if not chosen:
        raise BadInput(f"{origin}: has no column but the target {target!r}; add features to learn from")
    return chosen


def width_of(column: pa.ChunkedArray, name: str, origin: str) -> int:
    """Return how many numbers a row has in a column, by its first row.

    Raises:
        BadInput: The column holds no numbers.
    """
    if not is_numeric(inner(column.type)):
        raise BadInput(f"{origin}: feature {name!r} must hold numbers, got {column.type}; turn it into numbers first")
    return len(flat(column.slice(0, 1).combine_chunks())) if is_list(column.type) else 1


def from_table(table: pa.Table, target: str, features: Sequence[str], origin: str) -> dict[str, NDArray[Any]]:
    """Return x of shape (rows, numbers), the features one after the other, and y, as `from_arrays` takes them.

    A number that is missing is NaN; a target that is missing is refused.

    Raises:
        BadInput: A feature holds no numbers, or as many in not every row, or the target holds what no model predicts.
    """
    columns = [Column(name, "", width_of(table.column(name), name, origin)) for name in features]
    kinds = {str(inner(table.column(name).type)) for name in features}
    dtype = np.dtype(np.uint8 if kinds == {"uint8"} else np.float32)
    parts, first = [], 0
    for block in table.to_batches():
        parts.append(features_of(block, columns, dtype, origin, first))
        first += block.num_rows
    return {"x": np.concatenate(parts), "y": _target(table.column(target), target, origin)}


def _target(column: pa.ChunkedArray, name: str, origin: str) -> NDArray[Any]:
    if target_kind(column.type) is None:
        raise BadInput(f"{origin}: target {name!r} must hold numbers or texts, got {column.type}")
    if column.null_count:
        raise BadInput(
            f"{origin}: target {name!r} must have a value in every row, and {column.null_count} of {len(column)} have "
            "none; fill or remove them"
        )
    return np.asarray(column.to_numpy())
