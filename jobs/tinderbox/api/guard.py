"""Says why executors are missing, and ends a study to which none come, or whose executors do not live."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tinderbox.errors import NoExecutor

if TYPE_CHECKING:
    from pyspark import SparkContext

LOG = logging.getLogger(__name__)

SHORT_SECONDS = 20.0
"""For so long slots that are missing are on their way, and nobody asks why."""


@dataclass(frozen=True)
class Patience:
    """How long the first executor may take, in seconds, and how many may die without one trial ending in between."""

    start_seconds: float
    deaths: int


class Standing(Protocol):
    """Where work that needs executors stands: how many of it have come, how many pieces have ended, whether all has."""

    @property
    def slots(self) -> int:
        """How many have come."""

    @property
    def ended(self) -> int:
        """How many pieces of work have ended."""

    @property
    def over(self) -> bool:
        """Whether all of them have."""


class Check(Protocol):
    """A look at work that needs executors."""

    def __call__(self, standing: Standing, wanted: int | None = None) -> None:
        """Return if there is still hope; so many slots are wanted from now on, as many as before where it is None."""


class Pods(Protocol):
    """What is known of the executors' pods."""

    def deaths(self) -> list[str]:
        """Return why pods have died, in order."""

    def waiting(self) -> list[str]:
        """Return why pods that have not started do not start."""


@dataclass(frozen=True)
class Unseen:
    """Stands for the executors of a master that runs no pods, such as spark://, and tells nothing of them."""

    master: str

    def deaths(self) -> list[str]:
        """Return nothing: none is known."""
        return []

    def waiting(self) -> list[str]:
        """Return what to look for."""
        return [f"{self.master} gives none; see on its web page whether it has free workers that reach this machine"]


class Guard:
    """Looks at a study of `wanted` slots from time to time.

    `refusal` says why the cluster would refuse one more executor.
    """

    def __init__(
        self, pods: Pods, refusal: Callable[[], str | None], patience: Patience, wanted: int, now: float
    ) -> None:
        self._pods, self._refusal, self._patience, self._wanted = pods, refusal, patience, wanted
        self._began: float | None = now
        self._ended, self._forgiven = 0, 0
        self._asked, self._told = now, ""

    def check(self, status: Standing, now: float, wanted: int | None = None) -> None:
        """Return if there is still hope; what keeps slots away goes to the log, once.

        Raises:
            NoExecutor: The first executor has not come in time, or too many have died since a trial last ended.
        """
        self._wanted = self._wanted if wanted is None else wanted
        if status.slots:
            self._began = None
        if self._began is not None and now - self._began > self._patience.start_seconds:
            raise NoExecutor(f"no executor came within {self._patience.start_seconds:.0f} s: {self._why_none()}")
        deaths = self._pods.deaths()
        if status.ended > self._ended:
            self._ended, self._forgiven = status.ended, len(deaths)
        if len(deaths) - self._forgiven >= self._patience.deaths:
            raise NoExecutor(f"{len(deaths)} executors died, {self._patience.deaths} of them in a row: {deaths[-1]}")
        if now - self._asked > SHORT_SECONDS:
            self._asked = now
            self._explain_shortage(status)

    def _explain_shortage(self, status: Standing) -> None:
        """Ask for a refusal where slots are missing; why a pod that was made does not start is told by its watch."""
        if status.slots < self._wanted and not status.over and not self._pods.waiting():
            reason = self._refusal() or ""
            if reason and reason != self._told:
                self._told = reason
                LOG.warning(
                    "%d of %d slots run, and the study goes on with them: %s", status.slots, self._wanted, reason
                )

    def _why_none(self) -> str:
        reasons = self._pods.waiting() or self._pods.deaths()[-1:] or [self._refusal() or "the cluster gives no reason"]
        return "; ".join(reasons)


@contextmanager
def guarded(
    spark: SparkContext, slots: int, lose: Callable[[str, str, bool], None] = lambda pod, cause, memory: None
) -> Iterator[Check]:
    """Follow the executors' pods, where there are any, and lend a check that ends work without hope.

    `lose` is told of each pod that has died, why, and whether it was out of memory.
    """
    setting, master = spark.getConf().get, spark.master or ""
    patience = Patience(
        start_seconds=float(str(setting("spark.tinderbox.executor.startTimeout", "300"))),
        deaths=int(str(setting("spark.tinderbox.breaker.failures", "10"))),
    )
    if not master.startswith("k8s"):
        stranger = Guard(Unseen(master), lambda: None, patience, slots, time.time())
        here = master.startswith("local")
        yield lambda standing, wanted=None: None if here else stranger.check(standing, time.time(), wanted)
        return
    from tinderbox.kube.quota import executor_pod, explain_refusal
    from tinderbox.kube.watch import watch_executors

    def refusal() -> str | None:
        return explain_refusal(
            str(setting("spark.kubernetes.namespace", "")), executor_pod(dict(spark.getConf().getAll()))
        )

    pods = watch_executors(str(setting("spark.kubernetes.namespace", "")), str(spark.applicationId), lose)
    guard = Guard(pods, refusal, patience, slots, time.time())
    try:
        yield lambda standing, wanted=None: guard.check(standing, time.time(), wanted)
    finally:
        pods.stop()
