"""What a new study knows from an earlier one."""

from __future__ import annotations

from tinderbox.api.result import open_study
from tinderbox.config import SweepJob
from tinderbox.errors import BadInput
from tinderbox.sweeping.events import PastTrial
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.space import lies_in

MOST = 10_000
"""How many trials are taken over, the newest ones: they are one event of the record."""


def recall(job: SweepJob) -> list[PastTrial]:
    """Return the trials that a job's search is to know from the start, in the order in which they ended.

    Those that wait on a rung are among them; failed ones, which say nothing about the space, and repeats are not.

    Raises:
        BadInput: There is no such study, it has another metric, or none of its trials lies in the job's space.
    """
    warm = job.search.warm_start
    if warm is None:
        return []
    try:
        earlier = open_study(warm.study, warm.storage or job.storage)
    except BadInput as error:
        raise BadInput(f"search.warm_start: {error}") from error
    if earlier.job.metric != job.metric:
        there, here = (f"{it.direction}s {it.name}" for it in (earlier.job.metric, job.metric))
        raise BadInput(f"search.warm_start: study {warm.study!r} {there}, and this one {here}; name another study")
    record = earlier.record
    cut = [trial for trial in record.open.values() if trial.state is State.WAITING and trial.attempts]  # by its time
    ended = [trial for trial in [*record.ended, *record.paused.values(), *cut] if trial.repeats is None]
    told = [_tell(trial, earlier.job, job) for trial in ended if lies_in(job.parameters, trial.parameters)]
    found = [trial for trial in told if trial is not None]
    if not found:
        raise BadInput(
            f"search.warm_start: of the {len(ended)} trials of study {warm.study!r} that have ended "
            "none has a value in this job's space; leave it out"
        )
    return found[-MOST:]


def _tell(trial: Trial, there: SweepJob, here: SweepJob) -> PastTrial | None:
    """Return a trial as one of a job whose whole trials may be shorter, or longer; None where it says nothing."""
    if trial.state is State.DIVERGED:
        return PastTrial(parameters=trial.parameters, state="diverged", curve={})
    curve = {epoch: value for epoch, value in trial.curve(here.metric.name) if epoch <= here.epochs}
    if trial.state is State.FAILED or not curve:
        return None
    whole = trial.state is State.COMPLETE and (there.epochs == here.epochs or here.epochs in curve)
    return PastTrial(parameters=trial.parameters, state="complete" if whole else "stopped", curve=curve)
