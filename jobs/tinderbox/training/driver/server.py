"""The driver's thread that runs a training: answers agents and workers, and keeps time.

Everything that touches the rendezvous happens in this thread's event loop, one thing at a time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from tinderbox.errors import TinderboxError
from tinderbox.journal import Lines
from tinderbox.training.driver.messages import Beat
from tinderbox.training.driver.rendezvous import Rendezvous
from tinderbox.training.driver.routes import Files, Routes
from tinderbox.training.progress import best_epoch
from tinderbox.training.record import CheckpointKept
from tinderbox.training.status import TrainStatus, take_status
from tinderbox.web.server import Served

LOG = logging.getLogger(__name__)

TICK_SECONDS = 0.5
RATE_SECONDS = 20.0
"""Examples a second are those of so long."""

REFUSAL_SECONDS = 60.0
"""Storage may refuse for so long what can be written again; the record cannot."""

T = TypeVar("T")


class Shelf(Files, Protocol):
    """Files of a training, with what the server itself does to them."""

    def count(self, kept: CheckpointKept) -> None:
        """Let a checkpoint count, whose parts are all there."""

    def prune(self, keep: int, best: int | None = None) -> list[int]:
        """Remove all but the newest `keep` checkpoints and that of the best epoch."""

    def write_history(self, rows: Any) -> None:
        """Keep the history."""

    def write_confusion(self, confusion: list[list[int]] | None) -> None:
        """Keep which validation examples were taken for what."""


class Rate:
    """How many examples a second workers have done lately."""

    def __init__(self) -> None:
        self._done = deque[tuple[float, int]]()
        self._began = 0.0

    def add(self, examples: int, now: float) -> None:
        """Take in examples that were done."""
        self._done.append((now, examples))
        while self._done[0][0] < now - RATE_SECONDS:
            self._done.popleft()

    def of(self, now: float) -> float | None:
        """Return the rate, None where nothing was done lately."""
        lately = [(at, examples) for at, examples in self._done if at >= now - RATE_SECONDS]
        span = now - lately[0][0] if lately else 0.0
        return sum(examples for _, examples in lately[1:]) / span if span > 0 and len(lately) > 1 else None


class Server(Served):
    """Answers the agents and workers of one training; `failure` says what has ended the server, if anything did.

    `record` has the lines of what happens, which the rendezvous adds to; it is flushed before anybody is answered. An
    epoch has so many `examples`.
    """

    def __init__(self, rendezvous: Rendezvous, record: Lines, files: Shelf, token: str, examples: int) -> None:
        super().__init__(Routes(self, files, token).application(), (self._keep_time,), "rendezvous")
        self.rendezvous = rendezvous
        self._record, self._files, self._examples = record, files, examples
        self.changed, self._announced = asyncio.Event(), 0
        self._rate, self._written = Rate(), -1
        self._counting = asyncio.Lock()
        self._refused: float | None = None

    # From other threads

    def call(self, action: Callable[[Rendezvous], T]) -> T:
        """Let an action see or change the rendezvous between two messages; its events are safe when it returns.

        Raises:
            TinderboxError: The record cannot be written.
        """

        async def act() -> T:
            result = action(self.rendezvous)
            await self.settle()
            return result

        try:
            return self._await(act())
        except OSError as error:
            told = f"training stopped: its record cannot be written: {error}"
            raise TinderboxError(f"{told}; see to storage and run the same command again") from error

    # In the loop, for the routes

    def now(self) -> float:
        """Return the time in Unix seconds."""
        return time.time()

    def beat(self, beat: Beat) -> None:
        """Note that a worker lives, and what it has done."""
        now = self.now()
        self.rendezvous.beat(beat, now)
        self._rate.add(beat.done.examples, now)

    def status(self) -> TrainStatus:
        """Return where the training stands."""
        rendezvous, now = self.rendezvous, self.now()
        running = rendezvous.running
        workers = len(running.occupied) if running else len(rendezvous.crew.agents)
        at = running.position if running else None
        done = rendezvous.training.history[-1].epoch if rendezvous.training.history else 0
        share = at.examples / self._examples if at and self._examples and at.epoch == done else 0.0
        return take_status(
            rendezvous.training,
            now,
            workers=workers,
            step=at.step if at else None,
            share=min(share, 1.0),
            rate=self._rate.of(now) if running else None,
            waiting=len(rendezvous.crew.waiting()) if running else 0,
        )

    async def settle(self) -> None:
        """Return when all events are safe; wake who waits for a change, if there is news."""
        self.rendezvous.tick(self.now())
        if self._record.added != self._announced:
            self._announced = self._record.added
            self.changed.set()
            self.changed = asyncio.Event()
        await self._record.flush()
        if self.rendezvous.over:
            self._ended.set()

    async def count(self) -> None:
        """Let checkpoints count whose parts are all there, and remove those that are not wanted any more."""
        async with self._counting:
            while self.rendezvous.wholes:
                kept = self.rendezvous.wholes[0]
                await asyncio.to_thread(self._files.count, kept)
                self.rendezvous.keep(kept, self.now())
                await self._record.flush()
                training, job = self.rendezvous.training, self.rendezvous.job
                best = best_epoch(training.history, job) if job.early_stopping else None
                try:
                    await asyncio.to_thread(self._files.prune, job.checkpoints.keep, best)
                except OSError as error:  # it costs room and nothing else
                    LOG.warning("old checkpoints may be left: %s", error)

    async def complete(self) -> None:
        """Keep what training has come to, and end it, if all workers have finished."""
        running = self.rendezvous.running
        if running is not None and running.finished:
            await asyncio.to_thread(self._files.write_confusion, running.confusion)
            await self._write_history()
            self.rendezvous.complete(self.now())

    # In the loop, by itself

    async def _keep_time(self) -> None:
        while True:
            await self.settle()  # a record that cannot be written ends training here
            await self._keep_files()
            await asyncio.sleep(TICK_SECONDS)

    async def _keep_files(self) -> None:
        """Bring to storage what is wanted there; it may refuse that for a while, and is asked again.

        Raises:
            OSError: It refuses for too long.
        """
        try:
            await self.count()
            await self.complete()  # whoever was the last to finish may have died before it was answered
            await self._write_history()
        except OSError as error:
            now = time.monotonic()
            self._refused = now if self._refused is None else self._refused
            if now - self._refused > REFUSAL_SECONDS:
                raise
            LOG.warning("storage does not take it, and is asked again: %s", error)
        else:
            self._refused = None

    async def _write_history(self) -> None:
        if self._written != self._announced:
            announced = self._announced
            rows = [ended.row for ended in self.rendezvous.training.history]
            await asyncio.to_thread(self._files.write_history, rows)
            self._written = announced

    async def _tidy(self) -> None:
        await self._write_history()
        await self._record.flush()
