"""All that can be taken from a running sweep is taken from it, one after the other, and it ends as if nothing was."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import elsewhere, lifecycle, machines
from tests.cluster.layout import nodes
from tests.on_kubernetes.release import DIGITS, SMALL
from tinderbox.api.result import open_study

if TYPE_CHECKING:
    from tests.on_kubernetes.observer import Swept
    from tests.on_kubernetes.release import Release
    from tinderbox.sweeping.study import Study

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1500)]

Eventually = Callable[[Callable[[], bool], float], bool]
Open = Callable[..., "Release"]

TAINT = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
TOLERANCE = 0.02
"""Of the validation accuracy, between a trial that went on elsewhere and the same one that was left alone."""


@dataclass(frozen=True)
class Trouble:
    """A study that runs, and what is done to it."""

    release: Release
    eventually: Eventually

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
        lifecycle.stop_node(machines.find(name))

    def lose_home_node(self) -> None:
        """Stop the node with the driver and its volume, have its pods removed as those of a dead one, bring it back."""
        driver = self.driver()
        node, name = driver["spec"]["nodeName"], driver["metadata"]["name"]
        lifecycle.stop_node(machines.find(node))
        self.release.space("taint", "node", node, TAINT)
        assert self.eventually(lambda: name not in self.release.space("get", "pods", "--output=name"), 180)
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


@pytest.fixture(scope="module")
def disturbed(opened: Open, swept: Swept, eventually: Eventually) -> Study:
    """The record of the sweep after all of it; `swept` is the undisturbed one, which has ended by then."""
    if elsewhere.named() is not None:
        pytest.skip("nodes of a cluster that KUBECONFIG names are not stopped")
    release = opened("faults", {**SMALL, "console.enabled": "true"})
    done = release.tinderbox("submit", str(DIGITS), "--set", "checkpoints.epochs=1")
    assert done.returncode == 0, done.stderr
    trouble = Trouble(release, eventually)
    try:
        for ended, act in (
            (2, lambda: trouble.delete(trouble.executor())),
            (5, lambda: trouble.delete(trouble.driver())),
            (8, lambda: trouble.evict(trouble.executor())),
            (10, trouble.lose_other_node),
            (13, trouble.lose_home_node),
        ):
            trouble.await_trials(ended)
            act()
        assert eventually(lambda: release.ended("sweep-digits") == "Complete", 400), release.log("sweep-digits")
        assert release.tinderbox("fetch", "digits").returncode == 0
    finally:
        trouble.heal()
    return open_study("digits", str(release.folder / "studies")).record


def test_the_study_completes(disturbed: Study, swept: Swept) -> None:
    """With the undisturbed one's trials, told once each."""
    undisturbed = swept.result.record
    assert [trial.state.value for trial in disturbed.trials.values()] == ["complete"] * 21
    assert len(disturbed.ended) == 21
    for number, trial in disturbed.trials.items():
        twin = undisturbed.trials[number]
        assert (trial.parameters, trial.seed) == (twin.parameters, twin.seed)
        assert trial.value("val_accuracy") == pytest.approx(twin.value("val_accuracy"), abs=TOLERANCE)


def test_the_record_tells_what_happened(disturbed: Study) -> None:
    """Two drivers died, executors were deleted, evicted and lost, and trials went on from their checkpoints."""
    assert disturbed.generation == 3
    attempts = [attempt for trial in disturbed.trials.values() for attempt in trial.attempts]
    cut = [attempt for attempt in attempts if attempt.outcome != "complete"]
    assert {attempt.outcome for attempt in cut} <= {"lost", "released"}
    assert all(attempt.cause and attempt.node and attempt.ended for attempt in cut)
    left = " ".join(life.cause for life in disturbed.slots)
    assert "was deleted" in left or "was taken away" in left, left


def test_no_more_than_a_checkpoint_is_redone(disturbed: Study) -> None:
    """An attempt that went on began where the one before had last saved."""
    for trial in disturbed.trials.values():
        assert sorted(trial.reports) == [1, 2, 3, 4, 5]
