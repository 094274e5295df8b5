"""How many rows a batch inference takes at a time: in a batch of its model, and in a micro-batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from tinderbox.api.inference import InferPlan
from tinderbox.api.watcher import InferWatcher
from tinderbox.inference.probe import Choice, probe
from tinderbox.storage.rows import RowsFolder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEW = 1_000
"""So many rows and fewer are not worth the seconds of a measurement."""

MINUTE, FEWEST, MOST = 60.0, 200, 50_000
"""A micro-batch has about a minute's rows, within these bounds."""


def portion(rate: float) -> int:
    """Return how many rows a micro-batch has, for rows in a second of all slots, 0 where that is not known."""
    return min(max(round(rate * MINUTE), FEWEST), MOST) if rate else 10 * FEWEST


def choose(
    plan: InferPlan, spark: SparkSession, folder: RowsFolder, watcher: InferWatcher, watch: Callable[[], None]
) -> Choice:
    """Return batch size and compiler: as the job says, as measured before, or measured now on one executor."""
    from tinderbox.spark.reading import count_input
    from tinderbox.spark.streams import on_one_executor, watched

    job, model = plan.job, plan.model
    batch = None if job.batch == "auto" else job.batch
    xla = None if job.xla == "auto" else job.xla
    kept = f"probe-{plan.version[:12]}.json"
    few = plan.held is not None
    if not few:
        found = watched(partial(count_input, spark, job, FEW + 1), spark, watch)
        few = found <= FEW and job.input.source not in ("tar", "tfrecord")  # one of these may hold any number
    if model is None or (batch is not None and xla is not None) or few:
        return Choice(batch or 32, bool(xla))
    if folder.has(kept):
        before = json.loads(folder.read(kept))
        if before.pop("asked") == [batch, xla, job.cores]:
            return Choice(**{**before, "tried": ()})
    watcher.tell("measuring batch sizes")
    measure = partial(probe, model, plan.recipe, batch, xla)
    choice = watched(partial(on_one_executor, spark, measure, job.cores), spark, watch)
    if choice.tried:  # one that measured nothing may do so the next time
        folder.write(kept, json.dumps({**asdict(choice), "asked": [batch, xla, job.cores]}).encode())
    return choice
