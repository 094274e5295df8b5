"""Distributed training beside plain `fit` and a custom loop of tf.distribute; and what mode threshold sends.

LeNet-5 on MNIST, whose files are in the folder that TINDERBOX_DATA names. A worker has one thread, as its rivals have.
Both sides are measured in one run, one after the other.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.bench.rivals import distribute_seconds, fit_seconds
from tests.bench.rows import Row, quantile, ratios, spread
from tests.bench.trainings import epoch_seconds, step_times, train, write_mnist
from tinderbox.config.train import Threshold
from tinderbox.training.threshold.coding import Coder, code

REPETITIONS = 3
ALONE = {64: (30_000, 4), 1: (4_000, 3)}
"""Images and epochs of a `fit`, by its batch."""

SHARED = (60_000, 6, 64)
SHARING = {"name": "threshold", "low": 5e-3}
"""Images, epochs and batch of a worker where two of them share updates, and how: of a network as small as this one a
larger share of parameters has to be in a message, or what is left out takes too long to be sent."""

TOGETHER = (16_000, 4, 64)
"""The same where modes are compared, as they are by default."""

PARAMETERS, CODINGS = 1_250_000, 60
MODES = ("synchronous", "averaging", "threshold")
HELD = 10_000


def measure() -> list[Row]:
    """Measure all of it."""
    with TemporaryDirectory(prefix="tinderbox-bench-") as scratch:
        folder = Path(scratch)
        rows = [alone(folder, batch, *setting) for batch, setting in ALONE.items()]
        return [*rows, *sharing(folder, *SHARED), coding(), *together(folder, *TOGETHER)]


def alone(folder: Path, batch: int, images: int, epochs: int) -> Row:
    """Return the row of one worker against plain `fit`."""
    data, ours, theirs = write_mnist(folder / "alone.npz", images, 1_000), list[float](), list[float]()
    for repetition in range(REPETITIONS):
        result = train(folder, f"alone-{batch}-{repetition}", data=data, workers=1, batch=batch, epochs=epochs)
        ours.append(images / quantile(epoch_seconds(result), 0.5))
        theirs.append(images / quantile(fit_seconds(data["path"], batch, epochs, threads=1), 0.5))
    pairs = ratios(ours, theirs)
    return Row(
        f"one worker, batch {batch}, epochs of {images:,} images, with validation and checkpoints",
        spread(ours, "images/s"),
        f"plain fit: {spread(theirs, 'images/s')}",
        spread(pairs, "x", 2),
        ">= 0.95x",
        quantile(pairs, 0.5) >= 0.95,
    )


def sharing(folder: Path, images: int, epochs: int, batch: int) -> list[Row]:
    """Return the rows of what two workers send in mode threshold, and of how accurate the model is then."""
    data = write_mnist(folder / "sharing.npz", images, HELD)
    setting: dict[str, Any] = {"data": data, "workers": 2, "batch": batch, "epochs": epochs}
    ours = train(folder, "sharing", mode=SHARING, **setting)
    theirs = train(folder, "in-step", mode="synchronous", **setting)
    history = ours.record.history
    rows = [
        sent(f"bytes that 2 workers send in {epochs} epochs ({SHARING}), warm-up included", history, 0.03),
        sent(f"the same in the last {epochs - epochs // 2} of them", history[epochs // 2 :], 0.015),
    ]
    accuracies = [100 * result.metrics["val_top1"] for result in (ours, theirs)]
    less = accuracies[1] - accuracies[0]
    rows.append(
        Row(
            f"accuracy on {HELD:,} images then",
            f"{accuracies[0]:.2f} %",
            f"synchronous: {accuracies[1]:.2f} %",
            f"{-less:+.2f} points",
            ">= -0.2 points",
            less <= 0.2,
        )
    )
    return rows


def sent(what: str, history: list[Any], goal: float) -> Row:
    """Return the row of the bytes that were sent in some epochs against those of whole gradients."""
    ours, dense = (sum(getattr(row, name) for row in history) for name in ("sent", "dense"))
    shares = [row.sent / row.dense for row in history]
    return Row(
        what,
        f"{ours / 1e6:.2f} MB",
        f"whole gradients: {dense / 1e6:.1f} MB",
        f"{ours / dense:.2%} ({min(shares):.2%}..{max(shares):.2%} by epoch)",
        f"<= {goal:.1%}",
        ours / dense <= goal,
    )


def coding() -> Row:
    """Return the row of what coding costs a step, on one core: a message made, read, and added to the parameters."""
    rng, times = np.random.default_rng(0), list[float]()
    coder = Coder(PARAMETERS, Threshold(name="threshold"))
    parameters = np.zeros(PARAMETERS, np.float32)
    for step in range(1, CODINGS + 1):
        update = (1e-3 * rng.standard_normal(PARAMETERS, np.float32) * rng.random()).astype(np.float32)
        begin = time.perf_counter()
        code(coder, update, parameters, step)
        times.append(1e3 * (time.perf_counter() - begin))
    settled = times[CODINGS // 2 :]
    return Row(
        f"coding of {PARAMETERS:,} parameters in mode threshold",
        spread(settled, "ms", 1),
        f"all of the first {CODINGS // 2}: {spread(times[: CODINGS // 2], 'ms', 1)}",
        goal="<= 10 ms",
        met=quantile(settled, 0.5) <= 10,
    )


def together(folder: Path, images: int, epochs: int, batch: int) -> list[Row]:
    """Return the rows of a step's time, by mode and number of workers, against the custom loop."""
    data = write_mnist(folder / "together.npz", images, 1_000)
    rows = []
    for workers in (1, 2):
        setting: dict[str, Any] = {"data": data, "workers": workers, "batch": batch, "epochs": epochs}
        found: dict[str, list[float]] = {name: [] for name in (*MODES, "theirs")}
        for repetition in range(REPETITIONS):
            for mode in MODES:
                result = train(folder, f"together-{mode}-{workers}-{repetition}", mode=mode, **setting)
                found[mode].append(quantile(step_times(result), 0.5))
            seconds = distribute_seconds(data["path"], batch, epochs, threads=1, workers=workers)[1:]
            found["theirs"].append(1e3 * quantile(seconds, 0.5) / (images // workers // batch))
        rows += [
            Row(
                f"a step of {workers} worker{'s' * (workers > 1)}, batch {batch} each, {mode}",
                spread(found[mode], "ms", 2),
                f"tf.distribute, custom loop: {spread(found['theirs'], 'ms', 2)}",
                spread(ratios(found[mode], found["theirs"]), "x", 2),
            )
            for mode in MODES
        ]
    return rows
