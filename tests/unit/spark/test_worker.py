"""What a Python worker holds of a batch inference."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, cast

import pytest
from pyspark import Broadcast

from tinderbox.config.inputs import Images
from tinderbox.inference.recipe import Recipe
from tinderbox.metrics.meter import NOBODY
from tinderbox.models.network import PackedModel
from tinderbox.spark import worker
from tinderbox.spark.worker import Worker


def test_a_worker_keeps_no_bytes_of_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the loaded model they would be as much memory again; another recipe finds them all the same."""
    packed = PackedModel("keras", b"bytes", "digest")
    (tmp_path / "broadcast").write_bytes(pickle.dumps(packed))
    model: Broadcast[Any] = Broadcast(path=str(tmp_path / "broadcast"))
    monkeypatch.setattr(worker, "find_labeller", lambda recipe, take, meter: take())
    work = Worker(Images(source="images", path="in"), 9, Recipe("m"), model, cast("Any", None))
    for _ in range(2):
        found: Any = work._labeller(NOBODY)
        assert found == packed
        assert "_value" not in vars(model)
