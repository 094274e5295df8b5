"""`tinderbox.predict`: a model over the rows of a Spark DataFrame, in a notebook or a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.api.inference import find_model, read_labels, trained_classes, with_logits
from tinderbox.api.recipes import make_recipe
from tinderbox.config import check_infer
from tinderbox.config.inputs import Rows
from tinderbox.config.spoken import plain
from tinderbox.errors import BadInput
from tinderbox.inference.rows import THUMBNAIL
from tinderbox.inference.sources import Files
from tinderbox.models.network import load_model
from tinderbox.models.packing import pack_loaded
from tinderbox.storage.fetching import fetched, opened

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_OWN = ("kind", "name", "input", "model", "storage", "output", "truth", "predict", "columns", "code")
"""Keys of a job file that mean nothing here, or that are arguments of their own."""


def predict(
    rows: DataFrame,
    model: Any,
    *,
    image: str | None = None,
    features: Sequence[str] | None = None,
    key: str = "path",
    labels: str | Sequence[str] | None = None,
    **options: Any,
) -> DataFrame:
    """Return, for each row of a DataFrame, what a model says of it; nothing runs before that is asked for.

    `image` is a column with a file's bytes, `features` are columns of numbers; without either it is an image in the
    column `content`, as Spark's `binaryFile` has it. `key` is the column that says in what comes out which row it is.
    `model` is a Keras model, the path or URL of one, or a mapping as under `model` in a job file; `labels` are names in
    the model's order, or the path of a file of them. `options` are further keys of a job file, such as `top`,
    `preprocess`, `logits`, `task` or `batch`, by default 32. Columns come as in a batch inference.

    Raises:
        BadInput: A column is missing, or model, labels and options do not fit each other; nothing was started.
    """
    for name in _OWN:
        if name in options:
            raise BadInput(f"tinderbox.predict: {name} is no option; leave it out, got {options[name]!r}")
    content = None if features else image or "content"
    named = model if isinstance(model, str | dict) else {"path": "in memory"}
    tree = {
        "kind": "infer",
        "name": "notebook",
        "model": named,
        "input": {"source": "parquet", "path": "in memory", "key": key, "image": content, "features": features},
        "labels": labels if isinstance(labels, str) else None,
        **options,
    }
    job = check_infer(plain(tree), "tinderbox.predict")
    packed = find_model(job, Path.cwd()) if isinstance(model, str | dict) else pack_loaded(model)
    names = tuple(labels) if labels is not None and not isinstance(labels, str) else read_labels(job, Path.cwd())
    job = with_logits(job, packed)
    batch = 32 if job.batch == "auto" else job.batch
    network = load_model(packed)
    recipe = make_recipe(job, packed, network, names or trained_classes(job, network))
    assert isinstance(job.input, Rows)  # noqa: S101 - made so above
    from tinderbox.spark.reading import select_columns
    from tinderbox.spark.streams import Stage

    stage = Stage(
        rows.sparkSession,
        job,
        replace(recipe, batch=batch, xla=job.xla is True, samples=0),
        packed,
        Files(opened, fetched),
    )
    return stage.predict(select_columns(rows, job.input, job.limits.bytes)).drop(THUMBNAIL)
