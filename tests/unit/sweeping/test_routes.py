"""The HTTP door: token, size, message, coordinator, in this order."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from tinderbox.errors import Superseded
from tinderbox.sweeping import routes
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.messages import ANSWER, ASK, FINISH, HEARTBEAT, REPORT, Finish, Heartbeat, Report
from tinderbox.sweeping.routes import LARGEST_MESSAGE, Routes, finite
from tinderbox.sweeping.status import Status, take_status

TOKEN = {"Authorization": "Bearer secret"}
Open = Callable[..., Any]


@dataclass
class Host:
    """What the routes are part of, on the desk's clock; `settled` counts, `trouble` is what the record has."""

    desk: Any
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    settled: int = 0
    trouble: Exception | None = None
    kept: bool = False
    watched: int = 0

    @property
    def coordinator(self) -> Coordinator:
        """The desk's coordinator."""
        return self.desk.coordinator  # type: ignore[no-any-return]

    def now(self) -> float:
        """Return the desk's time."""
        return float(self.desk.now)

    async def settle(self) -> None:
        """Write the record, if that can be done."""
        self.settled += 1
        if self.trouble is not None:
            raise self.trouble

    def see_watcher(self) -> None:
        """Count."""
        self.watched += 1

    def status(self) -> Status:
        """Return where the study stands."""
        return take_status(self.desk.study, 3, None, 1, self.desk.now)

    def change(self) -> None:
        """Wake who waits."""
        self.changed.set()
        self.changed = asyncio.Event()


@dataclass
class Site:
    """A host, its files and a client that knows the token."""

    host: Host
    files: Any
    client: TestClient[web.Request, web.Application]

    async def post(self, path: str, body: bytes, **headers: str) -> ClientResponse:
        """Send a message with the token."""
        return await self.client.post(path, data=io.BytesIO(body), headers={**TOKEN, **headers})


@pytest.fixture
def visit(desk: Open, memory_files: type) -> Callable[..., None]:
    """Return a function that runs a coroutine with a site; its desk is that of the site's host."""

    @asynccontextmanager
    async def opened(**rules: Any) -> AsyncIterator[Site]:
        host, files = Host(desk(**rules)), memory_files()
        application = Routes(host, files, "secret").application()
        async with TestClient(TestServer(application)) as client:
            yield Site(host, files, client)

    def run(steps: Callable[[Site], Coroutine[Any, Any, None]], **rules: Any) -> None:
        async def main() -> None:
            async with opened(**rules) as site:
                await steps(site)

        asyncio.run(main())

    return run


MESSAGES = ["/lease", "/heartbeat", "/trials/0/report", "/trials/0/finish"]


@pytest.mark.parametrize(
    "token", [{}, {"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"},
              {"Authorization": "Bearer secret "[:-2]}, {"Authorization": "Bearer secret2"}],
)  # fmt: skip
def test_strangers_are_refused_before_anything_is_parsed(visit: Any, token: dict[str, str]) -> None:
    """Garbage with a wrong token is not even read: 401, for every route and for paths that do not exist."""

    async def steps(site: Site) -> None:
        before = list(site.host.desk.record)
        for path in (*MESSAGES, "/nothing"):
            reply = await site.client.post(path, data=b"\x00garbage", headers=token)
            assert (reply.status, await reply.json()) == (401, {"error": "the token is missing or wrong"})
        reply = await site.client.put("/trials/0/checkpoint", data=b"garbage", headers=token)
        assert reply.status == 401
        assert (await site.client.get("/status", headers=token)).status == 401
        assert site.host.desk.record == before

    visit(steps)


def test_a_stranger_is_refused_before_his_body_arrives(visit: Any) -> None:
    """Who announces a gigabyte and sends nothing gets his answer at once."""

    async def steps(site: Site) -> None:
        server = site.client.server
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST /lease HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 401")
        writer.close()

    visit(steps)


def test_a_token_that_is_no_text_is_wrong(visit: Any) -> None:
    """Bytes that are no UTF-8 are compared like any others."""

    async def steps(site: Site) -> None:
        server = site.client.server
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()

    visit(steps)


