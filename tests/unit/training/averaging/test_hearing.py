"""A task's pulse reaches the driver while it runs and not afterwards, and the door is shut to strangers."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from urllib.error import HTTPError

import pytest

from tinderbox.training.averaging import pulsing
from tinderbox.training.averaging.hearing import Hearing
from tinderbox.training.averaging.pulses import Pulse
from tinderbox.training.averaging.pulsing import beating
from tinderbox.training.status import TrainStatus

TOKEN = "of-this-test"  # noqa: S105

Eventually = Callable[[Callable[[], bool], float], bool]


@pytest.fixture
def hearing() -> Iterator[tuple[Hearing, str]]:
    """A server and its URL."""
    status = TrainStatus(epoch=2, epochs=5, share=0.5, step=7, workers=2, wanted=2, attempt=1)
    server = Hearing(TOKEN, lambda: status)
    yield server, f"http://127.0.0.1:{server.start('127.0.0.1')}"
    server.stop()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulsing, "BEAT_SECONDS", 0.05)


def begin(server: Hearing) -> int:
    """Begin a round."""
    return server.call(lambda pulses, now: pulses.begin(cold=False))


def heard(server: Hearing) -> dict[tuple[str, str], tuple[float, bool]]:
    """Return which tasks are known, and when each was heard last."""
    return server.call(lambda pulses, now: dict(pulses._heard))


def send(url: str, body: bytes, token: str = TOKEN) -> int:
    """Send what may be no pulse, and return the status."""
    request = urllib.request.Request(f"{url}/pulse", body, {"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            status: int = answer.status
    except HTTPError as error:
        return error.code
    return status


def test_a_task_is_heard_until_it_ends(hearing: tuple[Hearing, str], eventually: Eventually) -> None:
    """Again and again while its block runs; its last words take it out."""
    server, url = hearing
    number, key = begin(server), ("share 1", "a")
    with beating(url, TOKEN, Pulse(number, *key)):
        assert eventually(lambda: key in heard(server), 10)
        first = heard(server)[key]
        assert eventually(lambda: heard(server)[key] > first, 10)
    assert eventually(lambda: heard(server) == {}, 10)


def test_a_task_that_raises_has_ended_too(hearing: tuple[Hearing, str], eventually: Eventually) -> None:
    """However a task ends, nobody waits for its pulse."""
    server, url = hearing
    number = begin(server)

    def fail() -> None:
        with beating(url, TOKEN, Pulse(number, "share 0", "a")):
            assert eventually(lambda: len(heard(server)) == 1, 10)
            raise OSError("out of disk")

    with pytest.raises(OSError, match="out of disk"):
        fail()
    assert eventually(lambda: heard(server) == {}, 10)


def test_a_task_of_an_earlier_round_falls_silent(
    hearing: tuple[Hearing, str], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is told so, it does not speak any more, though it goes on."""
    server, url = hearing
    said: list[Pulse] = []
    send = pulsing._send
    monkeypatch.setattr(pulsing, "_send", lambda connection, pulse: (said.append(pulse), send(connection, pulse)))
    number = begin(server)
    begin(server)
    with beating(url, TOKEN, Pulse(number, "share 0", "a")):
        assert eventually(lambda: len(said) == 1, 10)
        time.sleep(0.3)  # six beats
        assert len(said) == 1
    assert heard(server) == {}


def test_a_driver_that_is_away_is_spoken_to_again(eventually: Eventually, free_port: int) -> None:
    """A task goes on while nobody hears it, and is heard again later."""
    later = Hearing(TOKEN, lambda: None)  # type: ignore[arg-type,return-value]  # nobody asks
    with beating(f"http://127.0.0.1:{free_port}", TOKEN, Pulse(1, "share 0", "a")):
        time.sleep(0.2)
        later.start("127.0.0.1", free_port)
        try:
            begin(later)
            assert eventually(lambda: ("share 0", "a") in heard(later), 10)
        finally:
            later.stop()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"round": 1}',
        b'{"round": "1", "share": "a", "node": "b", "new": true, "over": false}',
        b'{"round": 1, "share": "a", "node": "b", "over": true}',
        b"\xff",
    ],
)
def test_what_is_no_pulse_is_refused(hearing: tuple[Hearing, str], body: bytes) -> None:
    """With 400, and nothing of it is noted."""
    server, url = hearing
    begin(server)
    assert send(url, body) == 400
    assert heard(server) == {}


def test_strangers_are_refused(hearing: tuple[Hearing, str]) -> None:
    """Without the token nothing is heard."""
    server, url = hearing
    body = json.dumps({"round": begin(server), "share": "share 0", "node": "a", "new": True, "over": False}).encode()
    assert send(url, body, "another") == 401
    assert heard(server) == {}
    assert send(url, body) == 200
    assert len(heard(server)) == 1


def test_whoever_follows_sees_the_status(hearing: tuple[Hearing, str]) -> None:
    """As with the other modes, at /status."""
    _, url = hearing
    request = urllib.request.Request(f"{url}/status", headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        told = json.load(answer)
    assert (told["epoch"], told["epochs"], told["step"], told["workers"]) == (2, 5, 7, 2)
