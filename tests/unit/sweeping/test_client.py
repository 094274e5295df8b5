"""A slot's messages over a network that fails, against a server made of a few lines."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tinderbox.errors import BadInput, StaleAttempt, TinderboxError
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.messages import Ask, Decision, Finish, Heartbeat, Report, Resume
from tinderbox.web import client as module

ASK = Ask(slot="slot-0+1", node="n", request=1)
DECISION = b'{"action": "stop", "save": true}'


class Script:
    """Replies in order, each a status with a body, or None for a connection that breaks; `seen` has all requests.

    A reply of which less arrives than it has announced carries its length besides; each one takes `seconds`.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.replies: list[tuple[int, bytes] | tuple[int, bytes, int] | None] = []
        self.seen: list[tuple[str, str, str | None, bytes]] = []


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Script, Client]]:
    """Return a script, and a client of the server that follows it; repeated messages do not wait."""
    monkeypatch.setattr(module, "REPEATED", module.REPEATED.new(total=3, backoff_factor=0))
    plan = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            plan.seen.append((self.command, self.path, self.headers["Authorization"], body))
            reply = plan.replies.pop(0)
            time.sleep(plan.seconds)
            if reply is None:
                self.close_connection = True
                return
            self.send_response(reply[0])
            self.send_header("Content-Type", "application/json" if reply[1][:1] == b"{" else "text/plain")
            self.send_header("Content-Length", str(reply[2] if len(reply) == 3 else len(reply[1])))
            self.end_headers()
            self.wfile.write(reply[1])
            self.close_connection = len(reply) == 3

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that the library looks for

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield plan, Client(f"http://127.0.0.1:{server.server_port}", "secret")
    server.shutdown()
    thread.join()
    server.server_close()


def report(client: Client) -> Decision:
    """Send a report."""
    return client.report(7, Report(slot="a", attempt=1, epoch=1, metrics={"loss": 0.5}))


def test_a_message_carries_the_token_and_gets_its_answer(script: tuple[Script, Client]) -> None:
    """Each goes to its own route."""
    plan, client = script
    plan.replies = [(200, DECISION), (200, b'{"done": true}'), (200, b"{}"), (200, b"{}")]
    assert report(client) == Decision(action="stop", save=True)
    assert client.lease(ASK).done is True
    assert client.finish(7, Finish(ask=ASK, attempt=1, outcome="complete")).lease is None
    assert client.heartbeat(Heartbeat(slot="a")) == Decision()
    assert [(method, path) for method, path, _, _ in plan.seen] == [
        ("POST", "/trials/7/report"), ("POST", "/lease"), ("POST", "/trials/7/finish"), ("POST", "/heartbeat"),
    ]  # fmt: skip
    assert {token for _, _, token, _ in plan.seen} == {"Bearer secret"}


@pytest.mark.parametrize("trouble", [None, (503, b'{"error": "busy"}')])
def test_a_lost_reply_is_asked_for_again(script: tuple[Script, Client], trouble: Any) -> None:
    """The same message is sent until it is answered."""
    plan, client = script
    plan.replies = [trouble, trouble, (200, DECISION)]
    assert report(client).save is True
    assert len({body for *_, body in plan.seen}) == 1
    assert len(plan.seen) == 3


def test_patience_has_an_end(script: tuple[Script, Client]) -> None:
    """A coordinator that stays away is an error."""
    plan, client = script
    plan.replies = [None] * 4
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        report(client)


@pytest.mark.parametrize(
    ("reply", "error", "sentence"),
    [
        ((409, b'{"error": "attempt 1 of trial 7 is over"}'), StaleAttempt, "attempt 1 of trial 7 is over"),
        ((400, b'{"error": "a report needs loss"}'), BadInput, "a report needs loss"),
        ((401, b'{"error": "the token is missing or wrong"}'), TinderboxError, "the token is missing or wrong"),
        ((413, b"413: Request Entity Too Large"), TinderboxError, "HTTP 413"),
        ((500, b"500 Internal Server Error"), TinderboxError, "HTTP 500"),
    ],
)
def test_refusals_are_errors_and_final(
    script: tuple[Script, Client], reply: tuple[int, bytes], error: type[Exception], sentence: str
) -> None:
    """Each status is its own error with the server's sentence, and is not asked for again."""
    plan, client = script
    plan.replies = [reply]
    with pytest.raises(error) as refusal:
        report(client)
    assert (type(refusal.value), str(refusal.value)) == (error, sentence)
    assert len(plan.seen) == 1


def test_an_upload_is_sent_again_from_its_beginning(script: tuple[Script, Client], tmp_path: Path) -> None:
    """With its digest, and with a slot's name that URLs would change."""
    plan, client = script
    path = tmp_path / "checkpoint"
    path.write_bytes(content := b"state" * 50_000)
    plan.replies = [(503, b"{}"), (200, b"{}")]
    client.upload(7, 2, 5, "slot-0+1", path)
    digest = hashlib.sha256(content).hexdigest()
    expected = f"/trials/7/checkpoint?attempt=2&epoch=5&slot=slot-0%2B1&sha256={digest}"
    assert [(method, where, body) for method, where, _, body in plan.seen] == [("PUT", expected, content)] * 2