@pytest.mark.parametrize("path", MESSAGES)
def test_messages_that_are_none(visit: Any, path: str) -> None:
    """No JSON, JSON of another shape, an unknown key: 400, and nothing has happened."""

    async def steps(site: Site) -> None:
        before = list(site.host.desk.record)
        for body in (b"", b"garbage", b"[]", b'{"slot": 5}', b'{"slot": "a", "more": 1}', b"\xff"):
            reply = await site.post(path, body)
            assert reply.status == 400
            assert (await reply.json())["error"]
        assert site.host.desk.record == before

    visit(steps)


def test_a_body_that_is_too_large(visit: Any) -> None:
    """413, whether its length is announced or not."""

    async def steps(site: Site) -> None:
        async def blocks() -> AsyncIterator[bytes]:
            for _ in range(LARGEST_MESSAGE // 65536 + 1):
                yield b"x" * 65536

        assert (await site.post("/lease", b"x" * (LARGEST_MESSAGE + 1))).status == 413
        assert (await site.client.post("/lease", data=blocks(), headers=TOKEN)).status == 413
        assert (await site.post("/lease", b"x" * (LARGEST_MESSAGE - 1))).status == 400

    visit(steps)


def test_the_largest_log_fits(visit: Any) -> None:
    """256 KiB of output that JSON must escape byte by byte, and a traceback of the same kind, are not too much."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        lease, log = desk.take(), "\x00" * (256 << 10)
        finish = Finish(ask=desk.ask(), attempt=1, outcome="failed", cause="c", details="\x00" * 16_384, log=log)
        assert (await site.post(f"/trials/{lease.trial}/finish", FINISH.dump_json(finish))).status == 200
        assert site.files.logs == {(0, 1): log}

    visit(steps)


def test_a_trial_over_http(visit: Any) -> None:
    """Lease, report, checkpoint, finish; each reply only after the record is safe."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        reply = await site.post("/lease", ASK.dump_json(desk.ask("a", 1)))
        lease = ANSWER.validate_json(await reply.read()).lease
        assert lease is not None
        settled = site.host.settled
        report = Report(slot="a", attempt=1, epoch=2, metrics={"loss": 0.5}, last=True, can_save=True)
        reply = await site.post("/trials/0/report", REPORT.dump_json(report))
        assert (reply.status, await reply.json()) == (200, {"action": "go_on", "save": True})
        assert site.host.settled == settled + 1
        query = {"attempt": "1", "epoch": "2", "slot": "a", "sha256": hashlib.sha256(b"state").hexdigest()}
        reply = await site.client.put("/trials/0/checkpoint", params=query, data=b"state", headers=TOKEN)
        assert reply.status == 200
        assert site.files.checkpoints == {"0-1-2": b"state"}
        assert desk.study.trials[0].checkpoint.size == 5
        finish = Finish(ask=desk.ask("a", 2), attempt=1, outcome="complete", log="printed")
        reply = await site.post("/trials/0/finish", FINISH.dump_json(finish))
        assert ANSWER.validate_json(await reply.read()).lease.trial == 1  # type: ignore[union-attr]
        assert site.files.logs == {(0, 1): "printed"}

    visit(steps)


def test_stale_messages_are_409(visit: Any) -> None:
    """A report, a finish, a heartbeat and a checkpoint of an attempt that is over: a sentence, and nothing is kept."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        lease = desk.take()
        desk.report(lease, 1)
        desk.coordinator.leave("a", "gone", desk.now)
        desk.lease("a")
        desk.take("b")
        before = list(desk.record)
        query = {"attempt": "1", "epoch": "1", "slot": "a", "sha256": "00"}
        finish = Finish(ask=desk.ask(), attempt=1, outcome="complete", log="late")
        replies = [
            await site.post(
                "/trials/0/report", REPORT.dump_json(Report(slot="a", attempt=1, epoch=2, metrics={"loss": 0}))
            ),
            await site.post("/trials/0/finish", FINISH.dump_json(finish)),
            await site.post("/heartbeat", HEARTBEAT.dump_json(Heartbeat(slot="a", trial=0, attempt=1, log="late"))),
            await site.client.put("/trials/0/checkpoint", params=query, data=b"late", headers=TOKEN),
        ]
        assert [reply.status for reply in replies] == [409] * 4
        assert [await reply.json() for reply in replies] == [{"error": "attempt 1 of trial 0 is over"}] * 4
        assert (desk.record, site.files.logs, site.files.checkpoints) == (before, {}, {})

    visit(steps)


def test_a_checkpoint_that_arrives_damaged(visit: Any) -> None:
    """Another digest, or no digest at all: 400, and the trial has no checkpoint."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        desk.report(desk.take(), 1)
        query = {"attempt": "1", "epoch": "1", "slot": "a", "sha256": "00"}
        reply = await site.client.put("/trials/0/checkpoint", params=query, data=b"x", headers=TOKEN)
        assert (reply.status, await reply.json()) == (400, {"error": "another digest"})
        for missing in query:
            less = {key: value for key, value in query.items() if key != missing}
            assert (await site.client.put("/trials/0/checkpoint", params=less, data=b"x", headers=TOKEN)).status == 400
        assert desk.study.trials[0].checkpoint is None

    visit(steps)


async def fetch(site: Site, attempt: int, slot: str, trial: int = 0) -> tuple[int, bytes]:
    """Ask for the state that an attempt goes on from."""
    query = {"attempt": str(attempt), "slot": slot}
    reply = await site.client.get(f"/trials/{trial}/checkpoint", params=query, headers=TOKEN)
    return reply.status, await reply.read()


def resumed(site: Site, content: bytes = b"a state") -> None:
    """Let trial 0 lose its first attempt after its first state was saved, and slot b take it."""
    desk = site.host.desk
    lease = desk.take("a")
    desk.report(lease, 1, slot="a", can_save=True)
    site.files.checkpoints[desk.save(lease, 1, "a")] = content
    desk.coordinator.leave("a", "gone", desk.now)
    assert desk.take("b").resume.path == "0-1-1"


@pytest.mark.parametrize("content", [b"a state", b"", b"x" * 100_001])
def test_a_state_is_sent_to_the_attempt_that_goes_on_from_it(visit: Any, content: bytes) -> None:
    """Block by block, even if it is empty, and to no stranger."""

    async def steps(site: Site) -> None:
        resumed(site, content)
        assert await fetch(site, 2, "b") == (200, content)
        assert (await site.client.get("/trials/0/checkpoint?attempt=2&slot=b")).status == 401

    visit(steps, trials=1)


def test_a_state_is_not_sent_to_another_attempt(visit: Any) -> None:
    """An older one, another slot's, or one that begins anew: each is told why."""

    async def steps(site: Site) -> None:
        resumed(site)
        assert await fetch(site, 1, "a") == (409, b'{"error": "attempt 1 of trial 0 is over"}')
        assert await fetch(site, 2, "a") == (409, b'{"error": "trial 0 is leased to slot b, not to a"}')
        assert await fetch(site, 1, "b", trial=9) == (409, b'{"error": "attempt 1 of trial 9 is over"}')
        lease = site.host.desk.take("c")
        status, refusal = await fetch(site, 1, "c", lease.trial)
        assert (status, b"begins anew, so there is no checkpoint to fetch" in refusal) == (400, True)
        assert (await fetch(site, 2, "b"))[0] == 200

    visit(steps)


def test_a_state_that_is_gone(visit: Any) -> None:
    """Its attempt is told so at once, the record says so, and the trial's next attempt begins anew."""

    async def steps(site: Site) -> None:
        resumed(site)
        desk = site.host.desk
        del site.files.checkpoints["0-1-1"]
        sentence = b'{"error": "0-1-1 is not in storage any more; the trial begins anew"}'
        assert await fetch(site, 2, "b") == (404, sentence)
        assert (await fetch(site, 2, "b"))[0] == 400
        assert [event.path for event in desk.record if event.type == "checkpoint_freed"] == ["0-1-1"]
        assert desk.coordinator.clear_garbage() == []  # storage may have been out of reach, and the state is there
        finish = Finish(ask=desk.ask("b"), attempt=2, outcome="infrastructure", cause="it is gone")
        reply = await site.post("/trials/0/finish", FINISH.dump_json(finish))
        lease = ANSWER.validate_json(await reply.read()).lease
        assert lease is not None
        assert (lease.trial, lease.attempt, lease.resume) == (0, 3, None)
        desk.report(lease, 1, slot="b")
        assert desk.replay() == desk.study

    visit(steps, trials=1)


def test_a_storage_that_breaks_off(visit: Any) -> None:
    """What has been sent is not taken for the whole."""

    async def steps(site: Site) -> None:
        resumed(site)

        async def break_off(path: str) -> AsyncIterator[bytes]:
            yield b"a s"
            raise OSError(5, "Input/output error")

        site.files.send_checkpoint = break_off
        with pytest.raises(ClientError):
            await fetch(site, 2, "b")

    visit(steps, trials=1)


def test_a_storage_that_does_not_answer(visit: Any) -> None:
    """Is asked again."""

    async def steps(site: Site) -> None:
        resumed(site)

        async def fail(path: str) -> AsyncIterator[bytes]:
            raise OSError(5, "Input/output error")
            yield b""

        site.files.send_checkpoint = fail
        sentence = b'{"error": "storage does not take it: [Errno 5] Input/output error"}'
        assert await fetch(site, 2, "b") == (503, sentence)

    visit(steps, trials=1)


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (OSError(28, "No space left on device"), "storage does not take it: [Errno 28] No space left on device"),
        (Superseded("a later driver"), "storage does not take it: a later driver"),
    ],
)
def test_nothing_is_acknowledged_that_is_not_safe(visit: Any, trouble: Exception, sentence: str) -> None:
    """When storage is full every reply, the status too, is 503: ask again, there may be another driver."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        lease = desk.take()
        site.host.trouble = trouble
        report = Report(slot="a", attempt=1, epoch=1, metrics={"loss": 0.1})
        finish = Finish(ask=desk.ask(), attempt=1, outcome="complete")
        replies = [
            await site.post("/lease", ASK.dump_json(desk.ask("b"))),
            await site.post(f"/trials/{lease.trial}/report", REPORT.dump_json(report)),
            await site.post(f"/trials/{lease.trial}/finish", FINISH.dump_json(finish)),
            await site.client.get("/status", headers=TOKEN),
        ]
        assert [reply.status for reply in replies] == [503] * 4
        assert await replies[-1].json() == {"error": sentence}

    visit(steps)


def test_a_long_poll_wakes_when_work_arrives(visit: Any) -> None:
    """A slot that waits for work gets it at once, not when its patience ends."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        waiting = asyncio.create_task(site.post("/lease", ASK.dump_json(desk.ask("a", 1))))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        desk.propose()
        site.host.change()
        reply = await asyncio.wait_for(waiting, 5)
        assert (await reply.json())["lease"]["trial"] == 0

    visit(steps, trials=1, proposed=False)


