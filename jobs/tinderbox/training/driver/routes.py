"""The HTTP routes of a training: token first, then size, then the message, then the rendezvous."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from aiohttp import web
from pydantic import TypeAdapter

from tinderbox.errors import BadInput
from tinderbox.training.driver.messages import (
    ANSWER,
    ASSIGNMENT,
    BEAT,
    ENDED,
    FINISH,
    JOIN,
    RULING,
    TOLD,
    WATCH,
    Beat,
    Ruling,
    Sender,
)
from tinderbox.training.driver.rendezvous import Rendezvous
from tinderbox.training.driver.running import CheckpointWhole
from tinderbox.training.records import Position
from tinderbox.training.status import TrainStatus
from tinderbox.web.routes import finite, guard, refuse, send

LARGEST_MESSAGE = 8 << 20
"""In bytes: what a worker printed, or the confusion of a thousand classes."""

JOIN_SECONDS, WATCH_SECONDS, EPOCH_SECONDS = 10.0, 5.0, 10.0
"""For so long an answer is held back at most, while there is no news."""

M = TypeVar("M")


class Files(Protocol):
    """Where checkpoints, logs and the model of a training are kept."""

    async def take_part(
        self, step: int, rank: int, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object]
    ) -> int:
        """Store a part of a checkpoint whole or not at all, if `check` does not raise; return its size in bytes.

        Raises:
            BadInput: What arrived has another digest.
        """

    async def take_model(self, blocks: AsyncIterator[bytes], sha256: str, check: Callable[[], object]) -> None:
        """Store the model in the same way."""

    def send_part(self, step: int, rank: int) -> AsyncIterator[bytes]:
        """Yield a part of a checkpoint, in blocks.

        Raises:
            FileNotFoundError: It is gone.
        """

    def write_log(self, attempt: int, rank: int, text: str) -> None:
        """Keep what a worker has printed in an attempt."""


class Host(Protocol):
    """What the routes need of the server they are part of; `changed` is set, and replaced, with the next news."""

    rendezvous: Rendezvous
    changed: asyncio.Event

    def now(self) -> float:
        """Return the time in Unix seconds."""

    def beat(self, beat: Beat) -> None:
        """Note that a worker lives, and what it has done."""

    async def settle(self) -> None:
        """Return when all events are safe, and wake who waits for a change."""

    async def count(self) -> None:
        """Let checkpoints count whose parts are all there."""

    async def complete(self) -> None:
        """End the training, whose workers have all finished."""

    def status(self) -> TrainStatus:
        """Return where the training stands."""


class Routes:
    """The handlers, and the application that holds them."""

    def __init__(self, host: Host, files: Files, token: str) -> None:
        self._host, self._files, self._token = host, files, token

    def application(self) -> web.Application:
        """Return the application with all routes."""
        application = web.Application(middlewares=[guard(self._token)], client_max_size=LARGEST_MESSAGE)
        application.add_routes(
            [
                web.post("/join", self.join),
                web.post("/watch", self.watch),
                web.post("/ended", self.ended),
                web.post("/beat", self.beat),
                web.post("/epoch", self.epoch),
                web.put("/part", self.part),
                web.get("/part", self.resume),
                web.put("/model", self.model),
                web.post("/finish", self.finish),
                web.get("/assignment", self.assignment),
                web.get("/status", self.status),
            ]
        )
        return application

    # Agents

    async def join(self, request: web.Request) -> web.Response:
        """Give an agent its assignment, waiting a while for one."""
        ask, deadline = await _read(request, JOIN), self._host.now() + JOIN_SECONDS
        while True:
            changed = self._host.changed
            answer = self._host.rendezvous.join(ask, self._host.now())
            if answer.assignment or answer.done or not await self._await(changed, deadline):
                return await self._reply(ANSWER, answer)

    async def watch(self, request: web.Request) -> web.Response:
        """Keep an agent alive and what its worker printed; refuse it as soon as the worker is to end."""
        watch, deadline = await _read(request, WATCH), self._host.now() + WATCH_SECONDS
        self._host.rendezvous.watch(watch.sender, self._host.now())
        await self._keep_log(watch.sender, watch.log)
        while await self._await(self._host.changed, deadline):
            self._host.rendezvous.watch(watch.sender, self._host.now())
        return web.json_response({})

    async def ended(self, request: web.Request) -> web.Response:
        """Note how a worker's process has ended."""
        ended = await _read(request, ENDED)
        await self._keep_log(ended.sender, ended.log)
        self._host.rendezvous.end(ended, self._host.now())
        await self._host.settle()
        return web.json_response({})

    # Workers

    async def beat(self, request: web.Request) -> web.Response:
        """Note that a worker lives."""
        self._host.beat(await _read(request, BEAT))
        return web.json_response({})

    async def epoch(self, request: web.Request) -> web.Response:
        """Take what a worker tells of an epoch, and reply with what follows, waiting a while for the others."""
        told, deadline = await _read(request, TOLD), self._host.now() + EPOCH_SECONDS
        while True:
            changed = self._host.changed
            verdict = self._host.rendezvous.tell(told, self._host.now())
            if verdict is not None or not await self._await(changed, deadline):
                return await self._reply(RULING, Ruling(verdict=verdict))

    async def part(self, request: web.Request) -> web.Response:
        """Store a worker's part of a checkpoint, but not into a whole one, whose digests are those it was made with.

        A worker that has taken the place of a lost one may save once more what that one had saved.
        """
        sender, query, rendezvous = _sender(request), request.query, self._host.rendezvous
        at = Position(int(query["epoch"]), int(query["examples"]), int(query["step"]))
        rendezvous.seat(sender)
        blocks, sha256 = request.content.iter_any(), query["sha256"]
        with suppress(CheckpointWhole):
            check = partial(rendezvous.check_part, sender, at)
            size = await self._files.take_part(at.step, sender.rank, blocks, sha256, check)
            rendezvous.take_part(sender, at, sha256, size, self._host.now())
            await self._host.count()
        await self._host.settle()
        return web.json_response({})

    async def resume(self, request: web.Request) -> web.StreamResponse:
        """Send a part of a checkpoint."""
        self._host.rendezvous.seat(_sender(request))
        step, part = int(request.query["step"]), int(request.query["part"])
        gone = f"part {part} of the checkpoint at step {step} is not in storage any more"
        return await send(request, self._files.send_part(step, part), lambda: refuse(404, gone))

    async def model(self, request: web.Request) -> web.Response:
        """Store the model."""
        sender, rendezvous = _sender(request), self._host.rendezvous
        if sender.rank != 0:
            raise BadInput(f"the model comes from worker 0, got one from worker {sender.rank}")
        rendezvous.seat(sender)
        blocks, sha256 = request.content.iter_any(), request.query["sha256"]
        await self._files.take_model(blocks, sha256, lambda: rendezvous.seat(sender))
        rendezvous.take_model(sender)
        return web.json_response({})

    async def finish(self, request: web.Request) -> web.Response:
        """Note that a worker has come to the end; with the last one training ends."""
        finish = await _read(request, FINISH)
        if self._host.rendezvous.finish(finish.sender, finish.confusion):
            await self._host.complete()
        await self._host.settle()
        return web.json_response({})

    async def assignment(self, request: web.Request) -> web.Response:
        """Reply with the newest addresses."""
        return await self._reply(ASSIGNMENT, self._host.rendezvous.assignment(_sender(request)))

    async def status(self, request: web.Request) -> web.Response:
        """Reply with the training at a glance."""
        return web.json_response(finite(dataclasses.asdict(self._host.status())))

    async def _await(self, changed: asyncio.Event, deadline: float) -> bool:
        """Wait for news, with all events safe; return whether there were any before the deadline."""
        await self._host.settle()
        patience = deadline - self._host.now()
        with suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), max(patience, 0.0))
        return changed.is_set()

    async def _keep_log(self, sender: Sender, log: str | None) -> None:
        if log:
            await asyncio.to_thread(self._files.write_log, sender.attempt, sender.rank, log)

    async def _reply(self, adapter: TypeAdapter[M], message: M) -> web.Response:
        await self._host.settle()
        return web.Response(body=adapter.dump_json(message), content_type="application/json")


async def _read(request: web.Request, adapter: TypeAdapter[M]) -> M:
    return adapter.validate_json(await request.read())


def _sender(request: web.Request) -> Sender:
    query = request.query
    return Sender(agent=query["agent"], attempt=int(query["attempt"]), rank=int(query["rank"]))
