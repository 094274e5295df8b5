"""`tinderbox.train`: a training from a notebook or a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.api.train import run_train
from tinderbox.api.trained import TrainResult
from tinderbox.api.training import make_train_plan
from tinderbox.config import check_train
from tinderbox.config.spoken import plain
from tinderbox.data import Dataset, digest, from_arrays
from tinderbox.data.frames import from_table
from tinderbox.errors import BadInput
from tinderbox.models.packing import PackedModel, pack_loaded

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LARGEST_FRAME = 512 << 20
"""In bytes: how much of a DataFrame is brought into this process."""

BUILT_IN = ("lenet5", "convnet")


def train(
    model: Any,
    *,
    data: Any = "digits",
    epochs: int,
    workers: int = 2,
    mode: str | Mapping[str, Any] = "synchronous",
    parameters: Mapping[str, Any] | None = None,
    target: str | None = None,
    features: Sequence[str] | None = None,
    name: str = "notebook",
    fresh: bool = False,
    spark: SparkSession | None = None,
    **options: Any,
) -> TrainResult:
    """Train a model on several workers, and return the training.

    `model` is a function called as `build(shape, classes, **parameters)`, which returns a Keras model; or a Keras
    model, the name of a built-in one, the path or URL of a file, or a mapping as under `model` in a job file. `data` is
    the name of a built-in source, a mapping as under `data` in a job file, a mapping of arrays named `x_train`,
    `y_train` and so on (or `x` and `y`, which are split), or a Spark DataFrame, of which `target` is the column to
    predict, and `features`, by default all others, are those to learn from. `options` are further keys of a job file,
    such as `optimizer`, `batch` or `early_stopping`. A training of this `name` goes on, or is set aside where it is to
    be `fresh`. Without `spark` it runs on the session there is, or on this machine.

    Raises:
        BadInput: Something about the job cannot be run; nothing was started.
        TinderboxError: Attempts have failed again and again.
    """
    if "kind" in options:
        raise BadInput(f"tinderbox.train: kind is always train; leave it out, got {options['kind']!r}")
    named, build, network = speak_model(model, parameters)
    source, arrays = speak_data(data, target, features)
    tree = {
        "kind": "train",
        "name": name,
        "model": named,
        "data": source,
        "epochs": epochs,
        "workers": workers,
        "mode": mode,
        **options,
    }
    job = check_train(plain(tree), "tinderbox.train")
    plan = make_train_plan(job, Path.cwd(), arrays, build, network)
    return run_train(plan, spark=spark or getattr(data, "sparkSession", None), fresh=fresh)


def speak_model(
    model: Any, parameters: Mapping[str, Any] | None
) -> tuple[dict[str, Any], Callable[..., Any] | None, PackedModel | None]:
    """Return what a job file says of a model, and the function or the model itself where it is at hand.

    Raises:
        BadInput: It is nothing that could be trained.
    """
    given = {} if parameters is None else {"parameters": dict(parameters)}
    if isinstance(model, str):
        return {"name" if model in BUILT_IN else "path": model, **given}, None, None
    if isinstance(model, Mapping):
        return {**model, **given}, None, None
    if hasattr(model, "trainable_variables"):  # a function is callable, too
        return {"path": "in memory", **given}, None, pack_loaded(model)
    if not callable(model):
        raise BadInput(
            "tinderbox.train: model must be a build function, a Keras model, a name, a path or a mapping, "
            f"got {type(model).__name__}"
        )
    called = getattr(model, "__name__", type(model).__name__).strip("<>")
    return {"build": f"notebook:{called}", **given}, model, None


def speak_data(data: Any, target: str | None, features: Sequence[str] | None) -> tuple[Any, Dataset | None]:
    """Return what a job file says of data, and the data set itself where it is at hand.

    Raises:
        BadInput: It is no data, does not fit together, or is too large to be brought here.
    """
    if hasattr(data, "sparkSession"):
        from tinderbox.spark.collecting import collect

        origin = "tinderbox.train: the DataFrame"
        table, chosen = collect(data, target, features, LARGEST_FRAME, origin)
        return _held(from_arrays(from_table(table, str(target), chosen, origin), origin=origin))
    for key, value in (("target", target), ("features", features)):
        if value is not None:
            raise BadInput(f"tinderbox.train: {key} names columns of a DataFrame; leave it out, got {value!r}")
    if isinstance(data, str):
        return {"source": data}, None
    if not isinstance(data, Mapping):
        raise BadInput(
            "tinderbox.train: data must be a name, a mapping of arrays, a mapping as in a job file, or a Spark "
            f"DataFrame, got {type(data).__name__}"
        )
    return (data, None) if "source" in data else _held(from_arrays(data))


def _held(data: Dataset) -> tuple[dict[str, Any], Dataset]:
    return {"source": "memory", "digest": digest(data)}, data
