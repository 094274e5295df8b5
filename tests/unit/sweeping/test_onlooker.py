"""Somebody who follows a study from elsewhere, and the server that waits for him."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tinderbox.errors import TinderboxError
from tinderbox.sweeping import server as module
from tinderbox.sweeping.onlooker import Onlooker

Serve = Callable[..., AbstractContextManager[Any]]


def test_a_study_is_followed_and_taken_home(serve: Serve, make_job: Callable[..., Any]) -> None:
    """Its status as the driver has it; its files once they are all there."""
    with serve(make_job(budget={"trials": 6})) as running:
        onlooker = Onlooker(running.url, running.token)
        status = onlooker.status()
        assert (status.total, status.ended, status.over) == (6, 0, False)
        assert onlooker.keepsakes() is None
        running.server.kept = True
        assert onlooker.keepsakes() == ["best/parameters.yaml"]
        assert onlooker.read("best/parameters.yaml") == b"best/parameters.yaml"
        with pytest.raises(TinderboxError, match=r"^the driver answers 404: .*'events'"):
            onlooker.read("events")


def test_a_stranger_sees_nothing(serve: Serve, make_job: Callable[..., Any]) -> None:
    """Nor does he keep the driver waiting."""
    with serve(make_job()) as running:
        with pytest.raises(TinderboxError, match=r"^the driver answers 401: "):
            Onlooker(running.url, "wrong").status()
        began = time.monotonic()
        running.server.linger(60.0)
        assert time.monotonic() - began < 1.0


def test_nobody_answers() -> None:
    """Which is said, for the caller to look at the Job."""
    with pytest.raises(TinderboxError, match=r"^the driver does not answer: "):
        Onlooker("http://127.0.0.1:1", "secret").status()


def test_a_driver_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it tells is not understood, which is said too."""
    onlooker = Onlooker("http://127.0.0.1:1", "secret")
    monkeypatch.setattr(onlooker, "tree", lambda path: {"trials": {}, "later": 1})
    with pytest.raises(TinderboxError, match=r"^the driver tells its status as another version does: .*'later'"):
        onlooker.status()


def test_the_server_waits_for_who_follows(
    serve: Serve, make_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until he has asked for nothing for a while, and never longer than it was told."""
    monkeypatch.setattr(module, "WATCHER_SECONDS", 0.6)
    with serve(make_job()) as running:
        for longest, least, most in ((60.0, 0.4, 10.0), (0.1, 0.0, 0.5)):
            Onlooker(running.url, running.token).status()
            began = time.monotonic()
            running.server.linger(longest)
            assert least < time.monotonic() - began < most
