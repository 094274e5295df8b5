"""A driver's HTTP server, whose event loop has a thread of its own: all that it decides happens there, in turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from aiohttp import web

from tinderbox.errors import TinderboxError

T = TypeVar("T")

Work = Callable[[], Coroutine[Any, Any, None]]


class Served:
    """Answers by the routes of an application, and does `works`, none of which returns, until it is stopped.

    What one of them raises ends the server: it is its `failure` then. A client that hangs up ends its own request.
    """

    def __init__(self, application: web.Application, works: Sequence[Work], name: str) -> None:
        self.failure: Exception | None = None
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        self._loop = asyncio.new_event_loop()
        self._works = works
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)

    # From other threads

    def start(self, host: str | None, port: int = 0) -> int:
        """Begin to answer, at all of the machine's addresses where `host` is None, and return the port.

        Raises:
            TinderboxError: Somebody else has the port.
        """
        self._thread.start()
        return self._await(self._open(host, port))

    def wait(self, timeout: float) -> bool:
        """Return whether all that is served has ended, or the server has failed, waiting up to `timeout` seconds."""
        return self._ended.wait(timeout)

    @property
    def is_running(self) -> bool:
        """Whether a call is answered; one that comes before the start waits for it."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Answer no more and end the thread; a write that is under way is waited for."""
        if self._thread.is_alive():
            self._await(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # In the loop

    async def settle(self) -> None:
        """Return when all that has happened is safe."""
        raise NotImplementedError

    async def _tidy(self) -> None:
        """Do what is left to do when nobody is answered any more."""

    async def _open(self, host: str | None, port: int) -> int:
        await self.settle()
        self._tasks = [asyncio.create_task(self._guarded(work)) for work in self._works]
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            told = f"port {port or 'of its own'}, at which the driver is to answer: {error.strerror or error}"
            raise TinderboxError(f"{told}; end what has it, or choose another one") from error
        return int(self._runner.addresses[0][1])

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.cleanup()
        try:
            await self._tidy()
        except Exception as error:
            self.failure = self.failure or error

    async def _guarded(self, work: Work) -> None:
        """Run a task that never returns; what it raises ends the server."""
        try:
            await work()
        except Exception as error:
            self.failure = error
            self._ended.set()
