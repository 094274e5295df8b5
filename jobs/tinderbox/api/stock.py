"""Where a run stands, by what it has left in storage."""

from __future__ import annotations

import time

from tinderbox.api.result import SweepResult
from tinderbox.inference.summary import Summary, from_json, merge
from tinderbox.storage.rows import RowsFolder
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.status import Status, take_status


def take_stock(result: SweepResult) -> Status:
    """Return where a study stands by its record, as far as it has been brought here."""
    job, record = result.job, result.record
    slots = sum(life.left is None for life in record.slots if life.joined >= record.resumed)
    # A grid is counted; all others have the same limit, and may need what only the driver has.
    method = "grid" if job.search.method == "grid" else "random"
    counted = job.model_copy(update={"search": job.search.model_copy(update={"method": method})})
    return take_status(record, Proposer(counted).limit, job.budget.time, slots, time.time())


def has_rows(name: str, storage: str) -> bool:
    """Whether a storage holds a batch inference of this name."""
    return RowsFolder(storage, name).exists()


def count_rows(name: str, storage: str) -> Summary:
    """Return the summary of all rows that a batch inference has left, of whatever version."""
    folder = RowsFolder(storage, name)
    return merge(from_json(folder.read(file).decode()) for file in folder.names("summaries"))
