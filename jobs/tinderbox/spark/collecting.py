"""A DataFrame's rows brought into this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame

from tinderbox.data.frames import choose_columns, width_of
from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER = 8
"""In bytes: what a number takes on its way."""


def collect(
    frame: DataFrame, target: str | None, features: Sequence[str] | None, most: int, origin: str
) -> tuple[pa.Table, list[str]]:
    """Return a DataFrame's target and features as a table, and which the features are.

    Raises:
        BadInput: A column is missing, or holds no numbers, there are no rows, or they are more than `most` bytes.
    """
    chosen = choose_columns(frame.columns, target, features, origin)
    wanted = frame.select(*(f"`{name}`" for name in (target, *chosen)))
    rows, sample = wanted.count(), wanted.limit(1).toArrow()
    if not rows:
        raise BadInput(f"{origin}: has no rows; there is nothing to learn from")
    size = rows * NUMBER * (1 + sum(width_of(sample.column(name), name, origin) for name in chosen))
    if size > most:
        raise BadInput(
            f"{origin}: has {rows:,} rows, about {size >> 20:,} MiB, and at most {most >> 20:,} MiB are brought to the "
            "driver; write it as Parquet, and give data={'source': 'shards', 'path': ..., 'target': ...}"
        )
    return wanted.toArrow(), chosen
