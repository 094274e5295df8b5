"""The slots of a study on Spark, long-lived tasks each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pyspark import Broadcast, SparkContext, SparkFiles, TaskContext

from tinderbox.data import unpack
from tinderbox.metrics.meter import find_meter
from tinderbox.process import set_gpus, set_threads
from tinderbox.spark.executor import find_gpus, find_place, find_share, noticing
from tinderbox.spark.jobs import StandingJobs
from tinderbox.sweeping.child import Work
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.objective import Objective
from tinderbox.sweeping.slot import Door, Settings, Slot


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


class SlotJobs(StandingJobs[SlotPlan]):
    """Keeps `count` slots of a study running; each has the data set as an `archive`."""

    def __init__(
        self,
        spark: SparkContext,
        plan: SlotPlan,
        archive: bytes,
        count: int,
        left: Callable[[str, str], bool],
    ) -> None:
        super().__init__(spark, "slot", plan.study, plan, archive, hold_slot, count, left)

    def scale(self, count: int, neighbours: int = 0) -> None:
        """Keep so many slots from now on, of which so many share an executor, 0 where that is as before.

        Those that are too many end when the coordinator dismisses them; those that run keep their share of memory.
        """
        self._plan = replace(self._plan, neighbours=neighbours or self._plan.neighbours)
        self.resize(count)


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
