"""A training on tables in shards, by the command: each worker reads rows of its own, of uneven files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits

from tinderbox.api.trained import open_training

JOB = """
kind: train
name: rows
model: {{build: networks:build}}
code: .
data: {{source: shards, path: rows, target: digit, shape: [8, 8, 1]}}
optimizer: {{name: adam, learning_rate: 0.01}}
batch: 32
epochs: 4
workers: 2
mode: {mode}
"""

CODE = """
def build(shape, classes):
    import keras

    layers = keras.layers
    front = [layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(classes)]
    return keras.Sequential([keras.Input(shape), *front])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A person's folder: digits in three files, of which one is much larger than the others, and a network."""
    (tmp_path / "networks.py").write_text(CODE)
    (tmp_path / "rows").mkdir()
    digits = load_digits()
    pixels = pa.array(digits.images.reshape(-1, 64).astype(np.uint8).tolist(), pa.list_(pa.uint8(), 64))
    table = pa.table({"pixels": pixels, "digit": [f"digit {label}" for label in digits.target]})
    for number, (begin, end) in enumerate([(0, 100), (100, 1700), (1700, 1797)]):
        pq.write_table(table[begin:end], tmp_path / "rows" / f"{number}.parquet", row_group_size=256)
    return tmp_path


@pytest.mark.parametrize("mode", ["synchronous", "averaging"])
@pytest.mark.timeout(600)
def test_workers_learn_from_rows_of_their_own(folder: Path, mode: str) -> None:
    """Every row that is not held out is learnt from in every epoch, and the model knows the others."""
    (folder / "rows.yaml").write_text(JOB.format(mode=mode))
    command = [sys.executable, "-m", "tinderbox", "train", "rows.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
    result = open_training("rows", str(folder / "studies"))
    examples = [row.examples for row in result.record.history]
    assert len(set(examples)) == 1
    held = 1797 - examples[0]
    assert 100 < held < 270, "about a tenth"
    assert sum(map(sum, json.loads(result.folder.read("confusion.json")))) == held
    assert result.metrics["val_top1"] > 0.9
    assert result.classes == [f"digit {label}" for label in range(10)]
