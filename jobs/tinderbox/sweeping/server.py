"""The driver's thread that runs a study: answers slots, proposes trials ahead of need, and keeps time.

Everything that touches the coordinator happens in this thread's event loop, one thing at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from tinderbox.errors import TinderboxError
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.journal import Journal
from tinderbox.sweeping.past import glance
from tinderbox.sweeping.routes import Files, Routes
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.status import Status, take_status
from tinderbox.web.server import Served

TICK_SECONDS = 1.0
WATCHER_SECONDS = 5.0
"""Who has not asked for so long follows the study no more."""

T = TypeVar("T")


class Server(Served):
    """Answers the slots of one study, which is to have `wanted`; `failure` says what ended it, if anything did."""

    def __init__(
        self, coordinator: Coordinator, journal: Journal, proposer: Proposer, files: Files, token: str
    ) -> None:
        self.coordinator = coordinator
        # A slot that hangs up must not be leased a trial by its own request, which waits for one.
        super().__init__(
            Routes(self, files, token).application(), (self._keep_time, self._keep_proposing), "coordinator"
        )
        self._journal, self._proposer, self._files = journal, proposer, files
        self.changed, self._announced = asyncio.Event(), 0
        self.ending = asyncio.Event()
        self.kept = False
        self.wanted = 0
        self._watched = -WATCHER_SECONDS

    # From other threads

    def call(self, action: Callable[[Coordinator], T]) -> T:
        """Let an action see or change the coordinator between two messages; its events are safe when it returns.

        Raises:
            TinderboxError: The record cannot be written.
        """

        async def act() -> T:
            result = action(self.coordinator)
            await self.settle()
            return result

        try:
            return self._await(act())
        except OSError as error:
            raise TinderboxError(f"the study stopped: its record cannot be written: {error}") from error

    def allow(self, proposer: Proposer, seconds: float | None) -> None:
        """Go on with the budget of a job that was changed, and with its proposer."""

        def change(coordinator: Coordinator) -> None:
            self._proposer = proposer
            coordinator.allow(proposer.limit, seconds)
            if not coordinator.is_ending:
                self.ending.clear()
            self._wake()

        self.call(change)

    def linger(self, longest: float) -> None:
        """Let those who follow the study take home what it has left behind, for `longest` seconds at most."""
        self.kept = True
        deadline = time.monotonic() + longest
        while time.monotonic() < deadline and time.monotonic() - self._watched < WATCHER_SECONDS:
            time.sleep(TICK_SECONDS / 4)

    # In the loop, for the routes

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time()

    def status(self) -> Status:
        """Return where the study stands."""
        rules, slots = self.coordinator.rules, len(self.coordinator.roster.slots)
        return take_status(self.coordinator.study, rules.limit, rules.seconds, slots, self.now())

    def see_watcher(self) -> None:
        """Note that somebody follows the study."""
        self._watched = time.monotonic()

    async def settle(self) -> None:
        """Return when all events are safe; wake who waits for a change, if there is news."""
        self.coordinator.tick(self.now())
        self._announce()
        if self.coordinator.is_ending:
            self.ending.set()
        await self._journal.flush()
        if self.coordinator.study.finished is not None:
            self._ended.set()

    async def _tidy(self) -> None:
        """Throw away what no trial needs, once the record says so."""
        garbage = self.coordinator.clear_garbage()  # before the flush: what comes in during it is not safe yet
        await self._journal.flush()
        for path in garbage:
            with suppress(OSError):  # it costs room and nothing else
                await self._files.discard(path)

    def _announce(self) -> None:
        if self._journal.news != self._announced:
            self._announced = self._journal.news
            self._wake()

    def _wake(self) -> None:
        """Let all who wait for a change look again."""
        self.changed.set()
        self.changed = asyncio.Event()

    # In the loop, by itself

    async def _keep_time(self) -> None:
        while True:
            await self.settle()
            await self._tidy()
            await asyncio.sleep(TICK_SECONDS)

    async def _keep_proposing(self) -> None:
        """Choose parameters ahead of need, so that no slot waits for a sampler."""
        while True:
            changed, number = self.changed, self.coordinator.wanted()
            if number is None or not self._begin_round():
                if self.coordinator.repeat(self.now()):
                    self._announce()
                else:
                    await changed.wait()
                continue
            parameters, known = await self._choose(number)
            self.coordinator.propose(parameters, known, self._proposer.is_baseline(number), self.now())
            self._announce()

    def _begin_round(self) -> bool:
        """Begin the next round of a search that zooms, where it is due; return whether a trial may be proposed."""
        rounds, study = self._proposer.rounds, self.coordinator.study
        if rounds is None or not rounds.is_due(study):
            return True
        if not rounds.is_ripe(study):
            return False
        narrowed = rounds.narrow(study)
        self.coordinator.narrow(narrowed.space, narrowed.cause, self.now())
        return True

    async def _choose(self, number: int) -> tuple[Parameters, int]:
        """Return the parameters of a trial and how many ended trials they were chosen by, off the loop if need be."""
        study = self.coordinator.study
        if self._proposer.is_instant:
            await asyncio.sleep(0)
            return self._proposer.propose(number, glance(study)), len(study.ended)
        # Slots get their answers first: while a sampler computes, Python lets the loop run every 5 ms only.
        await self._journal.flush()
        past = self.coordinator.look()
        return await asyncio.to_thread(self._proposer.propose, number, past), len(past.ended)
