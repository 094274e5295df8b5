"""Why pods die or wait: one sentence for each way the API server tells of."""

from __future__ import annotations

from typing import Any

import pytest

from tinderbox.kube.death import explain_death, explain_waiting, has_ended, is_ready, ran_out_of_memory


def pod(status: dict[str, Any], **metadata: str) -> dict[str, Any]:
    """An executor's pod with a memory limit of 2 GiB on node worker-2, in this state."""
    container = {"name": "executor", "resources": {"limits": {"memory": "2Gi"}}}
    return {
        "metadata": {"name": "digits-exec-1", **metadata},
        "spec": {"nodeName": "worker-2", "containers": [container]},
        "status": status,
    }


def ended(exit_code: int, reason: str = "Error", message: str | None = None) -> dict[str, Any]:
    """The status of a pod whose container has ended."""
    state = {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}
    return {"phase": "Failed", "containerStatuses": [{"name": "executor", "state": state}]}


def waiting(reason: str, message: str) -> dict[str, Any]:
    """The status of a pod whose container does not start."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "executor", "image": "tinderbox:nope", "state": state}]}


def disrupted(reason: str) -> dict[str, Any]:
    """The status of a pod that the cluster takes away."""
    return {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": reason}]}


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (ended(137, "OOMKilled"), "pod digits-exec-1 needed more than its memory limit of 2Gi; give it more"),
        (ended(137), "pod digits-exec-1 on node worker-2 ended with exit code 137, killed by signal 9"),
        (ended(1), "pod digits-exec-1 on node worker-2 ended with exit code 1"),
        (
            ended(2, message="starting\ntinderbox: lr must be a number\n\n"),
            "pod digits-exec-1 on node worker-2 ended with exit code 2: tinderbox: lr must be a number",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "},
            "pod digits-exec-1 was evicted from node worker-2: The node was low on resource: memory",
        ),
        (
            disrupted("EvictionByEvictionAPI"),
            "pod digits-exec-1 was taken away: it was evicted, as when a node is drained",
        ),
        (
            disrupted("DeletionByTaintManager"),
            "pod digits-exec-1 was taken away: its node worker-2 is gone, or was tainted",
        ),
    ],
)
def test_each_death_has_its_sentence(status: dict[str, Any], sentence: str) -> None:
    """A death is told with the pod, the place and the cause."""
    assert explain_death(pod(status)) == sentence


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"phase": "Running", "containerStatuses": [{"name": "executor", "state": {"running": {}}}]},
        ended(0, "Completed"),
    ],
)
def test_a_pod_that_runs_or_ended_well_has_none(status: dict[str, Any]) -> None:
    """Nothing is made up for a pod that nothing is wrong with."""
    assert explain_death(pod(status)) is None


def test_braces_in_what_the_cluster_says_are_kept() -> None:
    """A message of the API server is no template of ours."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "Mine", "message": 'for {"app": "web"}'}
    found = explain_death(pod({"conditions": [condition]}))
    assert found == 'pod digits-exec-1 was taken away: for {"app": "web"}'


def test_a_killed_child_is_no_death_of_the_pod() -> None:
    """OOMKilled with exit code 0 means that the kernel killed a child and the container ended well."""
    assert explain_death(pod(ended(0, "OOMKilled"))) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ended(137, "OOMKilled"), True),
        (ended(0, "OOMKilled"), False),
        (ended(137), False),
        ({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. "}, False),
    ],
)
def test_lack_of_memory_is_told_apart(status: dict[str, Any], expected: bool) -> None:
    """A pod that reached its own limit would again; one that a full node has evicted would not elsewhere."""
    assert ran_out_of_memory(pod(status)) is expected


def containers(*states: dict[str, Any]) -> dict[str, Any]:
    """The status of a pod that runs, with containers in these states."""
    statuses = [{"name": f"container-{number}", "state": state} for number, state in enumerate(states)]
    started = {"name": "init", "state": {"terminated": {"exitCode": 0}}}
    return {"phase": "Running", "initContainerStatuses": [started], "containerStatuses": statuses}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),
        (containers(), False),
        (containers({"running": {}}), False),
        (containers({"running": {}}, {"terminated": {"exitCode": 0}}), False),
        (containers({"running": {}}, {"terminated": {"exitCode": 137}}), True),
        (containers({"terminated": {"exitCode": 0}}), True),
        ({"phase": "Succeeded"}, True),
        ({"phase": "Failed", "reason": "Evicted"}, True),
    ],
)
def test_a_pod_has_ended_when_its_containers_have(status: dict[str, Any], expected: bool) -> None:
    """All of them, or one of them badly; whoever is to be taken away has not yet."""
    assert has_ended(pod({**status, **disrupted("EvictionByEvictionAPI")}, deletionTimestamp="soon")) is expected


def test_a_deleted_pod_is_told_as_deleted() -> None:
    """Somebody deleted the pod: there is no exit code yet."""
    found = explain_death(pod({"phase": "Running"}, deletionTimestamp="2026-11-21T12:00:00Z"))
    assert found == "pod digits-exec-1 on node worker-2 was deleted"


@pytest.mark.parametrize("status", [{**ended(0), "phase": "Running"}, {"phase": "Pending"}, {"phase": "Succeeded"}])
def test_a_deleted_pod_that_nothing_ran_in_has_not_died(status: dict[str, Any]) -> None:
    """It had ended well, or not begun."""
    assert explain_death(pod(status, deletionTimestamp="2026-11-21T12:00:00Z")) is None


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (
            waiting("ImagePullBackOff", 'Back-off pulling image\n"tinderbox:nope"'),
            "image 'tinderbox:nope' of pod digits-exec-1 cannot be had: Back-off pulling image \"tinderbox:nope\"",
        ),
        (
            waiting("CreateContainerConfigError", 'secret "s3" not found'),
            'pod digits-exec-1 cannot be made: secret "s3" not found',
        ),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "message": "0/3 nodes are available: 3 Insufficient cpu.",
                    }
                ]
            },
            "no node takes pod digits-exec-1: 0/3 nodes are available: 3 Insufficient cpu.",
        ),
    ],
)
def test_each_wait_has_its_sentence(status: dict[str, Any], sentence: str) -> None:
    """A pod that does not start says what it waits for, in the cluster's own words."""
    assert explain_waiting(pod(status)) == sentence


def test_a_pod_that_is_being_made_waits_for_nothing() -> None:
    """Pulling an image is no trouble."""
    assert explain_waiting(pod(waiting("ContainerCreating", ""))) is None


def test_ready_is_read_from_the_conditions() -> None:
    """A pod is ready when its condition says so."""
    assert is_ready(pod({"conditions": [{"type": "Ready", "status": "True"}]}))
    assert not is_ready(pod({"conditions": [{"type": "Ready", "status": "False"}]}))
    assert not is_ready(pod({}))
