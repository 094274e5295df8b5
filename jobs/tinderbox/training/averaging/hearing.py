"""The driver's HTTP door in mode averaging: tasks say that they are alive, and whoever follows a training looks in."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from tinderbox.errors import StaleAttempt
from tinderbox.training.averaging.pulses import Pulse, Pulses
from tinderbox.training.status import TrainStatus
from tinderbox.web.routes import finite, guard
from tinderbox.web.server import Served

LARGEST_MESSAGE = 64 << 10
"""In bytes."""

T = TypeVar("T")


class Hearing(Served):
    """Hears the pulses of tasks; `status` returns where training stands, and is called in the server's thread."""

    def __init__(self, token: str, status: Callable[[], TrainStatus]) -> None:
        application = web.Application(middlewares=[guard(token)], client_max_size=LARGEST_MESSAGE)
        application.add_routes([web.post("/pulse", self._pulse), web.get("/status", self._status)])
        super().__init__(application, (), "hearing")
        self._pulses, self._look = Pulses(), status

    def call(self, action: Callable[[Pulses, float], T]) -> T:
        """Let an action see or change the pulses, from another thread; it is told the time."""

        async def act() -> T:
            return action(self._pulses, time.monotonic())

        return self._await(act())

    async def settle(self) -> None:
        """Nothing that is heard has to be safe."""

    async def _pulse(self, request: web.Request) -> web.Response:
        pulse = _read(await request.read())
        if not self._pulses.hear(pulse, time.monotonic()):
            raise StaleAttempt(f"round {pulse.round} is over")
        return web.json_response({})

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(finite(dataclasses.asdict(self._look())))


def _read(body: bytes) -> Pulse:
    """Return a task's words.

    Raises:
        ValueError: They are none.
    """
    match json.loads(body):
        case {"round": int(number), "share": str(share), "node": str(node), "new": bool(new), "over": bool(over)}:
            return Pulse(number, share, node, new, over)
    raise ValueError("a pulse has a round, a share, a node, and whether it is new and whether over")
