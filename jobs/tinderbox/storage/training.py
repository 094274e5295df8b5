"""Every path of a training, in one place."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from tinderbox.storage.checkpoints import CheckpointFolder
from tinderbox.storage.log import SegmentLog

MODEL, HISTORY, CONFUSION, REPORT = "model.keras", "history.jsonl", "confusion.json", "report.html"
CLASSES = "classes.json"
"""The names of the classes that the data has, in the order of the model's outputs; not there for a regression."""
TEST = "test.json"
"""The metrics of the model on test examples, by name; not there where the data has none."""


class TrainFolder(CheckpointFolder):
    """One training below a storage folder or URL.

    train.yaml, run.json                              the job, and its identity
    submission                                        by what a cluster's driver was last submitted
    events/000001-000000.jsonl                        the record, a segment for each driver generation
    history.jsonl                                     a line for each epoch
    checkpoints/step-000000430/part-0                 what worker 0 needs to go on from there
    checkpoints/step-000000430/manifest.json          all parts are there, with these digests
    logs/attempt-2-worker-1.log                       what a worker printed
    model.keras, confusion.json, report.html          what the training is for
    """

    kind, job_file = "training", "train.yaml"

    def log(self) -> SegmentLog:
        """Return the log of the run's record, with a new generation begun."""
        return SegmentLog(self._files, self.path("events"))

    def keepsakes(self) -> list[str]:
        """Return the names of the files worth taking home: all but checkpoints and what workers printed."""
        return [name for name in self.names() if name.partition("/")[0] not in ("checkpoints", "logs")]

    def extent(self) -> tuple[int, int]:
        """Return how many files the run's record has now, and how many bytes are in them: it only grows."""
        self._files.invalidate_cache()
        sizes = [found["size"] for found in self._files.find(self.path("events"), detail=True).values()]
        return len(sizes), sum(sizes)

    # What a training is for

    async def take_model(self, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object] = bool) -> None:
        """Store the model whole or not at all, as a part of a checkpoint is."""
        await self.take(MODEL, blocks, sha256, check)

    def write_history(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep the history, a line for each epoch; what is no finite number becomes a text."""
        lines = (json.dumps({key: _finite(value) for key, value in row.items()}) for row in rows)
        self.write(HISTORY, "".join(f"{line}\n" for line in lines).encode())

    def read_history(self) -> list[dict[str, Any]]:
        """Return the rows of the history, none where there is none yet; NaN and infinities are numbers again."""
        if not self.has(HISTORY):
            return []
        rows = map(json.loads, self.read(HISTORY).decode().splitlines())
        return [{key: float(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows]

    def write_confusion(self, confusion: list[list[int]] | None) -> None:
        """Keep which validation examples were taken for what, a row for each true class; None where nobody counted."""
        if confusion is None:
            self.remove(CONFUSION)
        else:
            self.write(CONFUSION, json.dumps(confusion).encode())

    def write_log(self, attempt: int, rank: int, text: str) -> None:
        """Keep what a worker has printed in an attempt."""
        self.write(worker_log_name(attempt, rank), text.encode())


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def worker_log_name(attempt: int, rank: int) -> str:
    """Return the name, in a run, of what a worker printed."""
    return f"logs/attempt-{attempt}-worker-{rank}.log"
