"""Columns of rows as arrays: features as numbers, one after the other, and the target as classes or quantities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa


Kind = Literal["whole", "truth", "real", "text"]
"""What values of a target are."""


@dataclass(frozen=True)
class Column:
    """A column's name, the Arrow type that a CSV file's is read as, and how many numbers a row has in it."""

    name: str
    kind: str
    width: int = 1


def is_numeric(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are numbers, truth values among them."""
    import pyarrow as pa

    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
        or types.is_null(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are lists."""
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def inner(kind: pa.DataType) -> pa.DataType:
    """Return the type of what lists hold, lists of lists too, and any other type as it is."""
    while is_list(kind):
        kind = kind.value_type
    return kind


def target_kind(kind: pa.DataType) -> Kind | None:
    """Return what a target of an Arrow type is: real, whole, truth or text, and None for what no model predicts."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_floating(kind) or types.is_decimal(kind):
        return "real"
    if types.is_integer(kind):
        return "whole"
    if types.is_boolean(kind):
        return "truth"
    return "text" if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind) else None


def flat(column: pa.Array) -> pa.Array:
    """Return the numbers in lists of a column, one after the other; a column of numbers as it is."""
    while is_list(column.type):
        column = column.flatten()
    return column


def features_of(
    block: pa.RecordBatch, columns: Sequence[Column], dtype: np.dtype[Any], path: str, first: int
) -> NDArray[Any]:
    """Return the features of a block as an array of shape (rows, numbers); a number that is missing is NaN.

    Raises:
        BadInput: A list has another length than that of other rows, or a byte is missing.
    """
    parts = [_numbers(block.column(column.name), column, dtype, path, first) for column in columns]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _numbers(values: pa.Array, column: Column, dtype: np.dtype[Any], path: str, first: int) -> NDArray[Any]:
    import pyarrow as pa

    rows = len(values)
    if is_list(values.type):
        _check_lengths(values, column, path, first)
    values = flat(values)
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    if dtype == np.uint8 and values.null_count:
        raise BadInput(f"{path}: feature {column.name!r} must have a value in every row; fill or remove those without")
    values = values.cast(pa.from_numpy_dtype(dtype), safe=False)
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(rows, column.width)


def _check_lengths(values: pa.Array, column: Column, path: str, first: int) -> None:
    """Return if each row has a list of as many numbers as the column is wide."""
    lengths = np.full(len(values), column.width)
    if values.null_count or not is_even(values, column.width):
        lengths = np.array([flat_length(each) for each in values.to_pylist()], np.int64)
    wrong = np.flatnonzero(lengths != column.width)
    if len(wrong):
        raise BadInput(
            f"{path}: feature {column.name!r} must have {column.width} numbers in every row, "
            f"and row {first + wrong[0] + 1} has {lengths[wrong[0]]}; repair or remove it"
        )


def is_even(values: pa.Array, width: int) -> bool:
    """Whether all lists of a column hold as many numbers, however deep they are."""
    import pyarrow.compute as pc

    total = 1
    while is_list(values.type):
        lengths = pc.min_max(pc.list_value_length(values)).as_py()
        if values.null_count or lengths["min"] != lengths["max"]:
            return False
        total *= lengths["max"] or 0
        values = values.flatten()
    return total == width


def flat_length(value: Any) -> int:
    """Return how many numbers a list holds, lists of lists too; none where there is no list."""
    return sum(flat_length(each) if isinstance(each, list) else 1 for each in value or ())


def labels_of(column: pa.Array) -> pa.Array:
    """Return labels as the texts by which classes are called."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "True", "False")
    return column.cast(pa.string())


def target_of(column: pa.Array, classes: Sequence[str] | None, path: str, first: int) -> NDArray[Any]:
    """Return a block's target: classes as 0, 1, ... in 64 bits, quantities in 32.

    Raises:
        BadInput: A row has no target, one that is not finite, or one that is no class.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if classes is None:
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        refuse_rows(~np.isfinite(values), f"{path}: the target must be a finite number", first)
        return values.astype(np.float32)
    found = pc.index_in(labels_of(column), value_set=pa.array(list(classes), pa.string()))
    codes = np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False)).astype(np.int64)
    refuse_rows(codes < 0, f"{path}: the target must be one of {told(classes)}", first)
    return codes


def refuse_rows(wrong: NDArray[np.bool_], rule: str, first: int) -> None:
    """Return if no row of a block is wrong.

    Raises:
        BadInput: One is.
    """
    if wrong.any():
        raise BadInput(
            f"{rule} in every row, and in row {first + int(wrong.argmax()) + 1} it is not; repair or remove it"
        )


def told(names: Sequence[str]) -> str:
    """Return names as a message lists them, cut where there are many."""
    return ", ".join([*names[:10], *(["..."] if len(names) > 10 else [])])
