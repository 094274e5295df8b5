"""Records the curves that `regret` looks up: the Databricks grid on scikit-learn's digits, once.

Run by hand: `python -m tests.bench.record`, about ten minutes on two cores; it writes digits.json beside this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.studies import HERE
from tinderbox.api.plan import make_plan
from tinderbox.api.sweep import run
from tinderbox.config import check_sweep

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
    study = run(make_plan(check_sweep(tree, "the record"), HERE)).record
    return [
        {
            "parameters": trial.parameters,
            "validation": [round(value, 4) for _, value in trial.curve("val_accuracy")],
            "test": [round(value, 4) for _, value in trial.curve("test_accuracy")],
        }
        for trial in study.trials.values()
    ]


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        TABLE.write_text(json.dumps(record(scratch), indent=None, separators=(",", ":")) + "\n")
