"""Which batch size and compiler suit a model here: measured for a few seconds, in a process of its own.

XLA makes one network a third faster and another eight times slower, and its compiler can take half a minute: so
nothing is assumed, and a measurement that takes too long is cut off.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tinderbox.inference.recipe import Recipe
from tinderbox.models.network import PackedModel

BATCHES = (8, 32, 128)
ENOUGH = 0.7
"""Seconds that a rate is measured for, after the first batch, which traces and compiles."""

GAIN = 1.05
"""A larger batch needs more memory, and XLA time to compile in each worker: each must be worth it."""

LIMIT_SECONDS = 60.0
_TOLD = "measured"


@dataclass(frozen=True)
class Measured:
    """Rows in a second with one batch size; `start` is the seconds that the first batch took."""

    batch: int
    xla: bool
    rate: float
    start: float


@dataclass(frozen=True)
class Choice:
    """What a worker is to do, and the rows in a second that it predicts so, 0 where nothing was measured."""

    batch: int
    xla: bool
    rate: float = 0.0
    tried: tuple[Measured, ...] = ()


def probe(model: PackedModel, recipe: Recipe, batch: int | None, xla: bool | None) -> Choice:
    """Return the fastest of the batch sizes, with XLA and without, but for what is given already.

    What could not be measured within `LIMIT_SECONDS` is not chosen.
    """
    with tempfile.TemporaryDirectory(prefix="tinderbox-probe-") as folder:
        Path(folder, "model").write_bytes(model.content)
        wanted = {"form": model.form, "digest": model.digest, "recipe": _plain(recipe), "batch": batch, "xla": xla}
        Path(folder, "wanted.json").write_text(json.dumps(wanted))
        return choose(tuple(_lines(Path(folder))), batch, xla)


def choose(tried: tuple[Measured, ...], batch: int | None, xla: bool | None) -> Choice:
    """Return the choice among what was measured; without any, what is given, or 32 rows and no XLA."""
    best: Measured | None = None
    for one in tried:  # small batches first, and those without XLA
        if best is None or one.rate > best.rate * GAIN:
            best = one
    if best is None:
        return Choice(batch or 32, bool(xla), 0.0, tried)
    return Choice(best.batch, best.xla, best.rate, tried)


def _lines(folder: Path) -> Iterator[Measured]:
    """Yield what a process of its own measures until it ends or its time is up."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # what Spark has added travels along
    command, silent = [sys.executable, "-m", __name__, str(folder)], subprocess.DEVNULL
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stdout=silent, stderr=silent, env=environment, timeout=LIMIT_SECONDS, check=False)  # noqa: S603
    told = (folder / _TOLD).read_text() if (folder / _TOLD).exists() else ""
    for line in told.splitlines(keepends=True):
        if line.endswith("\n"):
            yield Measured(**json.loads(line))


def _plain(recipe: Recipe) -> dict[str, Any]:
    return {**asdict(recipe), "labels": ()}  # names are no part of the work


def _measure(folder: Path) -> None:
    """Write a line for each batch size and compiler, those without XLA first."""
    wanted = json.loads((folder / "wanted.json").read_text())
    model = PackedModel(wanted["form"], (folder / "model").read_bytes(), wanted["digest"])
    recipe = _recipe(wanted["recipe"])
    for module in recipe.preload:
        importlib.import_module(module)
    from tinderbox.models.network import load_model

    network = load_model(model)
    batches = BATCHES if wanted["batch"] is None else (wanted["batch"],)
    best = None
    if wanted["xla"] is not True:
        for batch in batches:
            one = _tell(folder, _rate(network, replace(recipe, batch=batch, xla=False)))
            best = one if best is None or one.rate > GAIN * best.rate else best
    if wanted["xla"] is not False:
        batch = best.batch if best else batches[min(1, len(batches) - 1)]
        _tell(folder, _rate(network, replace(recipe, batch=batch, xla=True)))


def _tell(folder: Path, one: Measured) -> Measured:
    with (folder / _TOLD).open("a") as file:
        file.write(json.dumps(asdict(one)) + "\n")
    return one


def _recipe(tree: Mapping[str, Any]) -> Recipe:
    from tinderbox.inference.images import Frame

    frame = None if tree["frame"] is None else Frame(**tree["frame"])
    lists = {name: tuple(value) for name, value in tree.items() if isinstance(value, list)}
    return Recipe(**{**tree, **lists, "frame": frame})


def _rate(network: Any, recipe: Recipe) -> Measured:
    from tinderbox.inference.engine import Engine

    begin = time.perf_counter()
    engine = Engine(network, recipe)
    rows = engine.blank()
    engine.predict(rows)
    started, done = time.perf_counter(), 0
    while (now := time.perf_counter()) < started + ENOUGH or not done:
        engine.predict(rows)
        done += len(rows)
    return Measured(recipe.batch, recipe.xla, done / (now - started), started - begin)


if __name__ == "__main__":
    _measure(Path(sys.argv[1]))
