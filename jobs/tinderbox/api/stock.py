"""Where a study or a training stands, by what it has left in storage."""

from __future__ import annotations

import time

from tinderbox.api.result import SweepResult
from tinderbox.api.trained import TrainResult
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.status import Status, take_status
from tinderbox.training import status as training


def take_stock(result: SweepResult) -> Status:
    """Return where a study stands by its record, as far as it has been brought here."""
    job, record = result.job, result.record
    slots = sum(life.left is None for life in record.slots if life.joined >= record.resumed)
    # A grid is counted; all others have the same limit, and may need what only the driver has.
    method = "grid" if job.search.method == "grid" else "random"
    counted = job.model_copy(update={"search": job.search.model_copy(update={"method": method})})
    return take_status(record, Proposer(counted).limit, job.budget.time, slots, time.time())


def take_training_stock(result: TrainResult) -> training.TrainStatus:
    """Return where a training stands by its record."""
    running = result.record.running
    return training.take_status(result.record, time.time(), workers=len(running.members) if running else 0)
