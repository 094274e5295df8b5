"""Ends a study whose executors do not arrive, or do not live, with the sentence that says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tinderbox.errors import NoExecutor
from tinderbox.sweeping.status import Status


@dataclass(frozen=True)
class Patience:
    """How long the first executor may take, in seconds, and how many may die without one trial ending in between."""

    start_seconds: float
    deaths: int


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
    """Looks at a study from time to time; `refusal` says why the cluster would refuse one more executor."""

    def __init__(self, pods: Pods, refusal: Callable[[], str | None], patience: Patience, now: float) -> None:
        self._pods, self._refusal, self._patience = pods, refusal, patience
        self._began: float | None = now
        self._ended, self._forgiven = 0, 0

    def check(self, status: Status, now: float) -> None:
        """Return if there is still hope.

        Raises:
            NoExecutor: The first executor has not come in time, or too many have died since a trial last ended.
        """
        if status.slots:
            self._began = None
        if self._began is not None and now - self._began > self._patience.start_seconds:
            raise NoExecutor(f"no executor came within {self._patience.start_seconds:.0f} s: {self._why_none()}")
        deaths = self._pods.deaths()
        if status.ended > self._ended:
            self._ended, self._forgiven = status.ended, len(deaths)
        if len(deaths) - self._forgiven >= self._patience.deaths:
            raise NoExecutor(f"{len(deaths)} executors died, {self._patience.deaths} of them in a row: {deaths[-1]}")

    def _why_none(self) -> str:
        reasons = self._pods.waiting() or self._pods.deaths()[-1:] or [self._refusal() or "the cluster gives no reason"]
        return "; ".join(reasons)
