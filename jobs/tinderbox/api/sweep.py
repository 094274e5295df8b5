"""`tinderbox.sweep`: a sweep from a notebook or a program, and what the command line makes of a job file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.api.driver import Door, Watcher, run_sweep
from tinderbox.api.edits import JobFile
from tinderbox.api.ending import leave_behind
from tinderbox.api.opening import opened_server
from tinderbox.api.plan import Plan, check_continues, describe_job, make_plan
from tinderbox.api.recall import recall
from tinderbox.api.result import SweepResult, open_study
from tinderbox.api.telling import study_source
from tinderbox.config import AnyJob, SweepJob, check_sweep
from tinderbox.config.spoken import plain
from tinderbox.data import digest, from_arrays
from tinderbox.errors import BadInput, NoTrialSucceeded, TinderboxError
from tinderbox.metrics.own import opened_exporter
from tinderbox.run import digest_tree
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.history import State
from tinderbox.sweeping.server import Server
from tinderbox.sweeping.status import Status
from tinderbox.sweeping.study import Study

if TYPE_CHECKING:
    import numpy as np
    from pyspark.sql import SparkSession

    from tinderbox.sweeping.trial import Trial


_OWN = {"kind": "always sweep", "objective": "the function given", "parameters": "the space given"}
"""Keys of a job file that are no options, and what they are."""


class Silent:
    """Shows nothing while a study runs."""

    def show(self, status: Status, study: Study | None) -> None:
        """Do nothing."""

    def tell(self, step: str) -> None:
        """Do nothing."""


def sweep(
    train: Callable[[Trial], None],
    space: Mapping[str, Any],
    *,
    metric: str,
    direction: str,
    epochs: int,
    name: str = "notebook",
    data: Mapping[str, np.ndarray] | Mapping[str, Any] | str = "digits",
    search: str = "tpe",
    trials: int | None = None,
    fresh: bool = False,
    spark: SparkSession | None = None,
    **options: Any,
) -> SweepResult:
    """Run a sweep and return the study.

    `train` is called with a Trial; `space` maps names to Float, Int or Choice; `data` is the name of a built-in
    source, a mapping as under `data` in a job file, or a mapping of arrays named `x_train`, `y_train` and so on (or
    `x` and `y`, which are split). `options` are further keys of a job file. A study of this `name` is continued, or
    set aside where it is to be `fresh`. Without `spark`, the sweep runs on the session there is, or on this machine.

    Raises:
        BadInput: Something about the job cannot be run; nothing was started.
        NoTrialSucceeded: Every trial has ended and none has a value, or none is feasible.
    """
    for key, own in _OWN.items():
        if key in options:
            raise BadInput(f"tinderbox.sweep: {key} is {own}; leave it out, got {options[key]!r}")
    arrays = from_arrays(data) if isinstance(data, Mapping) and "source" not in data else None
    source = {"source": data} if isinstance(data, str) else data
    called = getattr(train, "__name__", type(train).__name__).strip("<>")
    tree = {
        "kind": "sweep",
        "name": name,
        "objective": f"notebook:{called}",
        "metric": {"name": metric, "direction": direction},
        "parameters": dict(space),
        "search": search,
        "budget": _budget(options.pop("budget", {}), trials),
        "epochs": epochs,
        "data": {"source": "memory", "digest": digest(arrays)} if arrays else source,
        **options,
    }
    job = check_sweep(plain(tree), "tinderbox.sweep")
    return run(make_plan(job, Path.cwd(), train, arrays), spark=spark, fresh=fresh)


def _budget(budget: Any, trials: int | None) -> Any:
    """Return the budget with `trials` in it, which must not be there already."""
    if trials is None:
        return budget
    if not isinstance(budget, Mapping) or "trials" in budget:
        raise BadInput(
            f"tinderbox.sweep: budget must be a mapping without trials beside trials={trials}, got {budget!r}"
        )
    return {**budget, "trials": trials}


def run(
    plan: Plan,
    spark: SparkSession | None = None,
    master: str | None = None,
    watcher: Watcher | None = None,
    fresh: bool = False,
    door: Door | None = None,
    file: JobFile | None = None,
) -> SweepResult:
    """Run or continue a planned sweep, then write what it leaves behind; a stop on the way leaves a report too.

    Spark is let go when the last trial has ended, and Prometheus knows of it, if it comes; the server stays for those
    who follow the study. A driver that its cluster starts again has the same `door`, so it does not begin anew what is
    `fresh`. What is changed meanwhile in the `file` that the job is from reaches the study, as far as it can.

    Raises:
        BadInput: A study of this name was begun with another job, other code or other data.
        NoTrialSucceeded: Every trial has ended and none has a value, or none is feasible.
    """
    job = plan.job
    folder = StudyFolder(job.storage, job.name)
    submission = digest_tree({"token": door.token}) if door else ""
    if fresh and folder.exists() and not folder.is_of(submission):
        recall(job)  # what it starts from must be there before anything is moved
        folder.set_aside()
    check_continues(folder, job, plan.run)
    watcher, whole, door = watcher or Silent(), has_ended(folder, job), door or Door()
    server: Server | None = None
    with ExitStack() as following:
        exporter = following.enter_context(opened_exporter("driver"))
        try:
            if not whole:
                watcher.tell("starting Spark")
                with session_for(job, spark, master) as session:
                    folder.note(submission)
                    server = following.enter_context(opened_server(plan, folder, door.token))
                    following.enter_context(exporter.asking(study_source(server, job)))
                    run_sweep(plan, server, door.token, session, watcher, partial(edited, file, plan, folder))
                    exporter.linger()
        except BaseException:
            salvage(plan, folder, watcher)
            raise
        record = keep(plan, folder, watcher, whole=True)
        if server is not None:
            server.linger(door.linger)
    if record.best is None:
        raise NoTrialSucceeded(explain_nothing(record))
    return SweepResult(job, record, folder)


def edited(file: JobFile | None, plan: Plan, folder: StudyFolder, job: SweepJob) -> SweepJob | None:
    """Return the job once its file was changed, and keep it with its study."""
    changed = None if file is None else file.edited(job)
    if changed is not None:
        folder.write_job(describe_job(changed), plan.run)
    return changed


def keep(plan: Plan, folder: StudyFolder, watcher: Watcher, whole: bool) -> Study:
    """Write what a study leaves behind, and return its record.

    Raises:
        TinderboxError: Storage does not take it.
    """
    job = plan.job
    record = open_study(job.name, job.storage).record
    watcher.tell("scoring best and default on test data" if whole else "keeping what there is")
    try:
        trouble = leave_behind(record, job, folder, plan.data.test if whole else None)
    except OSError as error:
        raise TinderboxError(
            f"what study {job.name!r} leaves behind cannot be kept: {error}; mend that and run the same command again"
        ) from error
    watcher.tell(f"not scored: {trouble}" if trouble else "done" if whole else "stopped")
    return record


def salvage(plan: Plan, folder: StudyFolder, watcher: Watcher) -> None:
    """Keep what there is of a study that was stopped: it is as usable as a whole one, but for its score on test data.

    What goes wrong with that is told, and does not take the place of what stopped the study.
    """
    try:
        if folder.exists():
            keep(plan, folder, watcher, whole=False)
    except Exception as trouble:
        watcher.tell(f"stopped: {trouble}")


def has_ended(folder: StudyFolder, job: SweepJob) -> bool:
    """Whether there is a study of this name in which nothing is left to run, not even by a budget that was raised.

    Raises:
        BadInput: More trials are wanted when the search was over.
    """
    if not folder.exists():
        return False
    record = open_study(job.name, job.storage).record
    before, now = folder.read_job().get("budget", {}), describe_job(job)["budget"]
    if before == now:
        return record.finished is not None
    if record.repeats and before.get("trials") != now.get("trials"):
        raise BadInput(
            f"study {job.name!r} has trained its leaders again, so its search is over and budget.trials stays; "
            "give this one another name, with search.warm_start naming the earlier study"
        )
    return False


@contextmanager
def session_for(job: AnyJob, spark: SparkSession | None, master: str | None) -> Iterator[SparkSession]:
    """Lend the caller's session, or the one there is, or open one for the job and stop it when the block ends."""
    from pyspark.sql import SparkSession

    from tinderbox.kube.own import in_cluster, own_pod
    from tinderbox.spark.session import close_session, name_exporter, open_session

    lent = spark or SparkSession.getActiveSession()
    pod = own_pod().settings() if lent is None and master is None and in_cluster() else None
    session = lent or open_session(job, master, pod)
    try:
        name_exporter(session)
        yield session
    finally:
        if lent is None:
            close_session(session)


def explain_nothing(record: Study) -> str:
    """Return why a study has no best trial."""
    counts = ", ".join(f"{count} {state}" for state, count in record.counts.items() if count)
    if complete := [trial.last for trial in record.ended if trial.state is State.COMPLETE]:
        broken = {rule: sum(rule.excess(told[rule.name]) > 0 for told in complete) for rule in record.constraints}
        told = ", ".join(f"{count} with {rule.name} not {rule.bound}" for rule, count in broken.items() if count)
        return f"no trial is feasible ({counts}): {told}; loosen the constraints or search elsewhere"
    first = next((trial for trial in record.ended if trial.cause), None)
    cause = f"; trial {first.number} {first.state} because {first.cause}" if first else ""
    return f"no trial has a value ({counts or 'none was run'}){cause}"
