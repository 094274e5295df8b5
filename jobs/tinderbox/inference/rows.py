"""What comes out: the columns of rows, and the batches that are made of predictions and of mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from tinderbox.inference.blocks import Block, Mistake
from tinderbox.inference.engine import Predictions
from tinderbox.inference.recipe import Recipe

if TYPE_CHECKING:
    import pyarrow as pa

THUMBNAIL = "thumbnail"
"""The column that is for the report, and no part of the rows that are kept."""


def schema(regression: bool, own: pa.Schema | None = None) -> pa.Schema:
    """Return the columns of rows; `own` are those that a user's function returns in the place of predictions."""
    import pyarrow as pa

    told = [pa.field("path", pa.string())]
    if own is not None:
        told += list(own)
    elif regression:
        told.append(pa.field("values", pa.list_(pa.float32())))
    else:
        told += [pa.field("label", pa.string()), pa.field("probability", pa.float32())]
        told += [pa.field("labels", pa.list_(pa.string())), pa.field("probabilities", pa.list_(pa.float32()))]
    told += [pa.field(name, pa.string()) for name in ("truth", "error", "reason", "model", "node")]
    return pa.schema([*told, pa.field("milliseconds", pa.float32()), pa.field(THUMBNAIL, pa.binary())])


def tell(predictions: Predictions, recipe: Recipe) -> dict[str, list[Any]]:
    """Return the columns that say what was predicted for n rows."""
    if predictions.classes is None:
        return {"values": list(predictions.scores)}
    if recipe.labels:
        names = np.asarray(recipe.labels, object)[predictions.classes]
    else:
        names = predictions.classes.astype(str).astype(object)
    return {
        "label": names[:, 0].tolist(),
        "probability": predictions.scores[:, 0].tolist(),
        "labels": names.tolist(),
        "probabilities": list(predictions.scores),
    }


def unread_table(columns: pa.Schema, paths: Sequence[str], place: Mapping[str, str], truth: bool) -> pa.Table:
    """Return the rows of files that were listed and could not be read, because nothing is in them."""
    import pyarrow as pa

    sentence = "the file is empty, or was deleted before it was read"
    block = Block([], np.empty(0), [Mistake(path, "empty", sentence) for path in paths])
    return pa.Table.from_batches([make_batch(columns, block, {}, 0.0, place, truth=truth)])


def make_batch(
    columns: pa.Schema,
    block: Block,
    told: Mapping[str, Sequence[Any]],
    seconds: float,
    place: Mapping[str, str],
    thumbnails: Sequence[bytes | None] = (),
    truth: bool = False,
) -> pa.RecordBatch:
    """Return a block's rows, those with a prediction first; `place` holds model and node, the same for all."""
    import pyarrow as pa

    good, bad = len(block.paths), len(block.mistakes)
    count = good + bad
    paths = [_text(path) for path in [*block.paths, *(mistake.path for mistake in block.mistakes)]]
    found: dict[str, Sequence[Any]] = {
        **dict.fromkeys(columns.names, [None] * count),
        "path": paths,
        "truth": [PurePosixPath(path).parent.name if truth and path is not None else None for path in paths],
        "error": [None] * good + [_text(mistake.sentence) for mistake in block.mistakes],
        "reason": [None] * good + [mistake.reason for mistake in block.mistakes],
        "milliseconds": [1e3 * seconds / max(count, 1)] * count,
        THUMBNAIL: [*(thumbnails or [None] * good), *[None] * bad],
        **{name: [value] * count for name, value in place.items()},
        **{name: [*values, *[None] * bad] for name, values in told.items()},
    }
    return pa.RecordBatch.from_arrays([pa.array(found[column.name], column.type) for column in columns], schema=columns)


def _text(told: str | None) -> str | None:
    """Return a text that a column can hold: names in archives need not be UTF-8, and keys may be null."""
    return None if told is None else told.encode(errors="replace").decode()
