"""Rows of a batch inference as files: Parquet, CSV and JSON lines."""

from __future__ import annotations

import base64
import io
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST_BLOCK = (1 << 31) - 1


def encode(table: pa.Table, suffix: str, width: int) -> bytes:
    """Return rows as a file of the kind that a suffix names: parquet, csv or jsonl.

    A CSV file has `width` columns for each list, and JSON null for a number that is not finite.
    """
    sink = io.BytesIO()
    if suffix == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, sink, compression="zstd")
    elif suffix == "csv":
        from pyarrow import csv

        csv.write_csv(flatten(table, width), sink)
    else:
        for row in table.to_pylist():
            sink.write(json.dumps(_finite(row), ensure_ascii=False, default=_told).encode() + b"\n")
    return sink.getvalue()


def paths_of(content: bytes, suffix: str) -> list[str]:
    """Return the paths of the rows in a file that `encode` made, however large a row is.

    Arrow's readers of text take blocks of 1 MiB, and refuse a row that is larger than two of them.
    """
    import pyarrow as pa

    if suffix == "jsonl":
        return [json.loads(line)["path"] for line in content.split(b"\n") if line]
    if suffix == "parquet":
        import pyarrow.parquet as pq

        found = pq.read_table(pa.BufferReader(content), columns=["path"])
    else:
        from pyarrow import csv

        found = csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(block_size=min(len(content) + 1, _LARGEST_BLOCK)),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(include_columns=["path"], column_types={"path": pa.string()}),
        )
    paths: list[str] = found["path"].to_pylist()
    return paths


def flatten(table: pa.Table, width: int) -> pa.Table:
    """Return rows whose lists are columns, `labels_1` to `labels_WIDTH`: CSV holds no lists.

    Files of one folder are read together, so they have the same columns even where all rows of one are broken.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        if not pa.types.is_list(column.type):
            columns[name] = column
            continue
        whole = pc.if_else(pc.equal(pc.list_value_length(column), width), column, None)
        for index in range(width):
            columns[f"{name}_{index + 1}"] = pc.list_element(whole, index)
    return pa.table(columns)


def _finite(value: Any) -> Any:
    """Return a value in which null is in the place of numbers that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


def _told(value: Any) -> str:
    """Return the text of a value that JSON has no type for: bytes in Base64, others as Python writes them."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
