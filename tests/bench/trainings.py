"""Trainings of LeNet-5 on MNIST for the bench, each by the command that a person types."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tinderbox.api.trained import TrainResult, open_training
from tinderbox.config.reading import write_job
from tinderbox.data.idx import read_mnist

DATA = Path(os.environ.get("TINDERBOX_DATA", Path(__file__).parents[3] / "shared" / "data"))
RATE = 0.05


def write_mnist(path: Path, images: int = 60_000, held: int = 10_000) -> dict[str, Any]:
    """Write MNIST's first training images, and its first test images to validate with; return a job's data.

    The sources that we are measured against have validated with the test images, and chosen nothing by them.
    """
    arrays = read_mnist(DATA / "mnist", 1)
    whole = {axis: np.concatenate([arrays[f"{axis}_validation"], arrays[f"{axis}_train"]]) for axis in "xy"}
    np.savez(
        path,
        x_train=whole["x"][:images],
        y_train=whole["y"][:images],
        x_validation=arrays["x_test"][:held],
        y_validation=arrays["y_test"][:held],
    )
    return {"source": "npz", "path": str(path), "split": {"validation": 0.1, "test": 0.0}}


def train(folder: Path, name: str, **keys: Any) -> TrainResult:
    """Run a training in a folder to its end, on this machine, and return what is left of it."""
    optimizer = {"name": "sgd", "learning_rate": RATE}
    tree = {"kind": "train", "name": name, "model": "lenet5", "optimizer": optimizer, "storage": str(folder)}
    path = folder / f"{name}.yaml"
    path.write_text(write_job(tree | keys))
    with (folder / f"{name}.log").open("w") as log:
        command = [sys.executable, "-m", "tinderbox", "train", str(path)]
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, (folder / f"{name}.log").read_text()
    return open_training(name, str(folder))


def epoch_seconds(result: TrainResult) -> list[float]:
    """Return the seconds of each epoch but the first, with all that it takes: validation and checkpoint, too."""
    return [after.time - before.time for before, after in pairwise(result.record.history)]


def step_times(result: TrainResult) -> list[float]:
    """Return the milliseconds of a step in each epoch but the first, in which graphs are built."""
    pairs = pairwise(result.record.history)
    return [1e3 * after.seconds / (after.step - before.step) for before, after in pairs]
