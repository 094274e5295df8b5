"""All that can be taken from a running sweep is taken from it, one after the other, and it ends as if nothing was."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import elsewhere, lifecycle, machines
from tests.cluster.layout import nodes
from tests.on_kubernetes.evidence import Taken, lost, not_released, redone_too_much, resumed
from tests.on_kubernetes.release import DIGITS, SMALL
from tinderbox.api.result import open_study
from tinderbox.spark.jobs import LEAVING
from tinderbox.sweeping.events import replay

if TYPE_CHECKING:
    from tests.on_kubernetes.observer import Swept
    from tests.on_kubernetes.release import Release
    from tinderbox.sweeping.events import Event
    from tinderbox.sweeping.study import Study

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]

Eventually = Callable[[Callable[[], bool], float], bool]
Open = Callable[..., "Release"]

TAINT = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
TOLERANCE = 0.02
"""Of the validation accuracy, between a trial that went on elsewhere and the same one that was left alone."""


@dataclass(frozen=True)
class Trouble:
    """A study that runs, and what is done to it; `deleted` and `evicted` are the executors' pods that have notice."""

    release: Release
    eventually: Eventually
    deleted: list[Taken] = field(default_factory=list)
    evicted: list[Taken] = field(default_factory=list)

    def delete_executor(self) -> None:
        """Delete any executor's pod."""
        pod = self.executor()
        self.deleted.append(taken(pod))
        self.delete(pod)

    def evict_executors(self) -> None:
        """Evict all of them: a trial has just ended, and the one that follows it has most of its epochs before it."""
        self.executor()
        pods = self._executors()
        self.evicted.append(taken(*pods))
        for pod in pods:
            self.evict(pod)

    def await_trials(self, count: int) -> None:
        """Wait until so many trials have ended, by the driver's log."""
        assert self.eventually(lambda: self._ended() >= count, 240), self.release.log("sweep-digits")

    def _ended(self) -> int:
        told = re.findall(r"^\[(\d+)/|in which (\d+) trials have ended", self.release.log("sweep-digits"), re.MULTILINE)
        return max((int(number or earlier) for number, earlier in told), default=0)

    def executor(self) -> dict[str, Any]:
        """Return any executor's pod that runs."""
        assert self.eventually(lambda: bool(self._executors()), 120)
        return random.choice(self._executors())  # noqa: S311 - no secret

    def _executors(self) -> list[dict[str, Any]]:
        pods = self.release.pods("spark-role=executor")
        return [
            pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]

    def _names(self) -> list[str]:
        return self.release.space("get", "pods", "--output=name").split()

    def _on(self, node: str) -> list[dict[str, Any]]:
        return [pod for pod in self.release.pods("spark-role=executor") if pod["spec"].get("nodeName") == node]

    def driver(self) -> dict[str, Any]:
        """Return the driver's pod."""
        pod = self.release.driver("sweep-digits")
        assert pod is not None
        return pod

    def delete(self, pod: dict[str, Any]) -> None:
        """Delete a pod."""
        self.release.space("delete", "pod", pod["metadata"]["name"])

    def evict(self, pod: dict[str, Any]) -> None:
        """Evict a pod, as a drain does."""
        name, namespace = pod["metadata"]["name"], self.release.space.name
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        self.release.space("create", "--raw", path, "--filename=-", given=json.dumps(body))

    def lose_other_node(self) -> None:
        """Drain a node that holds no volume, stop it, and leave it so."""
        home = self.driver()["spec"]["nodeName"]
        name = next(node.name for node in nodes() if node.name != home)
        # The cluster's own pods, such as its name service, are not ours to move; only the release's are.
        self.release.space("cordon", name)
        for pod in self._executors():
            if pod["spec"]["nodeName"] == name:
                self.evict(pod)
        assert self.eventually(lambda: not self._on(name), 90), "a drain ends when the pods are gone"
        lifecycle.stop_node(machines.find(name))

    def lose_home_node(self) -> None:
        """Stop the node with the driver and its volume, have its pods removed as those of a dead one, bring it back."""
        driver = self.driver()
        node, name = driver["spec"]["nodeName"], driver["metadata"]["name"]
        lifecycle.stop_node(machines.find(node))
        self.release.space("taint", "node", node, TAINT)
        # Its executors' names begin like its own, and one on a dead node may be there for long.
        assert self.eventually(lambda: f"pod/{name}" not in self._names(), 180)
        lifecycle.start_node(machines.find(node))
        self.release.space("taint", "node", node, f"{TAINT}-")

    def heal(self) -> None:
        """Bring every node back."""
        for node in nodes():
            if node.name not in lifecycle.ready_nodes():
                lifecycle.start_node(node)
            self.release.space("uncordon", node.name)
            if TAINT.partition("=")[0] in self.release.space.read(f"node/{node.name}", ".spec.taints"):
                self.release.space("taint", "node", node.name, f"{TAINT}-")


