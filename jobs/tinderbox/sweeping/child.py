"""The child process of a slot: loads the function while it stands by, then runs trials as it is told.

It talks to its slot over a local pipe in frozen records, and to nobody else.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from numpy import random as numpy_random  # NumPy itself would load it after the fork, once in each child

from tinderbox import checkpoint, preloading
from tinderbox.checkpoint import Save
from tinderbox.data.dataset import Dataset
from tinderbox.data.packing import open_packed
from tinderbox.failure import NO_FAILURE, Failure, describe
from tinderbox.sweeping.messages import Decision, Lease
from tinderbox.sweeping.objective import Objective
from tinderbox.sweeping.trial import Trial, TrialPaused, TrialStopped

_OURS = Path(__file__).parent


@dataclass(frozen=True)
class Work:
    """What a child needs before it can run a trial; `code` and `data` are folders that its slot has filled."""

    objective: Objective
    metrics: tuple[str, ...]
    code: Path
    data: Path
    repeat: bool


@dataclass(frozen=True)
class Start:
    """What a child runs next, a folder for its states, and the file with the one it goes on from, if there is one."""

    lease: Lease
    folder: Path
    checkpoint: Path | None = None


@dataclass(frozen=True)
class Reporting:
    """The function reported an epoch and waits for a decision."""

    epoch: int
    metrics: dict[str, float]
    last: bool
    can_save: bool


@dataclass(frozen=True)
class Saved:
    """The state of the newest report lies in a file, which the receiver may remove."""

    epoch: int
    path: Path


@dataclass(frozen=True)
class Counted:
    """The function has trained on so many examples since it said so last, in steps that took the time that is told."""

    examples: float
    steps: list[float]


@dataclass(frozen=True)
class Over:
    """The function has ended; `failure` says how where it did not return."""

    outcome: Literal["complete", "failed", "stopped", "paused", "out_of_memory", "infrastructure"]
    failure: Failure = NO_FAILURE


class Pipe:
    """A trial's channel to its slot; states pass through a folder that both see, and that the slot clears away."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection, self._folder = connection, folder

    def report(self, epoch: int, metrics: dict[str, float], last: bool, can_save: bool) -> Decision:
        """Send a report and wait for the decision."""
        self._connection.send(Reporting(epoch, metrics, last, can_save))
        decision: Decision = self._connection.recv()
        return decision

    def save(self, epoch: int, save: Save) -> None:
        """Write the state to a file and wait until it is safe in storage."""
        path = self._folder / "checkpoint"
        checkpoint.write(save, path)
        self._connection.send(Saved(epoch, path))
        self._connection.recv()

    def count(self, examples: float, steps: list[float]) -> None:
        """Pass on what was counted; nobody answers."""
        self._connection.send(Counted(examples, steps))


def stand_by(connection: Connection, arguments: tuple[Work]) -> None:
    """Load function and data, then run the trials that arrive, one, or until there are no more."""
    (work,) = arguments
    prepared = _prepare(work)
    # What is loaded now stays: Keras collects garbage before each trial, and going through TensorFlow's objects
    # takes it 0.4 s and copies every page that the processes share.
    gc.freeze()
    seed_generators(0)  # a rehearsal: the pages it writes to are copied now, while no trial waits
    while (start := _next(connection)) is not None:
        if isinstance(prepared, Failure):
            connection.send(Over("failed", prepared))
        else:
            function, data = prepared
            trial = Trial(start.lease, data, work.metrics, Pipe(connection, start.folder), start.checkpoint)
            connection.send(run(function, trial))
        if not work.repeat:
            return


def _prepare(work: Work) -> tuple[Callable[[Trial], Any], Dataset] | Failure:
    if preloading.failure:
        return Failure(preloading.failure)
    try:
        return work.objective.load(work.code), open_packed(work.data)
    except Exception as error:
        return describe(error, skip=_OURS)


def _next(connection: Connection) -> Start | None:
    try:
        start: Start | None = connection.recv()
    except EOFError:
        return None
    return start


def run(function: Callable[[Trial], Any], trial: Trial, passed_on: tuple[type[BaseException], ...] = ()) -> Over:
    """Run the function on its trial, with every common random generator seeded by the trial's seed.

    Whatever the function raises is its failure, but for what is `passed_on`.
    """
    seed_generators(trial.seed)
    try:
        function(trial)
        trial.close()
    except TrialPaused:
        return Over("paused")
    except TrialStopped:
        return Over("stopped")
    except passed_on:
        raise
    except BaseException as error:
        return Over("failed", describe(error, skip=_OURS))
    finally:
        with suppress(OSError):  # its slot may have gone
            trial.tell_counts()
        sys.stdout.flush()
        sys.stderr.flush()
    return Over("complete")


def seed_generators(seed: int) -> None:
    """Seed Python, NumPy and, where it is loaded, Keras with TensorFlow; forget what an earlier trial built."""
    random.seed(seed)
    numpy_random.seed(seed)
    if "keras" in sys.modules:
        import keras

        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
