"""Splits: sizes, classes and what cannot be split."""

from __future__ import annotations

import numpy as np
import pytest

from tinderbox.data.splitting import divide
from tinderbox.errors import BadInput

SHARES = {"test": 0.2, "validation": 0.2}


def test_every_part_has_its_share_of_each_class() -> None:
    """A class of one tenth of the examples is one tenth of each part."""
    y = (np.arange(200) % 10 == 0).astype(int)
    parts = divide(y, SHARES, 0, ["often", "seldom"], "data")
    assert {part: (len(rows), int(y[rows].sum())) for part, rows in parts.items()} == {
        "train": (120, 12),
        "validation": (40, 4),
        "test": (40, 4),
    }


def test_shares_are_of_all_examples() -> None:
    """The second part drawn is as large as the first, not a share of what the first left."""
    parts = divide(np.zeros(10), SHARES, 0, None, "data")
    assert {part: len(rows) for part, rows in parts.items()} == {"train": 6, "validation": 2, "test": 2}


@pytest.mark.parametrize(
    ("count", "shares", "empty"),
    [(2, SHARES, "test"), (3, {"validation": 0.1}, "validation"), (2, {"validation": 0.9}, "train")],
)
def test_empty_part_is_refused(count: int, shares: dict[str, float], empty: str) -> None:
    """Too few examples for a share are refused with the part that would be empty."""
    with pytest.raises(BadInput, match=f"^data: split would leave {empty} empty, got {count} examples"):
        divide(np.zeros(count), shares, 0, None, "data")


@pytest.mark.parametrize(
    ("labels", "rarest"),
    [([0] * 19 + [1], "class b has 1"), ([0, 1] * 2, "class a has 2"), ([0] * 18 + [1] * 2, "class b has 2")],
)
def test_class_that_is_too_rare_is_refused(labels: list[int], rarest: str) -> None:
    """A class that cannot reach every part is named, with what to do."""
    with pytest.raises(BadInput) as caught:
        divide(np.array(labels), {"test": 0.3, "validation": 0.3}, 0, ["a", "b"], "data")
    assert f"({rarest})" in str(caught.value)
    assert "real numbers" in str(caught.value)