def test_a_long_poll_has_an_end(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without work the slot is told to ask again; when the study is over, that it is."""
    monkeypatch.setattr(routes, "LONGEST_POLL_SECONDS", 0.2)

    async def steps(site: Site) -> None:
        desk = site.host.desk
        waiting = asyncio.create_task(site.post("/lease", ASK.dump_json(desk.ask("a", 1))))
        await asyncio.sleep(0.05)
        desk.now += 1
        reply = await asyncio.wait_for(waiting, 5)
        assert await reply.json() == {"lease": None, "done": False}
        desk.coordinator.close(desk.now)
        reply = await site.post("/lease", ASK.dump_json(desk.ask("a", 2)))
        assert await reply.json() == {"lease": None, "done": True}

    visit(steps, trials=1, proposed=False)


def test_a_long_poll_of_a_slot_that_was_given_up_gets_no_work(visit: Any) -> None:
    """Its pod is gone, and its request waits here still; a slot that lives asks again, and is met anew."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        waiting = asyncio.create_task(site.post("/lease", ASK.dump_json(desk.ask("a@n1", 1))))
        await asyncio.sleep(0.1)
        desk.coordinator.lose_host("pod-n1", "its node is gone", desk.now)
        desk.propose()
        site.host.change()
        reply = await asyncio.wait_for(waiting, 5)
        assert await reply.json() == {"lease": None, "done": False}
        assert not desk.coordinator.roster.slots
        reply = await site.post("/lease", ASK.dump_json(desk.ask("a@n1", 2)))
        assert (await reply.json())["lease"]["trial"] == 0

    visit(steps, trials=1, proposed=False)


def test_a_heartbeat_is_held_back_until_the_study_ends(visit: Any) -> None:
    """So that a slot learns at once when its time is up."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        desk.take()
        beat = Heartbeat(slot="a", trial=0, attempt=1, log="so far")
        waiting = asyncio.create_task(site.post("/heartbeat", HEARTBEAT.dump_json(beat)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        assert site.files.logs == {(0, 1): "so far"}
        desk.pass_time(15)
        site.host.ending.set()
        reply = await asyncio.wait_for(waiting, 5)
        assert await reply.json() == {"action": "stop", "save": False}

    visit(steps, seconds=5.0)


def test_a_heartbeat_is_released_when_the_driver_stops(visit: Any) -> None:
    """Its attempt is over then."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        desk.take()
        beat = HEARTBEAT.dump_json(Heartbeat(slot="a", trial=0, attempt=1))
        waiting = asyncio.create_task(site.post("/heartbeat", beat))
        await asyncio.sleep(0.1)
        desk.coordinator.close(desk.now)
        site.host.ending.set()
        assert (await asyncio.wait_for(waiting, 5)).status == 409

    visit(steps)


def test_a_heartbeat_has_an_end(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered long before the lease would expire; an empty log is not kept."""
    monkeypatch.setattr(routes, "HEARTBEAT_SECONDS", 0.05)

    async def steps(site: Site) -> None:
        site.host.desk.take()
        beat = Heartbeat(slot="a", trial=0, attempt=1, log="")
        reply = await asyncio.wait_for(site.post("/heartbeat", HEARTBEAT.dump_json(beat)), 5)
        assert await reply.json() == {"action": "go_on", "save": False}
        assert site.files.logs == {}

    visit(steps)


def test_the_status_is_plain_json(visit: Any) -> None:
    """For curl and for every JSON reader."""

    async def steps(site: Site) -> None:
        desk = site.host.desk
        lease = desk.take()
        desk.report(lease, 2, 0.25, last=True)
        desk.finish(lease)
        reply = await site.client.get("/status", headers=TOKEN)

        def refuse(constant: str) -> Any:
            raise AssertionError(f"{constant} is not JSON")

        told = json.loads(await reply.read(), parse_constant=refuse)
        assert (told["best_trial"], told["best_value"], told["best_parameters"]) == (0, 0.25, {"x": 0.0})
        counts = {"waiting": 1, "running": 1, "complete": 1}
        assert told["trials"] == {"paused": 0, "failed": 0, "diverged": 0, "stopped": 0, **counts}

    visit(steps)


def test_what_json_does_not_have_is_null() -> None:
    """NaN and infinities, at any depth."""
    tree = {"a": float("nan"), "b": {"c": float("-inf"), "d": 1.5, "e": "nan", "f": None}}
    assert finite(tree) == {"a": None, "b": {"c": None, "d": 1.5, "e": "nan", "f": None}}


def test_files_are_taken_home_once_all_are_there(visit: Any) -> None:
    """Before, their names are null; and only what is meant to be taken can be."""

    async def steps(site: Site) -> None:
        async def get(path: str) -> tuple[int, bytes]:
            reply = await site.client.get(path, headers=TOKEN)
            return reply.status, await reply.read()

        assert await get("/files") == (200, b'{"names": null}')
        site.host.kept = True
        assert await get("/files") == (200, b'{"names": ["best/parameters.yaml"]}')
        assert await get("/files/best/parameters.yaml") == (200, b"best/parameters.yaml")
        for name in ("job.yaml", "../job.yaml", "%2e%2e/job.yaml", "best%2f..%2fjob.yaml"):
            assert (await get(f"/files/{name}"))[0] == 404
        assert site.host.watched >= 3

    visit(steps)
