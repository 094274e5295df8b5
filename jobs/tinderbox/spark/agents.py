"""The agents of a training on Spark, long-lived tasks each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pyspark import Broadcast, SparkContext, SparkFiles, TaskContext

from tinderbox.metrics.meter import find_meter
from tinderbox.process import set_gpus, set_threads
from tinderbox.spark.executor import find_gpus, find_place, find_share, noticing
from tinderbox.spark.jobs import StandingJobs
from tinderbox.training.channel import Channel
from tinderbox.training.code import lay_out
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment
from tinderbox.training.worker.agent import Agent, Settings
from tinderbox.training.worker.client import AgentDoor, WorkerChannel
from tinderbox.training.worker.ports import HeldPort, find_host, join_address
from tinderbox.training.worker.process import Work, stand_by


@dataclass(frozen=True)
class AgentPlan:
    """What every agent of a training is told; it travels in the closure of the agent's job, the token too.

    `heap` is what an executor's Java may hold in bytes, and `neighbours` how many workers share an executor, 0 where
    that is not known.
    """

    url: str
    token: str = field(repr=False)
    recipe: Recipe
    heap: int = 0
    neighbours: int = 0

    @property
    def run(self) -> str:
        """The training's name."""
        return self.recipe.job.name


def agent_jobs(
    spark: SparkContext, plan: AgentPlan, archive: bytes, left: Callable[[str, str], bool]
) -> StandingJobs[AgentPlan]:
    """Return the agents of all workers; each has the data set as an `archive`, empty where it reads rows of its own."""
    return StandingJobs(spark, "agent", plan.run, plan, archive, hold_agent, plan.recipe.job.workers, left)


def hold_agent(name: str, plan: AgentPlan, data: Broadcast[bytes]) -> bool:
    """Be an agent, in a Python worker of an executor; return whether training is over, or the executor taken away."""
    context = TaskContext.get()
    again = context.attemptNumber() if context else 0
    recipe, job = plan.recipe, plan.recipe.job
    set_threads(job.cores)
    set_gpus(find_gpus(context))
    code, folder = lay_out(Path(SparkFiles.getRootDirectory()), recipe, lambda: data.value)
    called = f"{name}+{again}" if again else name
    node, machine = find_place()
    host = find_host(plan.url)
    work = Work(recipe, code, folder, partial(open_channel, plan.url, plan.token, called, plan.run, job.mode.name))
    share = find_share(plan.heap, plan.neighbours)
    with HeldPort() as port, noticing() as is_leaving:
        settings = Settings(
            called, node, machine, lambda: join_address(host, port.find()), tuple(job.preload), code, share
        )
        return Agent(settings, stand_by, work, AgentDoor(plan.url, plan.token), is_leaving).run()


def open_channel(url: str, token: str, agent: str, run: str, mode: str, assignment: Assignment) -> Channel:
    """Return the way of an assignment's worker to the driver, which tells the pod's exporter of steps, too."""
    return WorkerChannel(url, token, agent, assignment, mode, find_meter(run))