def test_an_upload_may_take_longer_than_other_messages(script: tuple[Script, Client], tmp_path: Path) -> None:
    """The driver replies when storage elsewhere has it."""
    plan, client = script
    (tmp_path / "checkpoint").write_bytes(STATE)
    client._pool.timeout = urllib3.Timeout(connect=5.0, read=0.1)
    plan.seconds, plan.replies = 0.5, [(200, b"{}")]
    client.upload(7, 2, 5, "slot-0+1", tmp_path / "checkpoint")
    assert len(plan.seen) == 1


@pytest.mark.parametrize(
    ("seconds", "replies", "sentence"),
    [
        (0.5, [(200, b"{}")] * 2, "storage did not take its 250000 bytes within 0.1 s, twice"),
        (0.0, [None] * 2, "the driver does not take it: "),
        (0.0, [(503, b'{"error": "storage does not take it"}')] * 4, "the driver does not take it: "),
        (0.0, [(500, b"")], "HTTP 500"),
    ],
)
def test_an_upload_that_is_given_up(
    script: tuple[Script, Client],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    seconds: float,
    replies: list[Any],
    sentence: str,
) -> None:
    """Too slow, broken off or refused: each is an error with its sentence, which costs the slot one attempt."""
    plan, client = script
    (tmp_path / "checkpoint").write_bytes(STATE)
    monkeypatch.setattr(module, "_LONGEST_UPLOAD", urllib3.Timeout(connect=5.0, read=0.1))
    plan.seconds, plan.replies = seconds, list(replies)
    with pytest.raises(TinderboxError) as refusal:
        client.upload(7, 2, 5, "slot-0+1", tmp_path / "checkpoint")
    assert str(refusal.value).startswith(sentence)
    assert len(plan.seen) == len(replies)


STATE = b"state" * 50_000
RESUME = Resume(epoch=5, path="7-1-5", sha256=hashlib.sha256(STATE).hexdigest(), size=len(STATE))


@pytest.mark.parametrize("trouble", [None, (503, b'{"error": "busy"}')])
def test_a_state_is_fetched_whole(script: tuple[Script, Client], tmp_path: Path, trouble: Any) -> None:
    """For the attempt and the slot that it is meant for; a driver that is busy is asked again."""
    plan, client = script
    plan.replies = [trouble, (200, STATE)]
    client.download(7, 2, "slot-0+1", RESUME, tmp_path / "state")
    assert (tmp_path / "state").read_bytes() == STATE
    expected = ("GET", "/trials/7/checkpoint?attempt=2&slot=slot-0%2B1", "Bearer secret", b"")
    assert plan.seen == [expected] * 2


@pytest.mark.parametrize(
    ("replies", "error", "sentence"),
    [
        ([(200, STATE[:-1])], TinderboxError, "what arrived for epoch 5 is not what was saved"),
        ([(200, STATE[:-1] + b"!")], TinderboxError, "what arrived for epoch 5 is not what was saved"),
        ([(200, b"")], TinderboxError, "what arrived for epoch 5 is not what was saved"),
        ([(200, STATE[:999], len(STATE))] * module.MOST_TRIES, TinderboxError, "the driver does not send it: "),
        ([None] * 4, TinderboxError, "the driver does not send it: "),
        ([(503, b'{"error": "storage does not take it"}')] * 4, TinderboxError, "the driver does not send it: "),
        ([(404, b'{"error": "7-1-5 is not there"}')], TinderboxError, "7-1-5 is not there"),
        ([(400, b'{"error": "attempt 1 of trial 7 begins anew"}')], BadInput, "attempt 1 of trial 7 begins anew"),
        ([(409, b'{"error": "attempt 1 of trial 7 is over"}')], StaleAttempt, "attempt 1 of trial 7 is over"),
    ],
)
def test_a_state_that_does_not_arrive(
    script: tuple[Script, Client], tmp_path: Path, replies: list[Any], error: type[Exception], sentence: str
) -> None:
    """Cut short, changed, empty, broken off, gone or refused: each is an error with its sentence."""
    plan, client = script
    plan.replies = list(replies)
    with pytest.raises(error) as refusal:
        client.download(7, 2, "a", RESUME, tmp_path / "state")
    assert type(refusal.value) is error
    assert str(refusal.value).startswith(sentence)
    assert len(plan.seen) == len(replies)


def test_an_empty_state_is_a_state(script: tuple[Script, Client], tmp_path: Path) -> None:
    """A function may have nothing to write."""
    plan, client = script
    plan.replies = [(200, b"")]
    nothing = Resume(epoch=5, path="7-1-5", sha256=hashlib.sha256().hexdigest(), size=0)
    client.download(7, 2, "a", nothing, tmp_path / "state")
    assert (tmp_path / "state").read_bytes() == b""


def test_a_slot_that_spark_started_again_can_save(
    serve: Callable[..., AbstractContextManager[Any]], make_job: Callable[..., Any], tmp_path: Path
) -> None:
    """The name of such a slot has a plus, and arrives at a real server as it is."""
    (tmp_path / "checkpoint").write_bytes(b"state")
    with serve(make_job()) as running:
        client = Client(running.url, running.token)
        lease = client.lease(ASK).lease
        assert lease is not None
        sent = Report(slot=ASK.slot, attempt=1, epoch=2, metrics={"loss": 0.5}, last=True, can_save=True)
        assert client.report(lease.trial, sent).save is True
        client.upload(lease.trial, 1, 2, ASK.slot, tmp_path / "checkpoint")
        assert list(running.files.checkpoints.values()) == [b"state"]