def taken(*pods: dict[str, Any]) -> Taken:
    """Return pods as those that are taken away now."""
    return Taken(frozenset(pod["spec"]["nodeName"] for pod in pods), time.time())


@dataclass(frozen=True)
class Disturbed:
    """A study after all of it, the events of its record, and what was done to it."""

    study: Study
    events: list[Event]
    trouble: Trouble


@pytest.fixture(scope="module")
def disturbed(opened: Open, swept: Swept, eventually: Eventually) -> Disturbed:
    """The sweep after all of it; `swept` is the undisturbed one, which has ended by then."""
    if elsewhere.named() is not None:
        pytest.skip("nodes of a cluster that KUBECONFIG names are not stopped")
    release = opened("faults", {**SMALL, "console.enabled": "true"})
    done = release.tinderbox("submit", str(DIGITS), "--set", "checkpoints.epochs=1")
    assert done.returncode == 0, done.stderr
    trouble = Trouble(release, eventually)
    try:
        for ended, act in (
            (2, trouble.delete_executor),
            (5, lambda: trouble.delete(trouble.driver())),
            (8, trouble.evict_executors),
            (10, trouble.lose_other_node),
            (13, trouble.lose_home_node),
        ):
            trouble.await_trials(ended)
            act()
        assert eventually(lambda: release.ended("sweep-digits") == "Complete", 400), release.log("sweep-digits")
        assert release.tinderbox("fetch", "digits").returncode == 0
    finally:
        trouble.heal()
    result = open_study("digits", str(release.folder / "studies"))
    return Disturbed(result.record, list(replay(result.folder.log().read())), trouble)


def test_the_study_completes(disturbed: Disturbed, swept: Swept) -> None:
    """With the undisturbed one's trials, told once each."""
    study, undisturbed = disturbed.study, swept.result.record
    assert [trial.state.value for trial in study.trials.values()] == ["complete"] * 21
    assert len(study.ended) == 21
    for number, trial in study.trials.items():
        twin = undisturbed.trials[number]
        assert (trial.parameters, trial.seed) == (twin.parameters, twin.seed)
        assert trial.value("val_accuracy") == pytest.approx(twin.value("val_accuracy"), abs=TOLERANCE)


def test_the_record_tells_what_happened(disturbed: Disturbed) -> None:
    """Two drivers died, executors were deleted, evicted and lost, and each cut is told with cause, node and time."""
    study = disturbed.study
    assert study.generation == 3
    cut = [one for trial in study.trials.values() for one in trial.attempts if one.outcome != "complete"]
    assert {attempt.outcome for attempt in cut} <= {"lost", "released"}
    assert all(attempt.cause and attempt.node and attempt.ended for attempt in cut)
    assert LEAVING in {life.cause for life in study.slots}


def test_a_pod_that_is_taken_away_has_notice(disturbed: Disturbed) -> None:
    """Its trial is paused within the grace and goes on elsewhere; it is not lost when the grace begins."""
    (deleted,), (evicted,) = disturbed.trouble.deleted, disturbed.trouble.evicted
    assert lost(disturbed.events, deleted) == []
    assert not_released(disturbed.events, evicted) == ""


def test_no_more_than_a_checkpoint_is_redone(disturbed: Disturbed) -> None:
    """Attempts go on where the one before had last saved, which is after each epoch."""
    assert redone_too_much(disturbed.events, interval=1) == []
    assert resumed(disturbed.events)
    for trial in disturbed.study.trials.values():
        assert sorted(trial.reports) == [1, 2, 3, 4, 5]
