"""Which validation examples were taken for what: whole for a few classes, the worst of it for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinderbox.report.summary import Bar
from tinderbox.report.wording import count, percent
from tinderbox.training.confusion import LARGEST

WHOLE = 20
"""Up to so many classes all of it is shown."""
PAIRS = 20
"""How many kinds of mistakes are shown of more."""
WORST = 20
"""How many classes are shown of more."""


SMALL = 5.0
"""In percent of a class: mistakes that are less than that do not get the deepest color."""


@dataclass(frozen=True)
class Cell:
    """What examples of one class were taken for: `share` is that of the class in percent.

    `depth` is that of its color, in percent: of what is right the share, of mistakes beside the largest one, if that is
    not a small one.
    """

    text: str
    share: float
    depth: float
    is_right: bool


@dataclass(frozen=True)
class Line:
    """One class: how often it was taken for which, how many examples it has, and how many of them are right."""

    name: str
    cells: tuple[Cell, ...]
    examples: str
    right: str


@dataclass(frozen=True)
class Confusion:
    """A confusion as it is shown: `lines` for a few classes, else the `pairs` confused most and the `worst` classes."""

    sentence: str
    names: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    pairs: tuple[Bar, ...] = ()
    worst: tuple[Bar, ...] = ()


def confusion(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> Confusion | None:
    """Return what to show of counts with a row for each truth; None where no example is counted.

    Of classes that are too many to be counted it says so. Classes that have no name, `classes` being shorter, are
    called by their number.
    """
    names = tuple(classes[index] if index < len(classes) else str(index) for index in range(len(matrix)))
    total, right = sum(map(sum, matrix)), sum(row[index] for index, row in enumerate(matrix))
    if not total and len(classes) > LARGEST:
        return Confusion(
            f"What is taken for what is counted for at most {LARGEST:,} classes, and here are {len(classes):,}."
        )
    if not total:
        return None
    told = f"Of {count(total, 'validation example')} {right:,} were taken for what they are: {percent(right, total)}."
    if len(matrix) <= WHOLE:
        told += " Each line is a class, and says for what its examples were taken."
        return Confusion(told, names, _lines(matrix, names))
    if right == total:
        return Confusion(told)
    pairs = _pairs(matrix, names)
    shown = f"the {PAIRS} mistakes made most often" if len(pairs) == PAIRS else "all mistakes"
    told += f" Of its {len(matrix):,} classes this shows {shown}."
    return Confusion(told, names, pairs=pairs, worst=_worst(matrix, names))


def _lines(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[Line, ...]:
    shares = [[100 * amount / (sum(row) or 1) for amount in row] for row in matrix]
    mistakes = [share for truth, row in enumerate(shares) for taken, share in enumerate(row) if taken != truth]
    largest = max([*mistakes, SMALL])
    return tuple(
        Line(
            names[truth],
            tuple(
                Cell(
                    f"{amount:,}" if amount else "",
                    round(share, 1),
                    _depth(share, largest, taken == truth),
                    taken == truth,
                )
                for taken, (amount, share) in enumerate(zip(row, shares[truth], strict=True))
            ),
            f"{sum(row):,}",
            percent(row[truth], sum(row)),
        )
        for truth, row in enumerate(matrix)
    )


def _depth(share: float, largest: float, is_right: bool) -> float:
    return round(0.6 * share if is_right else 60 * share / largest, 1)


def _pairs(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[Bar, ...]:
    """Return truth, what it was taken for, how often, and the share of that truth."""
    found = [
        (amount, truth, taken)
        for truth, row in enumerate(matrix)
        for taken, amount in enumerate(row)
        if amount and taken != truth
    ]
    found.sort(key=lambda pair: (-pair[0], pair[1:]))
    return tuple(
        Bar(
            (names[truth], names[taken], f"{amount:,}", percent(amount, sum(matrix[truth]))),
            100 * amount / found[0][0],
        )
        for amount, truth, taken in found[:PAIRS]
    )


def _worst(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[Bar, ...]:
    """Return the classes of whose examples the least share is right, with how many they are."""
    shares = [(row[index] / sum(row), index) for index, row in enumerate(matrix) if sum(row)]
    return tuple(
        Bar((names[index], f"{sum(matrix[index]):,}", percent(share, 1)), 100 * share)
        for share, index in sorted(shares)[:WORST]
    )
