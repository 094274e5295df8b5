"""Long-lived tasks on Spark, such as slots: each is a job of one partition in a job group of its own.

So one bad node cannot use up Spark's patience with the others, and tasks may come and go.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import Broadcast, InheritableThread, SparkContext

from tinderbox.errors import TinderboxError
from tinderbox.sweeping.study import UNWANTED

_LONGEST_BACKOFF = 30.0
_MOST_FAILURES = 5

LEAVING = "its executor is being taken away"

P = TypeVar("P")

Hold = Callable[[str, P, "Broadcast[bytes]"], bool]
"""Is such a task, in a Python worker of an executor, by its name; returns whether all is over for it."""


class StandingJobs(Generic[P]):
    """Keeps `count` tasks running until they say that all is over, or `stop` is called.

    A task is called `kind`-NUMBER, and is of the run `whose`; `plan` travels in its closure, `archive` by broadcast.
    One whose executor is taken away is submitted again, for another one. `left` is told each time a task's job ends
    before its time, with the task's name and a cause, and returns whether it had come to work. `failure` says why tasks
    cannot be had at all, after five jobs in a row of one of them that never did.
    """

    def __init__(
        self,
        spark: SparkContext,
        kind: str,
        whose: str,
        plan: P,
        archive: bytes,
        hold: Hold[P],
        count: int,
        left: Callable[[str, str], bool],
    ) -> None:
        self._spark, self._kind, self._whose, self._plan, self._hold, self._left = spark, kind, whose, plan, hold, left
        self._data = spark.broadcast(archive)
        self._stopping = threading.Event()
        self._count, self._threads, self._dismissed = count, dict[int, InheritableThread](), set[int]()
        self._submissions: dict[int, Iterator[int]] = defaultdict(itertools.count)
        self.failure: TinderboxError | None = None

    def start(self) -> None:
        """Submit all tasks."""
        self.resize(self._count)

    def resize(self, count: int) -> None:
        """Keep so many tasks from now on; those that are too many end when they are told to."""
        self._dismissed |= {number for number in self._threads if number >= count}
        self._count = count
        for number in range(count):
            if number not in self._threads or not self._threads[number].is_alive():
                self._threads[number] = InheritableThread(target=self._keep, args=(number,), daemon=True)
                self._threads[number].start()

    def renew(self, name: str) -> None:
        """Cancel a task that does not answer any more; it is submitted again."""
        with suppress(Py4JError, OSError):
            self._spark.cancelJobGroup(self._group(task_number(name)))

    def stop(self, grace: float) -> None:
        """Wait for tasks, which have been told to end, and cancel what still runs after `grace` seconds."""
        self._stopping.set()
        self._join(grace)
        late = [number for number, thread in self._threads.items() if thread.is_alive()]
        with suppress(Py4JError, OSError):  # Java may have ended, and with it all that is stopped here
            for number in late:
                self._spark.cancelJobGroup(self._group(number))
            self._join(grace)
            if not late:  # a cancelled task may still hold it
                self._data.destroy()

    def _join(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        for thread in self._threads.values():
            thread.join(max(deadline - time.monotonic(), 0.0))

    def _group(self, number: int) -> str:
        return f"tinderbox-{self._whose}-{self._kind}-{number}"

    def _keep(self, number: int) -> None:
        """Submit one task again and again, with growing pauses, until all is over."""
        failures = 0
        for submission in self._submissions[number]:
            try:
                over = self._submit(number, submission)
                if over and number not in self._dismissed:
                    return
                cause, failures = UNWANTED if over else LEAVING, 0
            except Exception as error:
                cause, failures = first_line(error), failures + 1
            if self._stopping.is_set():
                return
            if self._left(task_name(self._kind, number, submission), cause):
                failures = min(failures, 1)
            if number >= self._count:
                return
            self._dismissed.discard(number)  # it is wanted again
            if failures >= _MOST_FAILURES:
                told = f"{self._kind} {number} failed {failures} times, the last time: {cause}"
                self.failure = TinderboxError(told)
                return
            if self._stopping.wait(min(2.0**failures, _LONGEST_BACKOFF)):
                return

    def _submit(self, number: int, submission: int) -> bool:
        """Run a task's job to its end and return whether all is over for it."""
        plan, data, hold, kind = self._plan, self._data, self._hold, self._kind
        self._spark.setJobGroup(self._group(number), f"{kind} {number} of {self._whose}", interruptOnCancel=True)
        names = self._spark.parallelize([task_name(kind, number, submission)], 1)
        return all(names.map(lambda name: hold(name, plan, data)).collect())


def task_number(name: str) -> int:
    """Return the number of a task from its name, however often it was submitted again."""
    return int(re.split(r"[.+]", name.partition("-")[2])[0])


def task_name(kind: str, number: int, submission: int) -> str:
    """Return the name of a task; what follows the dot counts how often it was submitted again."""
    return f"{kind}-{number}" if not submission else f"{kind}-{number}.{submission}"


def first_line(error: Exception) -> str:
    """Return the one line of a Spark exception that says what happened in the task."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if "Error: " in line or "Exception: " in line]
    return (raised or lines or [type(error).__name__])[-1][:500]
