"""Records the curves that `regret` looks up: the Databricks grid on scikit-learn's digits, once.

Run by hand: `python -m tests.bench.record`, about ten minutes on two cores; it writes digits.json beside this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.bench.studies import HERE
from tinderbox.api.plan import make_plan
from tinderbox.api.sweep import run
from tinderbox.config import check_sweep
from tinderbox.data import Dataset, Examples

TABLE = Path(__file__).with_name("digits.json")
EPOCHS = 10
SPACE = {
    "learning_rate": {"type": "float", "low": 0.001, "high": 1, "log": True, "grid": 13},
    "width": {"type": "int", "low": 64, "high": 1024, "log": True, "grid": [64, 128, 256, 512, 1024]},
}


def record(folder: str) -> list[dict[str, Any]]:
    """Run the grid and return, for each point, its parameters and its validation and test accuracies by epoch."""
    tree = {
        "kind": "sweep",
        "name": "record",
        "objective": "functions:digits",
        "code": ".",
        "metric": {"name": "val_accuracy", "direction": "maximize"},
        "parameters": SPACE,
        "search": "grid",
        "epochs": EPOCHS,
        "seed": 1,
        "storage": folder,
    }
    job = check_sweep(tree, "the record")
    study = run(make_plan(job, HERE, data=join_test(make_plan(job, HERE).data))).record
    return [
        {
            "parameters": trial.parameters,
            "validation": [round(value, 4) for _, value in trial.curve("val_accuracy")],
            "test": [round(value, 4) for _, value in trial.curve("test_accuracy")],
        }
        for trial in study.trials.values()
    ]


def join_test(data: Dataset) -> Dataset:
    """Return a data set whose validation examples are followed by the test examples, for the function to tell apart."""
    validation, test = data.validation, data.test
    assert test is not None
    assert len(test) == len(validation)
    joined = Examples(np.concatenate([validation.x, test.x]), np.concatenate([validation.y, test.y]))
    return Dataset(data.train, joined, None, data.classes)


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        TABLE.write_text(json.dumps(record(scratch), indent=None, separators=(",", ":")) + "\n")
