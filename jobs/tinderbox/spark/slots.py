"""Long-lived slots on Spark: each is a job of one partition in a job group of its own.

So one bad node cannot use up Spark's patience with the others, and slots may come and go.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import Broadcast, InheritableThread, SparkContext, SparkFiles, TaskContext

from tinderbox.data import unpack
from tinderbox.errors import TinderboxError
from tinderbox.metrics.meter import find_meter
from tinderbox.process import set_gpus, set_threads
from tinderbox.spark.executor import find_gpus, find_place, find_share, noticing
from tinderbox.sweeping.child import Work
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.objective import Objective
from tinderbox.sweeping.slot import Door, Settings, Slot
from tinderbox.sweeping.study import UNWANTED

_LONGEST_BACKOFF = 30.0
_MOST_FAILURES = 5

LEAVING = "its executor is being taken away"


@dataclass(frozen=True)
class SlotPlan:
    """What every slot of a study is told; it travels in the closure of the slot's job, the token too.

    `data` is the digest of the data set, and `door` opens the way to the coordinator. `heap` is what an
    executor's Java may hold in bytes, and `neighbours` how many slots share an executor, 0 where that is not known.
    """

    study: str
    url: str
    token: str
    objective: Objective
    metrics: tuple[str, ...]
    data: str
    preload: tuple[str, ...]
    repeat: bool
    cores: int
    door: Callable[[str, str], Door] = Client
    heap: int = 0
    neighbours: int = 0


class SlotJobs:
    """Keeps `count` slots running until they say that the study is over, or `stop` is called.

    A slot whose executor is taken away is submitted again, for another one. `left` is told each time a slot's job ends
    before its time, with the slot's name and a cause, and returns whether the slot had asked for work. `failure` says
    why slots cannot be had at all, after five jobs in a row of one slot that never did.
    """

    def __init__(
        self,
        spark: SparkContext,
        plan: SlotPlan,
        archive: bytes,
        count: int,
        left: Callable[[str, str], bool],
    ) -> None:
        self._spark, self._plan, self._left = spark, plan, left
        self._data = spark.broadcast(archive)
        self._stopping = threading.Event()
        self._count, self._threads, self._dismissed = count, dict[int, InheritableThread](), set[int]()
        self._submissions: dict[int, Iterator[int]] = defaultdict(itertools.count)
        self.failure: TinderboxError | None = None

    def start(self) -> None:
        """Submit all slots."""
        self.scale(self._count)

    def scale(self, count: int, neighbours: int = 0) -> None:
        """Keep so many slots from now on, of which so many share an executor, 0 where that is as before.

        Those that are too many end when the coordinator dismisses them; those that run keep their share of memory.
        """
        self._plan = replace(self._plan, neighbours=neighbours or self._plan.neighbours)
        self._dismissed |= {number for number in self._threads if number >= count}
        self._count = count
        for number in range(count):
            if number not in self._threads or not self._threads[number].is_alive():
                self._threads[number] = InheritableThread(target=self._keep, args=(number,), daemon=True)
                self._threads[number].start()

    def stop(self, grace: float) -> None:
        """Wait for slots, which the coordinator has told to end, and cancel what still runs after `grace` seconds."""
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
        return f"tinderbox-{self._plan.study}-slot-{number}"

    def _keep(self, number: int) -> None:
        """Submit one slot again and again, with growing pauses, until the study is over."""
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
            if self._left(slot_name(number, submission), cause):
                failures = min(failures, 1)
            if number >= self._count:
                return
            self._dismissed.discard(number)  # it is wanted again
            if failures >= _MOST_FAILURES:
                self.failure = TinderboxError(f"slot {number} failed {failures} times, the last time: {cause}")
                return
            if self._stopping.wait(min(2.0**failures, _LONGEST_BACKOFF)):
                return

    def _submit(self, number: int, submission: int) -> bool:
        """Run a slot's job to its end and return whether the study is over for it."""
        plan, data = self._plan, self._data
        self._spark.setJobGroup(self._group(number), f"slot {number} of study {plan.study}", interruptOnCancel=True)
        job = self._spark.parallelize([slot_name(number, submission)], 1).map(lambda name: hold_slot(name, plan, data))
        return all(job.collect())


def slot_number(name: str) -> int:
    """Return the number of a slot from its name, however often it was submitted again."""
    return int(re.split(r"[.+]", name.removeprefix("slot-"))[0])


def slot_name(number: int, submission: int) -> str:
    """Return the name of a slot; what follows the dot counts how often it was submitted again."""
    return f"slot-{number}" if not submission else f"slot-{number}.{submission}"


def first_line(error: Exception) -> str:
    """Return the one line of a Spark exception that says what happened in the slot."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    raised = [line for line in lines if "Error: " in line or "Exception: " in line]
    return (raised or lines or [type(error).__name__])[-1][:500]


def hold_slot(name: str, plan: SlotPlan, data: Broadcast[bytes]) -> bool:
    """Be a slot, in a Python worker of an executor; return whether the study is over, or the executor taken away."""
    context = TaskContext.get()
    again = context.attemptNumber() if context else 0
    set_threads(plan.cores)
    set_gpus(find_gpus(context))
    scratch = Path(SparkFiles.getRootDirectory()) / f"tinderbox-{plan.study}"
    work = Work(
        objective=plan.objective,
        metrics=plan.metrics,
        code=scratch / f"code-{plan.objective.digest[:16]}",
        data=scratch / f"data-{plan.data[:16]}",
        repeat=plan.repeat,
    )
    unpack(lambda: data.value, work.data)
    plan.objective.unpack(work.code)
    node, host = find_place()
    settings = Settings(
        name=f"{name}+{again}" if again else name,
        node=node,
        preload=plan.preload,
        host=host,
        share=find_share(plan.heap, plan.neighbours),
    )
    with noticing() as is_leaving:
        slot = Slot(settings, work, plan.door(plan.url, plan.token), is_leaving, find_meter(plan.study))
        slot.run()
    return not slot.leaving
