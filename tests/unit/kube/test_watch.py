"""The watch over executors keeps the first bad word on each pod."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tinderbox.kube.watch import PodWatch


def pod(name: str, **status: Any) -> dict[str, Any]:
    """A pod in a state."""
    return {"metadata": {"name": name}, "spec": {"nodeName": "n1", "containers": []}, "status": status}


def killed(name: str, code: int) -> dict[str, Any]:
    """A pod whose container ended with a code."""
    return pod(name, containerStatuses=[{"name": "executor", "state": {"terminated": {"exitCode": code}}}])


def unschedulable(name: str, message: str) -> dict[str, Any]:
    """A pod that no node takes."""
    return pod(name, conditions=[{"type": "PodScheduled", "status": "False", "message": message}])


@pytest.fixture
def told() -> list[tuple[str, str]]:
    """The deaths that were told."""
    return []


@pytest.fixture
def watch(told: list[tuple[str, str]]) -> PodWatch:
    """A watch that is shown pods by hand."""
    return PodWatch(list, lambda name, cause: told.append((name, cause)))


def test_the_first_bad_word_is_the_cause(watch: PodWatch, told: list[tuple[str, str]]) -> None:
    """What follows a death is its consequence: it is neither kept nor told again."""
    watch.see(killed("e1", 137))
    watch.see(killed("e1", 143))
    assert watch.deaths() == ["pod e1 on node n1 ended with exit code 137, killed by signal 9"]
    assert told == [("e1", "pod e1 on node n1 ended with exit code 137, killed by signal 9")]


def test_a_wait_is_logged_once_and_forgotten_when_it_ends(watch: PodWatch, caplog: pytest.LogCaptureFixture) -> None:
    """The same sentence is not repeated, and a pod that starts waits no more."""
    with caplog.at_level(logging.WARNING):
        watch.see(unschedulable("e1", "no cpu"))
        watch.see(unschedulable("e1", "no cpu"))
    assert caplog.messages == ["no node takes pod e1: no cpu"]
    assert watch.waiting() == ["no node takes pod e1: no cpu"]
    watch.see(pod("e1", conditions=[{"type": "Ready", "status": "True"}]))
    assert watch.waiting() == []


def test_a_watch_that_breaks_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server may be away for a while without an end to the study."""
    monkeypatch.setattr("tinderbox.kube.watch._RETRY_SECONDS", 0.0)
    died: list[str] = []
    answers = iter([ConnectionError("gone"), [killed("e1", 1)]])

    def events() -> list[dict[str, Any]]:
        answer = next(answers, [])
        if isinstance(answer, Exception):
            raise answer
        return answer

    watch = PodWatch(events, lambda name, cause: (died.append(name), watch.stop())[0])
    watch._follow()
    assert died == ["e1"]
