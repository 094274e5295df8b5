"""Data sets: training, validation and test examples as arrays, from whatever source a job names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.config.data import AnyTrainData, Memory, Mnist, Sharded, Split
from tinderbox.data.sources import read
from tinderbox.data.splitting import divide
from tinderbox.data.targets import encode
from tinderbox.errors import BadInput

_DEFAULT_SPLIT = Split()
_PARTS = ("train", "validation", "test")
_NAMES = ["x", "y", *(f"{axis}_{part}" for part in _PARTS for axis in "xy")]


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs `x` and targets `y`, both of shape (examples, ...)."""

    x: NDArray[Any]
    y: NDArray[Any]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The examples to learn from, to compare trials on, and, in the driver only, to score the best one on.

    `classes` names the labels 0, 1, ... of a classification; it is None where targets are quantities.
    """

    train: Examples
    validation: Examples
    test: Examples | None
    classes: list[str] | None


def load(config: AnyTrainData, base: Path, functions: Callable[[str], Any]) -> Dataset:
    """Return the data set that a job names.

    Relative paths start at `base`, the job file's folder; `functions` turns `module:function` into the function.
    Whole numbers and texts as targets are classes, of which every part gets its share; real numbers are quantities.

    Raises:
        BadInput: The data cannot be read, does not fit together, or cannot be split, or they are shards.
    """
    if isinstance(config, Sharded):
        raise BadInput(
            f"{config.path}: shards are read by the workers of a training, rows of its own by each; "
            "use source parquet or csv here, which one machine reads whole"
        )
    origin, arrays = read(config, base, functions)
    return from_arrays(arrays, _DEFAULT_SPLIT if isinstance(config, Mnist | Memory) else config.split, origin)


def from_arrays(arrays: Mapping[str, Any], split: Split = _DEFAULT_SPLIT, origin: str = "data") -> Dataset:
    """Return the data set in arrays named x and y, or x_train, y_train and any of x_validation ... y_test.

    What is not held out is drawn from the training examples by `split`; `origin` names the arrays in messages.

    Raises:
        BadInput: The arrays do not fit together, or cannot be split.
    """
    parts = _pair({str(name): _array(str(name), values, origin) for name, values in arrays.items()}, origin)
    targets, classes = encode({part: examples.y for part, examples in parts.items()}, origin)
    parts = {part: Examples(examples.x, targets[part]) for part, examples in parts.items()}
    parts |= _hold_out(parts, split, classes, origin)
    return Dataset(parts["train"], parts["validation"], parts.get("test"), classes)


def _array(name: str, values: Any, origin: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{origin}: {name} must be an array with examples of one shape, got {error}") from error


def _pair(arrays: Mapping[str, NDArray[Any]], origin: str) -> dict[str, Examples]:
    """Return the parts that there are; all examples are the `train` part where nothing is held out yet."""
    unknown = [name for name in arrays if name not in _NAMES]
    if unknown:
        raise BadInput(f"{origin}: has no use for {unknown[0]!r}; arrays are named {', '.join(_NAMES)}")
    whole = [name for name in arrays if name in ("x", "y")]
    if whole and len(arrays) > len(whole):
        raise BadInput(f"{origin}: has {whole[0]} beside {_other(arrays)}; give x and y, or x_train and y_train")
    suffixes = {"train": ""} if whole else {part: f"_{part}" for part in _PARTS if _has(arrays, part)}
    if "train" not in suffixes:
        raise BadInput(f"{origin}: has nothing to train on, got {', '.join(arrays) or 'no arrays'}; add x and y")
    parts = {part: _examples(arrays, suffix, origin) for part, suffix in suffixes.items()}
    for part, examples in parts.items():
        _check_alike(parts["train"], examples, part, origin)
    return parts


def _has(arrays: Mapping[str, NDArray[Any]], part: str) -> bool:
    return f"x_{part}" in arrays or f"y_{part}" in arrays


def _other(arrays: Mapping[str, NDArray[Any]]) -> str:
    return next(name for name in arrays if name not in ("x", "y"))


def _examples(arrays: Mapping[str, NDArray[Any]], suffix: str, origin: str) -> Examples:
    for name in (f"x{suffix}", f"y{suffix}"):
        if name not in arrays:
            raise BadInput(f"{origin}: has no {name}, got {', '.join(arrays)}; inputs x and targets y come in pairs")
        if not arrays[name].shape or not len(arrays[name]):
            raise BadInput(f"{origin}: {name} must hold examples, got shape {arrays[name].shape}")
    x, y = arrays[f"x{suffix}"], arrays[f"y{suffix}"]
    if x.dtype.kind not in "biuf":
        raise BadInput(f"{origin}: x{suffix} must hold numbers, got {x.dtype}; turn it into numbers first")
    if len(x) != len(y):
        raise BadInput(f"{origin}: x{suffix} and y{suffix} must be equally long, got {len(x)} and {len(y)}")
    return Examples(x, y)


def _check_alike(train: Examples, other: Examples, part: str, origin: str) -> None:
    for axis in ("x", "y"):
        ours, theirs = getattr(train, axis).shape[1:], getattr(other, axis).shape[1:]
        if ours != theirs:
            raise BadInput(f"{origin}: {axis}_train and {axis}_{part} must be alike, got shapes {ours} and {theirs}")


def _hold_out(
    parts: Mapping[str, Examples], split: Split, classes: list[str] | None, origin: str
) -> dict[str, Examples]:
    """Return the parts that are missing, drawn from the training examples, and the training examples left."""
    shares = {"test": split.test, "validation": split.validation}
    missing = {part: share for part, share in shares.items() if share and part not in parts}
    if not missing:
        return {}
    train = parts["train"]
    rows = divide(train.y, missing, split.seed, classes, origin)
    return {part: Examples(train.x[indices], train.y[indices]) for part, indices in rows.items()}
