"""The sources' experiment with BigDL: LeNet-5 on MNIST, 15 epochs, where the student's ran on one node only.

`make reproduce-bigdl` trains on one worker and on two, with the batch of BigDL's example, 12, and AdamW with a learning
rate that falls to nothing as a cosine. Two workers share a batch, so that they take the same steps. Then comes one
epoch of plain SGD at batch 1, as the student's were by their number of iterations, for a fair rate. Like the student's,
the figures are of the 10,000 test images, and of the last epoch, not the best one. The optimizer was chosen by
Top1 of 10,000 training images held out of the 60,000, of two seeds each: 0.9910 and 0.9899 with it, 0.9895 and 0.9897
with the best of nine settings of SGD. Others than SGD were tried because SGD had come to 0.9881 to 0.9898 of the test
images, below the goal. MNIST's four files are in the folder that TINDERBOX_DATA names.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.trainings import train, write_mnist
from tinderbox.api.trained import TrainResult

BATCH, RATE, DECAY = 12, 1e-3, 0.05
STUDENT = {"top1": 0.9054, "top5": 0.997, "loss": 0.481, "seconds": 18_621.0, "images_per_second": 48.0}
GOAL = 0.989


def main() -> None:
    """Run the experiment, print its table, and write it as JSON."""
    options = parser().parse_args()
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        folder = Path(scratch)
        data = write_mnist(folder / "mnist.npz", options.images)
        runs = [told(experiment(folder, data, options, workers), workers, BATCH) for workers in options.workers]
        if options.single:
            data = write_mnist(folder / "single.npz", options.single)
            runs.append(told(train(folder, "single", data=data, workers=1, batch=1, epochs=1), 1, 1))
    found = {"images": options.images, "epochs": options.epochs, "cores": os.cpu_count(), "student": STUDENT}
    path = Path(options.to)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found | {"runs": runs}, indent=2) + "\n")
    print("\n".join([*table(runs), "", verdict(runs), str(path)]))  # noqa: T201 - what the command is for


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    top = argparse.ArgumentParser(prog="make reproduce-bigdl")
    top.add_argument("--epochs", type=int, default=15)
    top.add_argument("--images", type=int, default=60_000, help="of MNIST's training images, the first ones")
    top.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="train once with each number of them")
    top.add_argument("--single", type=int, default=60_000, help="images of the epoch at batch 1, 0 for none")
    top.add_argument("--mode", default="synchronous", choices=["synchronous", "averaging", "threshold"])
    top.add_argument("--to", default="build/bigdl.json", help="file for the table")
    return top


def experiment(folder: Path, data: dict[str, Any], options: argparse.Namespace, workers: int) -> TrainResult:
    """Train on so many workers."""
    steps = -(-options.images // BATCH) * options.epochs
    schedule = {"name": "CosineDecay", "decay_steps": steps}
    return train(
        folder,
        f"lenet-{workers}",
        data=data,
        workers=workers,
        batch={"size": BATCH, "per": "all"},
        epochs=options.epochs,
        optimizer={"name": "adamw", "learning_rate": RATE, "arguments": {"weight_decay": DECAY}, "schedule": schedule},
        mode=options.mode,
    )


def told(result: TrainResult, workers: int, batch: int) -> dict[str, Any]:
    """Return a training as a row of the table; seconds are from the first attempt's begin to the model."""
    record = result.record
    assert record.ended is not None
    examples, seconds = (sum(getattr(row, name) for row in record.history) for name in ("examples", "seconds"))
    metrics = record.history[-1].metrics
    return {
        "workers": workers,
        "batch": batch,
        "epochs": len(record.history),
        "top1": metrics["val_top1"],
        "top5": metrics["val_top5"],
        "loss": metrics["val_loss"],
        "seconds": record.ended.time - record.attempts[0].began.time,
        "images_per_second": examples / seconds,
        "history": [row.row for row in record.history],
    }


def table(runs: list[dict[str, Any]]) -> list[str]:
    """Return the table, the student's row first."""
    lines = ["| | Top1 | Top5 | loss | seconds | images/s in training |", "|---|---|---|---|---|---|"]
    lines.append(line("BigDL, the student's: 1 node, batch 1, 15 epochs; several nodes failed", STUDENT))
    for run in runs:
        plural = "s" * (run["workers"] > 1)
        name = (
            f"{run['workers']} worker{plural}, batch {run['batch']}, {run['epochs']} epoch{'s' * (run['epochs'] > 1)}"
        )
        lines.append(line(name, run))
    return lines


def line(name: str, run: dict[str, Any]) -> str:
    """Return a row of the table."""
    quality = f"{run['top1']:.4f} | {run['top5']:.4f} | {run['loss']:.3f}"
    return f"| {name} | {quality} | {run['seconds']:,.0f} | {run['images_per_second']:,.0f} |"


def verdict(runs: list[dict[str, Any]]) -> str:
    """Say whether the goal was met, and how many times as fast the same work is done."""
    whole = [run for run in runs if run["batch"] == BATCH]
    met = all(run["top1"] >= GOAL for run in whole)
    single = [run["images_per_second"] / STUDENT["images_per_second"] for run in runs if run["batch"] == 1]
    rate = f"; at batch 1, {single[0]:.1f} times the student's images a second" if single else ""
    return f"Top1 >= {GOAL}: {'met' if met else 'MISSED'}{rate}"


if __name__ == "__main__":
    main()
