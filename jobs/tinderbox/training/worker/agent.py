"""The executor's side of a training: joins the driver, and has a fresh worker process for each attempt."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from tinderbox.allowance import Allowance, Share
from tinderbox.errors import StaleAttempt
from tinderbox.failure import Failure, describe_exit
from tinderbox.memory import CGROUPS
from tinderbox.process import Child, Nursery, Target
from tinderbox.training.driver.messages import Answer, Ended, Join, Sender, Watch
from tinderbox.training.records import Assignment

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Between two looks at the worker and the machine."""

_OWN_FAULT = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}
"""Signals by which a process ends itself; others come from somebody else."""


class Door(Protocol):
    """The driver, as an agent reaches it; what it raises but StaleAttempt means that the driver is gone."""

    def join(self, ask: Join) -> Answer:
        """Wait for an assignment; without one, ask again."""

    def watch(self, watch: Watch) -> None:
        """Say that the agent and its worker's process live; returns after a while.

        Raises:
            StaleAttempt: The worker is to end.
        """

    def ended(self, ended: Ended) -> None:
        """Say how the worker's process has ended.

        Raises:
            StaleAttempt: Its attempt is over already.
        """


@dataclass(frozen=True)
class Settings:
    """Who an agent is, and how it starts workers; `address` returns where others will reach its next worker.

    Without a `share` of the executor's memory a worker may hold what it likes.
    """

    name: str
    node: str
    host: str
    address: Callable[[], str]
    preload: tuple[str, ...] = ()
    code: Path | None = None
    share: Share | None = None
    cgroups: Path = CGROUPS


class Agent:
    """Runs workers, one at a time, until the driver says that training is over.

    A worker process runs `target(connection, (work,))`: it is sent an Assignment, and says last how it has ended, by an
    object with `outcome` and `failure`. Once `is_leaving` says that the machine is being taken away, it ends.
    """

    def __init__(
        self, settings: Settings, target: Target, work: object, door: Door, is_leaving: Callable[[], bool] = bool
    ) -> None:
        self._settings, self._door, self._is_leaving = settings, door, is_leaving
        self._nursery = Nursery(target, (work,), settings.preload, settings.code)
        self._allowance = Allowance(settings.share, settings.cgroups, what="worker", slot="worker")
        self._requests = 0
        self._standby: Child | None = None

    def run(self) -> bool:
        """Run workers to the end of training, and return True; False where the machine is being taken away."""
        try:
            while not self._is_leaving():
                if self._standby is None:
                    self._standby = self._nursery.start()
                answer = self._door.join(self._ask())
                if answer.done:
                    return True
                if answer.assignment is not None:
                    self._work(answer.assignment)
            return False
        finally:
            if self._standby is not None:
                self._standby.end()

    def _ask(self) -> Join:
        self._requests += 1
        settings = self._settings
        return Join(
            agent=settings.name,
            node=settings.node,
            host=settings.host,
            address=settings.address(),
            request=self._requests,
        )

    def _work(self, assignment: Assignment) -> None:
        """Let a worker take part in an attempt, and tell how it has ended."""
        child, self._standby = self._standby or self._nursery.start(), None
        sender = Sender(agent=self._settings.name, attempt=assignment.attempt, rank=assignment.rank)
        watch = _Watch(self._door, sender, child)
        self._allowance.begin()
        try:
            child.send(assignment)
            outcome, failure = self._receive(child, watch)
        finally:
            child.end()
            watch.stop()
        if watch.gone is not None:
            raise watch.gone
        ended = Ended(
            sender=sender, outcome=outcome, cause=failure.cause, details=failure.details, log=child.output.text()
        )
        with suppress(StaleAttempt):
            self._door.ended(ended)

    def _receive(self, child: Child, watch: _Watch) -> tuple[Any, Failure]:
        """Wait for a worker's end, or for a reason to end it, and return how it was."""
        while True:
            try:
                over = child.receive(LOOK_SECONDS)
            except EOFError:
                return self._explain(child.end(), watch)
            if over is not None:
                return over.outcome, over.failure
            if self._is_leaving():
                return "killed", Failure("its executor is being taken away")
            if (excess := self._allowance.excess(child.pid)) is not None:
                return "out_of_memory", excess

    def _explain(self, code: int | None, watch: _Watch) -> tuple[Any, Failure]:
        """Return how a worker has ended that could not say so."""
        if watch.is_stale:
            return "stale", Failure("its attempt was over")
        if code == -signal.SIGKILL and (killed := self._allowance.explain_kill()) is not None:
            return "out_of_memory", killed
        failure = describe_exit(code, "its", "training was over")
        outcome: Literal["killed", "crashed"] = "killed"
        if code is None or code >= 0 or -code in _OWN_FAULT:
            outcome = "crashed"
        return outcome, failure


class _Watch:
    """Tells the driver that a worker's process lives and what it prints, and kills it when its attempt is over."""

    def __init__(self, door: Door, sender: Sender, child: Child) -> None:
        self._door, self._sender, self._child = door, sender, child
        self.is_stale = False
        self.gone: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a call that is held back comes to its end by itself."""
        self._over.set()

    def _keep(self) -> None:
        sent = ""
        while not self._over.wait(LOOK_SECONDS):
            log = self._child.output.text()
            try:
                self._door.watch(Watch(sender=self._sender, log=log if log != sent else None))
            except StaleAttempt:
                self.is_stale = True
            except Exception as error:
                self.gone = error
            if self._over.is_set():
                return
            if self.is_stale or self.gone is not None:
                self._child.kill()
                return
            sent = log
