"""A study as a notebook sees it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.api.ending import JOURNAL, KERAS_MODEL, OTHER_MODEL, PARAMETERS, REPORT, read_gain
from tinderbox.config import SweepJob, check_sweep
from tinderbox.errors import BadInput
from tinderbox.models.gain import Gain
from tinderbox.storage import StudyFolder, log_name
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.front import front
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.journal import rebuild
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import pandas as pd


class SweepResult:
    """The outcome of a sweep, read from its record; `record` is the study's whole state."""

    def __init__(self, job: SweepJob, record: Study, folder: StudyFolder) -> None:
        self.job, self.record, self.folder = job, record, folder

    @property
    def trials(self) -> pd.DataFrame:
        """One row for each trial, by number: state, metrics, parameters, baseline, epoch, seconds, attempts, cause."""
        return self._table(list(self.record.trials.values()))

    @property
    def front(self) -> pd.DataFrame:
        """The feasible trials that no other one beats in all objectives, in rows as `trials`, best metric first."""
        return self._table(front(self.record))

    @property
    def best_parameters(self) -> Parameters | None:
        """The parameters of the best trial, None where no trial is complete and feasible."""
        return self.record.best.parameters if self.record.best else None

    @property
    def best_value(self) -> float | None:
        """The best trial's value, None where no trial is complete and feasible."""
        return self.record.best_value

    @property
    def gain(self) -> Gain | None:
        """What the best model gained over the default parameters on test data, None where that was not measured."""
        return read_gain(self.folder)

    @property
    def report(self) -> str:
        """The path of the HTML report."""
        return self.folder.path(REPORT)

    def best_model(self) -> Any:
        """Return the best trial's Keras model.

        Raises:
            BadInput: The best trial left no Keras model.
        """
        if not self.folder.has(KERAS_MODEL):
            raise BadInput(f"study {self.job.name!r} has no Keras model; report checkpoints with keras_callback(trial)")
        import keras

        with tempfile.TemporaryDirectory() as scratch:
            return keras.models.load_model(self.folder.fetch(KERAS_MODEL, Path(scratch)))

    def files(self) -> dict[str, str]:
        """Return where the model, its parameters, the report and the export are, those that there are."""
        named = {
            "model": KERAS_MODEL,
            "state": OTHER_MODEL,
            "parameters": PARAMETERS,
            "report": REPORT,
            "optuna": JOURNAL,
        }
        return {what: self.folder.path(name) for what, name in named.items() if self.folder.has(name)}

    def log(self, number: int, attempt: int | None = None) -> str:
        """Return what a trial's attempt printed, the newest one's without `attempt`, and how it failed if it did.

        Raises:
            BadInput: There is no such trial, or no such attempt.
        """
        trial = self.record.trials.get(number)
        if trial is None:
            known = f"trials 0 to {len(self.record.trials) - 1}" if self.record.trials else "no trials yet"
            raise BadInput(f"study {self.job.name!r} has {known}, got {number}")
        if not trial.attempts:
            raise BadInput(f"trial {number} has not been started yet")
        attempt = trial.attempt if attempt is None else attempt
        if not 1 <= attempt <= trial.attempt:
            raise BadInput(f"trial {number} has attempts 1 to {trial.attempt}, got {attempt}")
        return self.folder.read_log(log_name(number, attempt)) + trial.attempts[attempt - 1].details

    def _table(self, trials: list[Trial]) -> pd.DataFrame:
        import pandas as pd

        index = pd.Index([trial.number for trial in trials], name="trial")
        return pd.DataFrame([self._row(trial) for trial in trials], index=index)

    def _row(self, trial: Trial) -> dict[str, Any]:
        return {
            "state": trial.state.value,
            **{name: trial.value(name) for name in self.record.reported},
            **trial.parameters,
            "baseline": trial.baseline,
            "epoch": trial.epoch,
            "seconds": trial.seconds,
            "attempts": trial.attempt,
            "cause": trial.cause,
        }

    def _repr_html_(self) -> str:
        html: str = self.trials.to_html()
        return html


def open_study(name: str, storage: str = "studies") -> SweepResult:
    """Return a study that was run before, or is running.

    Raises:
        BadInput: There is no such study.
    """
    folder = StudyFolder(storage, name)
    job = check_sweep(folder.read_job(), f"study {name}")
    return SweepResult(job, rebuild(folder.log().read(), *job.aims), folder)
