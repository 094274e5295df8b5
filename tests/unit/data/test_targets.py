"""Targets: labels become numbers, quantities stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tinderbox.data.targets import encode
from tinderbox.errors import BadInput


@pytest.mark.parametrize(
    ("y", "codes", "classes"),
    [
        (np.array([5, 3, 5], np.uint8), [1, 0, 1], ["3", "5"]),
        (np.array(["b", "a", "b"]), [1, 0, 1], ["a", "b"]),
        (np.array(["b", "a", "b"], object), [1, 0, 1], ["a", "b"]),
        (np.array([b"b", b"\xc3\xa4"]), [0, 1], ["b", "ä"]),
        (np.array([True, False]), [1, 0], ["False", "True"]),
        (np.array([[5], [3]]), [1, 0], ["3", "5"]),
    ],
)
def test_labels_become_numbers_from_0(y: np.ndarray, codes: list[int], classes: list[str]) -> None:
    """Whole numbers, texts and truth values are classes in sorted order."""
    targets, names = encode({"train": y}, "data")
    assert targets["train"].tolist() == codes
    assert names == classes


@pytest.mark.parametrize("y", [np.array([1.0, 2.0]), np.array([[1.0], [2.0]]), np.array([[0, 1], [1, 0]])])
def test_quantities_stay_as_they_are(y: np.ndarray) -> None:
    """Real numbers, and several numbers for one example, are no classes."""
    targets, names = encode({"train": y}, "data")
    assert names is None
    assert targets["train"] is y


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (np.array([1.0, np.nan, np.nan]), "targets must be finite, got nan for example 1 (2 of 3 in all)"),
        (np.array([1.0, np.inf]), "targets must be finite, got inf for example 1 (1 of 2 in all)"),
        (np.array([None, "a"], object), "targets must be numbers, or one text for each example, got object"),
        (np.array(["2026-01-01"], "M8[D]"), "targets must be numbers, or one text for each example, got datetime64[D]"),
        (np.array([["a", "b"]]), "targets must be numbers, or one text for each example, got <U1 of shape (1, 2)"),
    ],
)
def test_what_is_no_target_is_refused(y: Any, sentence: str) -> None:
    """Missing, infinite and other targets are refused with the value got."""
    with pytest.raises(BadInput) as caught:
        encode({"train": y}, "data")
    assert str(caught.value).startswith(f"data: {sentence}")
