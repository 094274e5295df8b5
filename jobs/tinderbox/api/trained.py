"""A training as a notebook and a terminal see it, by what it has left."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.config import TrainJob, check_train
from tinderbox.errors import BadInput
from tinderbox.storage.training import CLASSES, CONFUSION, HISTORY, MODEL, REPORT, TEST, TrainFolder, worker_log_name
from tinderbox.training.history import Training, rebuild
from tinderbox.training.progress import best_epoch

if TYPE_CHECKING:
    import pandas as pd


class TrainResult:
    """The outcome of a training, read from its record; `record` is the run's whole state."""

    def __init__(self, job: TrainJob, record: Training, folder: TrainFolder) -> None:
        self.job, self.record, self.folder = job, record, folder

    @property
    def history(self) -> pd.DataFrame:
        """One row for each epoch, by number: metrics, step, examples, seconds, workers, attempt, bytes sent."""
        import pandas as pd

        rows = [ended.row for ended in self.record.history]
        return pd.DataFrame(rows, columns=list(rows[0])).set_index("epoch") if rows else pd.DataFrame()

    @property
    def model_epoch(self) -> int | None:
        """The epoch that the model is of: the best one where training may end early, else the last; None before it."""
        if (ended := self.record.ended) is not None:  # the best one's checkpoint may have been gone by then
            return ended.epoch
        return best_epoch(self.record.history, self.job)

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the epoch that the model is of."""
        return next((dict(row.metrics) for row in self.record.history if row.epoch == self.model_epoch), {})

    @property
    def test(self) -> dict[str, float]:
        """The model's metrics on test examples, which no worker has seen; none where there are no such examples."""
        found: dict[str, float] = json.loads(self.folder.read(TEST)) if self.folder.has(TEST) else {}
        return found

    @property
    def attempts(self) -> pd.DataFrame:
        """One row for each attempt, by number: workers, the step it began at, outcome, and the cause of its end."""
        import pandas as pd

        rows = [
            {
                "attempt": attempt.number,
                "workers": len(attempt.members),
                "step": attempt.began.step,
                "outcome": "running" if attempt.ended is None else attempt.ended.outcome,
                "cause": "" if attempt.ended is None else attempt.ended.cause,
            }
            for attempt in self.record.attempts
        ]
        columns = ["attempt", "workers", "step", "outcome", "cause"]
        return pd.DataFrame(rows, columns=columns).set_index("attempt")

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the model's outputs; none for a regression."""
        return read_classes(self.folder)

    @property
    def confusion(self) -> pd.DataFrame | None:
        """How often validation examples of a class (rows) were taken for which (columns); None where it is unknown."""
        import pandas as pd

        if not self.folder.has(CONFUSION):
            return None
        counts = json.loads(self.folder.read(CONFUSION))
        names = self.classes or list(map(str, range(len(counts))))
        return pd.DataFrame(counts, index=pd.Index(names, name="truth"), columns=pd.Index(names, name="taken for"))

    @property
    def report(self) -> str:
        """The path of the HTML report."""
        return self.folder.path(REPORT)

    def model(self) -> Any:
        """Return the trained Keras model.

        Raises:
            BadInput: Training has not come so far.
        """
        if not self.folder.has(MODEL):
            raise BadInput(f"training {self.job.name!r} has no model yet; let it end")
        import keras

        with tempfile.TemporaryDirectory() as scratch:
            return keras.models.load_model(self.folder.fetch(MODEL, Path(scratch)))

    def files(self) -> dict[str, str]:
        """Return where the model, the report, the history and the confusion are, those that there are."""
        named = {"model": MODEL, "report": REPORT, "history": HISTORY, "confusion": CONFUSION}
        return {what: self.folder.path(name) for what, name in named.items() if self.folder.has(name)}

    def log(self, worker: int = 0, attempt: int | None = None) -> str:
        """Return what a worker printed in an attempt, the newest one without `attempt`, and how it failed if it did.

        Raises:
            BadInput: There is no such attempt, or no such worker in it.
        """
        if not self.record.attempts:
            raise BadInput(f"training {self.job.name!r} has had no attempt yet")
        number = len(self.record.attempts) if attempt is None else attempt
        if not 1 <= number <= len(self.record.attempts):
            raise BadInput(f"training {self.job.name!r} has attempts 1 to {len(self.record.attempts)}, got {number}")
        found = self.record.attempts[number - 1]
        if worker not in found.members:
            known = ", ".join(map(str, sorted(found.members)))
            raise BadInput(f"attempt {number} has workers {known}, got {worker}")
        end, printed = found.ended, self.folder.read_log(worker_log_name(number, worker))
        return printed + (end.details if end and end.member and end.member.rank == worker else "")

    def _repr_html_(self) -> str:
        html: str = self.history.to_html()
        return html


def open_training(name: str, storage: str = "studies") -> TrainResult:
    """Return a training that was run before, or is running.

    Raises:
        BadInput: There is no such training.
    """
    folder = TrainFolder(storage, name)
    job = check_train(folder.read_job(), f"training {name}")
    return TrainResult(job, rebuild(folder.log().read()), folder)


def write_classes(folder: TrainFolder, classes: Sequence[str] | None) -> None:
    """Keep the names of the classes, for those who use the model; nothing for a regression."""
    if classes is not None:
        folder.write(CLASSES, json.dumps(list(classes)).encode())


def read_classes(folder: TrainFolder) -> list[str]:
    """Return the names of the classes, none where there are none."""
    return [str(name) for name in json.loads(folder.read(CLASSES))] if folder.has(CLASSES) else []
