"""The HTTP routes of a study: token first, then size, then the message, then the coordinator."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol, TypeVar

from aiohttp import web
from pydantic import TypeAdapter

from tinderbox.errors import BadInput
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.events import CheckpointSaved
from tinderbox.sweeping.messages import ANSWER, ASK, DECISION, FINISH, HEARTBEAT, REPORT, Answer
from tinderbox.sweeping.status import Status
from tinderbox.web.routes import finite, guard, refuse, send

LARGEST_MESSAGE = 2 << 20
"""In bytes; what a trial printed is 256 KiB at most, and up to six times that where JSON must escape all of it."""

LONGEST_POLL_SECONDS = 10.0
HEARTBEAT_SECONDS = 5.0

M = TypeVar("M")


class Files(Protocol):
    """Where checkpoints and logs of trials are kept."""

    async def keep_checkpoint(
        self, trial: int, attempt: int, epoch: int, blocks: AsyncIterator[bytes], sha256: str
    ) -> tuple[str, int]:
        """Store a checkpoint whole or not at all; return its path and its size in bytes.

        Raises:
            BadInput: What arrived has another digest.
        """

    def send_checkpoint(self, path: str) -> AsyncIterator[bytes]:
        """Yield what is in a checkpoint, in blocks.

        Raises:
            FileNotFoundError: It is gone.
        """

    def takes_state(self, path: str) -> bool:
        """Whether slots may keep a checkpoint there themselves."""

    async def discard(self, path: str) -> None:
        """Throw a checkpoint away; one that is gone already is no error."""

    async def keep_log(self, trial: int, attempt: int, text: str) -> None:
        """Store what an attempt has printed so far."""

    def keepsakes(self) -> list[str]:
        """Return the names of the files worth taking home."""

    def read(self, name: str) -> bytes:
        """Return what is in a file."""


class Host(Protocol):
    """What the routes need of the server they are part of; `changed` is set, and replaced, with the next news.

    `ending` is set once running trials are to end, and `kept` is true once all that the study leaves behind is there.
    """

    kept: bool

    coordinator: Coordinator
    changed: asyncio.Event
    ending: asyncio.Event

    def now(self) -> float:
        """Return the time in Unix seconds."""

    async def settle(self) -> None:
        """Return when all events are safe, and wake who waits for a change."""

    def status(self) -> Status:
        """Return where the study stands."""

    def see_watcher(self) -> None:
        """Note that somebody follows the study."""


class Routes:
    """The handlers, and the application that holds them."""

    def __init__(self, host: Host, files: Files, token: str) -> None:
        self._host, self._files = host, files
        self._token = token
        self._keepsakes: list[str] | None = None

    def application(self) -> web.Application:
        """Return the application with all routes."""
        application = web.Application(middlewares=[guard(self._token)], client_max_size=LARGEST_MESSAGE)
        application.add_routes(
            [
                web.post("/lease", self.lease),
                web.post("/heartbeat", self.heartbeat),
                web.post("/trials/{trial:\\d+}/report", self.report),
                web.put("/trials/{trial:\\d+}/checkpoint", self.checkpoint),
                web.get("/trials/{trial:\\d+}/checkpoint", self.resume),
                web.post("/trials/{trial:\\d+}/state", self.state),
                web.post("/trials/{trial:\\d+}/finish", self.finish),
                web.get("/status", self.status),
                web.get("/files", self.files),
                web.get("/files/{name:.+}", self.file),
            ]
        )
        return application

    async def lease(self, request: web.Request) -> web.Response:
        """Lease a trial, waiting a while for one."""
        ask = await _read(request, ASK)
        deadline = self._host.now() + LONGEST_POLL_SECONDS
        while True:
            changed = self._host.changed
            answer = self._host.coordinator.lease(ask, self._host.now())
            patience = deadline - self._host.now()
            if answer.lease or answer.done or patience <= 0:
                return await self._reply(ANSWER, answer)
            await self._host.settle()
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), patience)
            if ask.slot not in self._host.coordinator.roster.slots:  # given up meanwhile; if it lives, it asks again
                return await self._reply(ANSWER, Answer())

    async def report(self, request: web.Request) -> web.Response:
        """Take a report and reply with the decision."""
        report = await _read(request, REPORT)
        return await self._reply(DECISION, self._host.coordinator.report(_trial(request), report, self._host.now()))

    async def finish(self, request: web.Request) -> web.Response:
        """End an attempt and reply with the slot's next lease."""
        finish = await _read(request, FINISH)
        answer = self._host.coordinator.finish(_trial(request), finish, self._host.now())
        if finish.log:
            await self._files.keep_log(_trial(request), finish.attempt, finish.log)
        return await self._reply(ANSWER, answer)

    async def heartbeat(self, request: web.Request) -> web.Response:
        """Keep a slot alive and keep what its trial printed."""
        beat = await _read(request, HEARTBEAT)
        decision = self._host.coordinator.heartbeat(beat, self._host.now())
        if beat.trial is not None and beat.log:
            await self._files.keep_log(beat.trial, beat.attempt, beat.log)
        if decision.action == "go_on":
            # Held back, so that a slot learns at once when its trial is to end.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._host.ending.wait(), HEARTBEAT_SECONDS)
                decision = self._host.coordinator.heartbeat(beat, self._host.now())
        return await self._reply(DECISION, decision)

    async def checkpoint(self, request: web.Request) -> web.Response:
        """Store the state of a trial's newest report."""
        trial, query = _trial(request), request.query
        attempt, epoch, sha256 = int(query["attempt"]), int(query["epoch"]), query["sha256"]
        self._host.coordinator.check(trial, attempt, query["slot"])
        path, size = await self._files.keep_checkpoint(trial, attempt, epoch, request.content.iter_any(), sha256)
        return await self._note_saved(request, path, size)

    async def state(self, request: web.Request) -> web.Response:
        """Note a state that its slot has brought to storage itself."""
        path, size = request.query["path"], int(request.query["size"])
        if not self._files.takes_state(path):
            raise BadInput(f"states of this study are not kept at {path!r}")
        return await self._note_saved(request, path, size)

    async def _note_saved(self, request: web.Request, path: str, size: int) -> web.Response:
        """Note that the state that a request tells of is safe."""
        query = request.query
        event = CheckpointSaved(
            time=self._host.now(),
            trial=_trial(request),
            attempt=int(query["attempt"]),
            epoch=int(query["epoch"]),
            path=path,
            sha256=query["sha256"],
            size=size,
        )
        self._host.coordinator.saved(event, query["slot"])
        await self._host.settle()
        return web.json_response({})

    async def resume(self, request: web.Request) -> web.StreamResponse:
        """Send the state that an attempt goes on from."""
        trial, query = _trial(request), request.query
        path = self._host.coordinator.resume(trial, int(query["attempt"]), query["slot"])

        def miss() -> web.Response:
            self._host.coordinator.miss(trial, path, self._host.now())
            return refuse(404, f"{path} is not in storage any more; the trial begins anew")

        return await send(request, self._files.send_checkpoint(path), miss)

    async def status(self, request: web.Request) -> web.Response:
        """Reply with the study at a glance, once all that it tells of is safe."""
        self._host.see_watcher()
        status = self._host.status()
        await self._host.settle()
        return web.json_response(finite(dataclasses.asdict(status)))

    async def files(self, request: web.Request) -> web.Response:
        """Reply with the names of the files that a watcher takes home, null while some are still being written."""
        self._host.see_watcher()
        names = await self._find_keepsakes() if self._host.kept else None
        return web.json_response({"names": names})

    async def file(self, request: web.Request) -> web.Response:
        """Reply with one of these files."""
        self._host.see_watcher()
        name = request.match_info["name"]
        if name not in await self._find_keepsakes():
            return refuse(404, f"the study has no file {name!r} to take home")
        return web.Response(body=await asyncio.to_thread(self._files.read, name))

    async def _find_keepsakes(self) -> list[str]:
        """Return the names that a watcher may take, listed once all are there: storage may hold thousands of files."""
        if self._keepsakes is not None:
            return self._keepsakes
        is_whole = self._host.kept
        names = await asyncio.to_thread(self._files.keepsakes)
        self._keepsakes = names if is_whole else None
        return names

    async def _reply(self, adapter: TypeAdapter[M], message: M) -> web.Response:
        await self._host.settle()
        return web.Response(body=adapter.dump_json(message), content_type="application/json")


async def _read(request: web.Request, adapter: TypeAdapter[M]) -> M:
    return adapter.validate_json(await request.read())


def _trial(request: web.Request) -> int:
    return int(request.match_info["trial"])
