"""A study as Optuna knows it: for Optuna's plots, and as a journal that optuna-dashboard opens.

A diverged trial is shown PRUNED and without a value, as a stopped one is: the dashboard then draws its curve of
intermediate values up to the epoch that diverged, which it does not do for FAIL, and FAIL keeps meaning that the
user's function raised. A stopped trial keeps its last value, as Optuna's own pruned trials do. Where there are several
objectives Optuna knows no intermediate values, so there are none.
"""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.config import AnyParameter, SweepJob
from tinderbox.errors import BadInput
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.projection import directions, distribution, excesses
from tinderbox.sweeping.space import widest
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import optuna

_SHOWN = {
    State.WAITING: "WAITING",
    State.RUNNING: "RUNNING",
    State.PAUSED: "PRUNED",
    State.COMPLETE: "COMPLETE",
    State.FAILED: "FAIL",
    State.DIVERGED: "PRUNED",
    State.STOPPED: "PRUNED",
}


def to_optuna(study: Study, job: SweepJob) -> optuna.Study:
    """Return the study as an Optuna study in memory, its trials under their own numbers."""
    from optuna.storages import InMemoryStorage

    return fill(InMemoryStorage(), study, job)


def export_journal(study: Study, job: SweepJob, path: Path) -> None:
    """Write an Optuna journal that optuna-dashboard opens, in place of the file that is there.

    Raises:
        BadInput: The file cannot be written.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            written = Path(folder, path.name)
            fill(JournalStorage(JournalFileBackend(str(written))), study, job)
            # Whoever reads the journal sees the old one or the new one, never a half.
            written.replace(path)
    except OSError as error:
        raise BadInput(
            f"{path}: the journal cannot be written: {error.strerror}; give a file in a folder that can be written to"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from announcing studies and from warning that a function is experimental."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def fill(storage: optuna.storages.BaseStorage, study: Study, job: SweepJob) -> optuna.Study:
    """Add the study to one of Optuna's storages, its trials under their own numbers where it is a new study there."""
    import optuna

    with quiet():
        shown = optuna.create_study(storage=storage, study_name=job.name, directions=directions(job))
        space = widest(job.parameters, [begun.space for begun in study.rounds])
        shown.set_metric_names(list(job.signs))
        for number in sorted(study.trials):
            shown.add_trial(_show(study.trials[number], job, space))
    return shown


def _show(trial: Trial, job: SweepJob, space: Mapping[str, AnyParameter]) -> optuna.trial.FrozenTrial:
    """Return one trial; `create_trial` takes no times, so they are set afterwards."""
    from optuna.trial import TrialState, create_trial

    values = [trial.last.get(name, math.nan) for name in job.signs]
    finite = all(math.isfinite(value) for value in values)
    has_values = finite and trial.state in (State.COMPLETE, State.STOPPED, State.PAUSED)
    state = TrialState[_SHOWN[trial.state]]
    if state is TrialState.COMPLETE and not finite:
        state = TrialState.PRUNED  # Optuna refuses a complete trial without a value
    shown = create_trial(
        state=state,
        values=values if has_values else None,
        params=dict(trial.parameters),
        distributions={name: distribution(space[name]) for name in trial.parameters},
        user_attrs=_attributes(trial),
        intermediate_values={} if job.objectives else dict(trial.curve(job.metric.name)),
        constraints=excesses(trial, job) if has_values else None,
    )
    if trial.attempts:
        shown.datetime_start = datetime.fromtimestamp(trial.attempts[0].started)
    if state.is_finished() and trial.attempts[-1].ended is not None:
        shown.datetime_complete = datetime.fromtimestamp(trial.attempts[-1].ended)
    return shown


def _attributes(trial: Trial) -> dict[str, Any]:
    return {
        "seed": trial.seed,
        "attempts": trial.attempt,
        "node": trial.attempts[-1].node if trial.attempts else "",
        "cause": trial.cause,
        "baseline": trial.baseline,
    }
