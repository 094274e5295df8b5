"""Splits: which examples are held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import BadInput


def divide(
    y: NDArray[Any], shares: Mapping[str, float], seed: int, classes: list[str] | None, origin: str
) -> dict[str, NDArray[np.intp]]:
    """Return shuffled rows for each part named in `shares`, and for `train` the rest.

    Every part has the same mix of classes, where there are classes.

    Raises:
        BadInput: A part would be empty, or a class is too rare.
    """
    from sklearn.model_selection import train_test_split

    rest, parts = np.arange(len(y)), {}
    for part, count in _count(shares, len(y), origin).items():
        try:
            rest, parts[part] = train_test_split(
                rest, test_size=count, random_state=seed, stratify=None if classes is None else y[rest]
            )
        except ValueError as error:
            raise BadInput(f"{origin}: {_too_rare(y, classes or [])}") from error
    return parts | {"train": rest}


def _count(shares: Mapping[str, float], examples: int, origin: str) -> dict[str, int]:
    counts = {part: round(share * examples) for part, share in shares.items()}
    empty = [part for part, count in counts.items() if not count]
    if sum(counts.values()) >= examples:
        empty.append("train")
    if empty:
        raise BadInput(
            f"{origin}: split would leave {empty[0]} empty, got {examples} examples and the shares "
            f"{', '.join(f'{part} {share}' for part, share in shares.items())}; use other shares or more examples"
        )
    return counts


def _too_rare(y: NDArray[Any], classes: list[str]) -> str:
    counts = np.bincount(y, minlength=len(classes))
    rarest = int(counts.argmin())
    return (
        f"{len(y)} examples cannot be split with a share of each of {len(classes)} classes in every part "
        f"(class {classes[rarest]} has {counts[rarest]}); use larger shares or more examples, "
        f"or write the targets as real numbers (1.0) if they are a quantity"
    )
