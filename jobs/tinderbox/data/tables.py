"""Tables: CSV and Parquet files with a column to predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.config.data import Table
from tinderbox.data.refusal import refusing
from tinderbox.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd


def read_table(path: Path, table: Table) -> dict[str, NDArray[Any]]:
    """Return the features of a table as x of shape (rows, features) in 32 bits, and its target as y.

    A feature without a value is NaN; a target without one is refused.

    Raises:
        BadInput: The file cannot be read, a column is missing, or holds what it must not.
    """
    frame = _read_frame(path, table.source)
    features = _choose(frame, table, path)
    x = frame[features].to_numpy(dtype=np.float32, na_value=np.nan)
    return {"x": x, "y": _target(frame, table.target, path)}


def _read_frame(path: Path, source: str) -> pd.DataFrame:
    import pandas as pd

    with refusing(path):
        # The whole column decides its type, not a part of it: low_memory guesses block by block, and warns.
        return pd.read_csv(path, low_memory=False) if source == "csv" else pd.read_parquet(path)


def _choose(frame: pd.DataFrame, table: Table, path: Path) -> list[str]:
    """Return the columns to learn from, each of them numeric."""
    from pandas.api.types import is_numeric_dtype

    features = table.features or [name for name in frame.columns if name != table.target]
    for name in (table.target, *features):
        if name not in frame.columns:
            raise BadInput(f"{path}: has no column {name!r}; it has {', '.join(map(str, frame.columns))}")
    if table.target in features:
        raise BadInput(f"{path}: features must not list the target {table.target!r}, or there is nothing to learn")
    for name in features:
        if not is_numeric_dtype(frame[name]):
            raise BadInput(
                f"{path}: feature {name!r} must be numeric, got {frame[name].dtype} such as {_sample(frame[name])!r}; "
                f"turn it into numbers, or list the columns to use under features"
            )
    if not features:
        raise BadInput(f"{path}: has no column but the target {table.target!r}; add features to learn from")
    return features


def _sample(column: pd.Series[Any]) -> Any:
    """Return the first value that is there, and that is no number where numbers and texts are mixed."""
    import pandas as pd

    values = column.dropna()
    texts = values[pd.to_numeric(values, errors="coerce").isna()]
    return next(iter(texts if len(texts) else values), None)


def _target(frame: pd.DataFrame, name: str, path: Path) -> NDArray[Any]:
    missing = frame[name].isna()
    if missing.any():
        raise BadInput(
            f"{path}: target {name!r} must have a value in every row, and {missing.sum()} of {len(frame)} have none "
            f"(the first is row {int(missing.to_numpy().argmax()) + 1}); fill or remove them"
        )
    return frame[name].to_numpy()
