"""Targets: which are labels of classes and which are quantities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import BadInput


def encode(targets: Mapping[str, NDArray[Any]], origin: str) -> tuple[dict[str, NDArray[Any]], list[str] | None]:
    """Return the targets of all parts, labels as 0, 1, ... with the names of their classes, quantities as they are.

    Labels are whole numbers, truth values or texts, one for each example; their classes are sorted.

    Raises:
        BadInput: A target is missing, infinite, or neither number nor text.
    """
    plain = {part: _plain(y, origin) for part, y in targets.items()}
    values = np.concatenate(list(plain.values()))
    if values.dtype.kind == "f":
        _check_finite(values, origin)
    if values.dtype.kind == "f" or values.ndim > 1:
        return plain, None
    names, codes = np.unique(values, return_inverse=True)
    ends = np.cumsum([len(y) for y in plain.values()])[:-1]
    return dict(zip(plain, np.split(codes, ends), strict=True)), [str(name) for name in names]


def _plain(y: NDArray[Any], origin: str) -> NDArray[Any]:
    """Return targets as numbers or texts, one label for each example where they are a column of labels."""
    if y.dtype.kind == "O" and all(isinstance(value, str) for value in y.flat):
        y = y.astype(np.str_)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind in "biuU" and y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind not in "biufU" or (y.dtype.kind == "U" and y.ndim > 1):
        raise BadInput(
            f"{origin}: targets must be numbers, or one text for each example, got {y.dtype} of shape {y.shape}"
        )
    return y


def _check_finite(values: NDArray[Any], origin: str) -> None:
    broken = ~np.isfinite(values)
    if broken.any():
        example = int(np.argwhere(broken)[0][0])
        raise BadInput(
            f"{origin}: targets must be finite, got {values[broken][0]} for example {example}"
            f" ({broken.sum()} of {values.size} in all); remove or repair them"
        )
