"""How much of an input is read at a time."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tinderbox.config import check_infer
from tinderbox.spark.reading import find_volume

NUMBERS = {"source": "csv", "path": "in", "features": ["x"]}
IMAGES = {"source": "parquet", "path": "in", "image": "bytes"}


@pytest.mark.parametrize(
    ("source", "limits", "volume"),
    [
        (NUMBERS, {}, 16 << 20),
        (NUMBERS, {"volume": 1 << 30}, 1 << 30),
        (IMAGES, {}, 256 << 20),
        ("all.tar", {"volume": 7}, 7),
    ],
)
def test_the_bytes_of_a_micro_batch(source: Any, limits: dict[str, int], volume: int) -> None:
    """Numbers make many rows of few bytes, all of which the driver holds; a job that says how much has its way."""
    tree = {"kind": "infer", "name": "all", "model": "m", "input": source, "limits": limits}
    assert find_volume(cast("Any", None), check_infer(tree, "test")) == volume
