"""One trial without Spark: in this process for a debugger, or in a child to learn what a trial costs."""

from __future__ import annotations

import tempfile
import time
from bdb import BdbQuit
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinderbox.api.plan import Plan
from tinderbox.config import SweepJob
from tinderbox.data import pack, unpack
from tinderbox.errors import TinderboxError
from tinderbox.failure import Failure, describe_exit
from tinderbox.process import Child, Nursery, set_threads
from tinderbox.sweeping.child import Over, Reporting, Start, Work, run, stand_by
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.messages import Decision, Lease
from tinderbox.sweeping.seeds import derive
from tinderbox.sweeping.space import complete, from_unit
from tinderbox.sweeping.trial import Channel, Trial


def choose_parameters(job: SweepJob, given: Mapping[str, Any]) -> Parameters:
    """Return the parameters for a single trial: those given, and the defaults of the others.

    Raises:
        BadInput: A name is unknown or has no place beside the others, a value is out of bounds, or a parameter has
            neither value nor default.
    """
    return complete(job.parameters, given, "give --params {name}=VALUE")


def lease_of(job: SweepJob, parameters: Parameters) -> Lease:
    """Return the lease of a trial that stands alone."""
    return Lease(trial=0, attempt=1, parameters=parameters, seed=derive(job.seed, 0, "train"), epochs=job.epochs)


def run_here(plan: Plan, parameters: Parameters, channel: Channel) -> Over:
    """Run one trial in this process.

    Raises:
        KeyboardInterrupt: The user stopped it, by Ctrl-C or by quitting the debugger.
    """
    set_threads(plan.job.cores)
    trial = Trial(lease_of(plan.job, parameters), plan.data, plan.job.reported, channel)
    try:
        return run(plan.function, trial, passed_on=(KeyboardInterrupt, BdbQuit))
    except BdbQuit as error:
        raise KeyboardInterrupt from error


@dataclass(frozen=True)
class Cost:
    """What a trial costs in seconds: until its first epoch begins, and for each epoch; measured with `parameters`."""

    start: float
    epoch: float
    parameters: Parameters

    def of_trial(self, epochs: int) -> float:
        """Return the seconds of a trial of so many epochs."""
        return self.start + epochs * self.epoch

    def of_study(self, trials: int, epochs: int, slots: int) -> float:
        """Return the seconds that so many trials take on so many slots."""
        return trials * self.of_trial(epochs) / min(slots, trials)


def measure_cost(plan: Plan, timeout: float) -> Cost | None:
    """Run one trial to its second report in a child process; None when that takes longer than `timeout` seconds.

    Raises:
        TinderboxError: The function fails.
    """
    middle = from_unit(plan.job.parameters, [0.5] * len(plan.job.parameters))
    set_threads(plan.job.cores)
    with tempfile.TemporaryDirectory() as scratch:
        work = Work(plan.objective, plan.job.reported, Path(scratch, "code"), Path(scratch, "data"), repeat=False)
        unpack(lambda: pack(plan.data), work.data)
        plan.objective.unpack(work.code)
        child = Nursery(stand_by, (work,), plan.job.preload, work.code).start()
        try:
            times = _time_reports(child, Start(lease_of(plan.job, middle), Path(scratch)), timeout)
        finally:
            child.end()
    if times is None:
        return None
    (before, began), (epoch, ended) = list(times.items())[-2:]
    seconds = (ended - began) / (epoch - before)
    return Cost(start=max(ended - times[0] - epoch * seconds, 0.0), epoch=seconds, parameters=middle)


def explain_failure(parameters: Parameters, failure: Failure) -> TinderboxError:
    """Return the error that says how the user's function failed, with its traceback as a note."""
    told = ", ".join(f"{name}={value}" for name, value in parameters.items())
    error = TinderboxError(f"the function failed with {told}: {failure.cause}")
    if failure.details:
        error.add_note(failure.details.rstrip())
    return error


def _time_reports(child: Child, start: Start, timeout: float) -> dict[int, float] | None:
    """Return when the trial began, as epoch 0, and when its first reports came, two at most."""
    times = {0: time.monotonic()}
    child.send(start)
    while len(times) < 3:
        try:
            message = child.receive(max(times[0] + timeout - time.monotonic(), 0.0))
        except EOFError:
            message = Over("failed", describe_exit(child.end()))
        match message:
            case None:
                return None
            case Over(outcome="failed", failure=failure):
                raise explain_failure(start.lease.parameters, failure)
            case Over():
                break
            case Reporting():
                times.setdefault(message.epoch, time.monotonic())  # the last one comes again, as the last
                child.send(Decision())
    return times
