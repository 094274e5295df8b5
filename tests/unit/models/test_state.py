"""A model's whole state in a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.models.state import read_members, restore, save_members, save_model, set_stream


@pytest.fixture
def model() -> Any:
    """A model with two random layers."""
    import keras

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.5, seed=3), keras.layers.Dense(4), keras.layers.Dropout(0.5, seed=4)]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_members_lie_beside_a_model(model: Any, tmp_path: Path) -> None:
    """And a part without a model has nothing else."""
    for save in (
        lambda file: save_model(model, file, {"a.json": b"1"}),
        lambda file: save_members({"a.json": b"1"}, file),
    ):
        path = tmp_path / "state"
        with path.open("wb") as file:
            save(file)
        assert read_members(path) == {"a.json": b"1"}
    buffer = io.BytesIO()
    save_model(model, buffer)
    path.write_bytes(buffer.getvalue())
    assert read_members(path) == {}


def test_streams_of_workers(model: Any, tmp_path: Path) -> None:
    """Differ by rank, and follow from the state of worker 0 as if the worker had drawn them itself."""

    def draw() -> Any:
        return np.asarray(model(np.ones((1, 4), np.float32), training=True))

    def begin(rank: int) -> None:
        restore(model, path)
        set_stream(model, rank)

    path = tmp_path / "state"
    with path.open("wb") as file:
        save_model(model, file)
    drawn = {}
    for rank in (0, 1, 2):
        begin(rank)
        drawn[rank] = [draw() for _ in range(8)]
    assert not np.array_equal(drawn[1], drawn[0])
    assert not np.array_equal(drawn[1], drawn[2])
    begin(0)
    for _ in range(3):
        draw()
    with path.open("wb") as file:
        save_model(model, file)
    for rank in (0, 1, 2):
        begin(rank)
        np.testing.assert_array_equal([draw() for _ in range(5)], drawn[rank][3:])
