"""The watch over executors keeps the first bad word on each pod."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tinderbox.kube.watch import PodWatch, watch_executors


def pod(name: str, **status: Any) -> dict[str, Any]:
    """A pod in a state."""
    return {"metadata": {"name": name}, "spec": {"nodeName": "n1", "containers": []}, "status": status}


def killed(name: str, code: int, reason: str = "Error") -> dict[str, Any]:
    """A pod whose container ended with a code."""
    ended = {"exitCode": code, "reason": reason}
    return pod(name, containerStatuses=[{"name": "executor", "state": {"terminated": ended}}])


def unschedulable(name: str, message: str) -> dict[str, Any]:
    """A pod that no node takes."""
    return pod(name, conditions=[{"type": "PodScheduled", "status": "False", "message": message}])


@pytest.fixture
def told() -> list[tuple[str, str, bool]]:
    """The deaths that were told."""
    return []


@pytest.fixture
def watch(told: list[tuple[str, str, bool]]) -> PodWatch:
    """A watch that is shown pods by hand."""
    return PodWatch(lambda: ([], []), lambda *death: told.append(death))


def test_the_first_bad_word_is_the_cause(watch: PodWatch, told: list[tuple[str, str, bool]]) -> None:
    """What follows a death is its consequence: it is neither kept nor told again."""
    watch.see(killed("e1", 137))
    watch.see(killed("e1", 143))
    assert watch.deaths() == ["pod e1 on node n1 ended with exit code 137, killed by signal 9"]
    assert told == [("e1", "pod e1 on node n1 ended with exit code 137, killed by signal 9", False)]


def evicted(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """A pod that is taken away by the cluster, with the state of its container."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    found = pod(name, phase="Running", conditions=[condition], containerStatuses=[{"name": "executor", "state": state}])
    return found | {"metadata": {"name": name, "deletionTimestamp": "2026-11-21T12:00:30Z"}}


@pytest.mark.parametrize(
    ("ended", "is_gone"),
    [({"terminated": {"exitCode": 143}}, False), ({"terminated": {"exitCode": 0}}, False), ({"running": {}}, True)],
)
def test_a_pod_that_is_taken_away_has_its_grace(
    watch: PodWatch,
    told: list[tuple[str, str, bool]],
    caplog: pytest.LogCaptureFixture,
    ended: dict[str, Any],
    is_gone: bool,
) -> None:
    """The log says at once what happens to it; it has died when its container has ended, or it is gone."""
    sentence = "pod e1 was taken away: it was evicted, as when a node is drained"
    with caplog.at_level(logging.WARNING):
        watch.see(evicted("e1", {"running": {}}))
        watch.see(evicted("e1", {"running": {}}))
        assert told == []
        watch.see(evicted("e1", ended), is_gone)
        watch.see(evicted("e1", ended), is_gone=True)
    assert caplog.messages == [sentence]
    assert told == [("e1", sentence, False)]


def test_a_pod_that_is_not_needed_has_not_died(watch: PodWatch, told: list[tuple[str, str, bool]]) -> None:
    """Spark ends and deletes executors where fewer are wanted, also such as wait; one that a node took along has."""
    for name, status in {
        "idle": {"phase": "Succeeded", **killed("", 0)["status"]},
        "slow": {"phase": "Running", **killed("", 0)["status"]},
        "waits": {"phase": "Pending"},
    }.items():
        watch.see({**pod(name, **status), "metadata": {"name": name, "deletionTimestamp": "soon"}}, is_gone=True)
    watch.see(evicted("drained", {"terminated": {"exitCode": 0}}), is_gone=True)
    assert watch.deaths() == []
    assert [name for name, *_ in told] == ["drained"]  # whose slots are to go with it
    watch.see(evicted("gone", {"running": {}}), is_gone=True)
    watch.see(pod("full", **{**killed("", 0)["status"], "phase": "Failed", "reason": "Evicted", "message": "no disk"}))
    assert watch.deaths() == [
        "pod gone was taken away: it was evicted, as when a node is drained",
        "pod full was evicted from node n1: no disk",
    ]


def test_a_death_for_lack_of_memory_is_told_as_such(watch: PodWatch, told: list[tuple[str, str, bool]]) -> None:
    """The trial was too large for the limit; a child that was killed in a pod that ended well is none."""
    watch.see(killed("e1", 137, "OOMKilled"))
    watch.see(killed("e2", 0, "OOMKilled"))
    assert told == [("e1", "pod e1 needed more than its memory limit of unknown size; give it more", True)]


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
    answers: Iterator[Any] = iter(
        [ConnectionError("gone"), ([], [{"type": "MODIFIED", "raw_object": killed("e1", 1)}])]
    )

    def look() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return cast("tuple[list[dict[str, Any]], list[dict[str, Any]]]", answer)

    def die(name: str, *_: object) -> None:
        died.append(name)
        found.stop()

    found = PodWatch(look, die)
    found._follow()
    assert died == ["e1"]


def test_a_pod_that_is_gone_waits_no_more(watch: PodWatch, caplog: pytest.LogCaptureFixture) -> None:
    """Whether its end was seen, or fell between two watches; one that still waits is not told again."""
    waits = [unschedulable("e1", "no cpu"), unschedulable("e2", "no memory"), unschedulable("e3", "no disk")]
    with caplog.at_level(logging.WARNING):
        watch.see_all(waits)
        watch.see(waits[0], is_gone=True)
        assert watch.waiting() == ["no node takes pod e2: no memory", "no node takes pod e3: no disk"]
        watch.see_all(waits[2:])
    assert watch.waiting() == ["no node takes pod e3: no disk"]
    assert len(caplog.messages) == len(waits)


def test_a_connection_that_went_dead_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both the list and the watch give up by themselves, the watch after the server would have ended it."""
    from kubernetes import client

    asked: list[dict[str, Any]] = []

    class Answer:
        """A watch in which one pod is taken away."""

        status = 200

        def stream(self, **_: Any) -> Iterator[bytes]:
            yield json.dumps({"type": "DELETED", "object": killed("e2", 1)}).encode() + b"\n"

        def close(self) -> None: ...

        def release_conn(self) -> None: ...

    def answer(_: client.CoreV1Api, namespace: str, **options: Any) -> Any:
        """Answer as the API server does; the client reads here what is watched.

        :return: V1PodList
        """
        asked.append({"namespace": namespace, **options})
        if options.get("watch"):
            return Answer()
        listed = client.V1Pod(
            metadata=client.V1ObjectMeta(name="e1", deletion_timestamp=datetime.now(UTC)),
            status=client.V1PodStatus(phase="Failed"),
        )
        return client.V1PodList(items=[listed], metadata=client.V1ListMeta(resource_version="7"))

    monkeypatch.setattr(client.CoreV1Api, "list_namespaced_pod", answer)
    monkeypatch.setattr("tinderbox.kube.watch.time.sleep", lambda _: pytest.fail("the watch broke"))
    monkeypatch.setattr("threading.Thread.start", lambda thread: thread.run())
    died: list[str] = []

    def die(name: str, *_: object) -> None:
        died.append(name)
        if name == "e2":
            raise KeyboardInterrupt  # nobody has the watch yet to stop it

    with pytest.raises(KeyboardInterrupt):
        watch_executors("ml", "spark-1", die)
    assert died == ["e1", "e2"]
    listing, watching = asked
    assert listing["_request_timeout"] == (10, 30)
    assert watching["_request_timeout"] == (10, 330)
    assert (watching["timeout_seconds"], watching["resource_version"]) == (300, "7")
