"""Why a pod died, or does not start, in one plain sentence.

Pods are plain mappings, as the API server sends them, so every sentence is tested without a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Pod = Mapping[str, Any]

_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_DISRUPTED = {
    "EvictionByEvictionAPI": "it was evicted, as when a node is drained",
    "PreemptionByScheduler": "the scheduler gave its place to a pod of higher priority",
    "DeletionByTaintManager": "its node {node} is gone, or was tainted",
    "DeletionByPodGC": "its node {node} is gone",
    "TerminationByKubelet": "node {node} shut down or ran short of resources",
}


def explain_death(pod: Pod) -> str | None:
    """Return why a pod ended or is ending, None while nothing speaks against it."""
    return _memory(pod) or _eviction(pod) or _disruption(pod) or _exit(pod)


def has_ended(pod: Pod) -> bool:
    """Whether what a pod was for is over; one that is being taken away still runs for its grace."""
    codes = _codes(pod)
    return _phase(pod) in ("Failed", "Succeeded") or any(codes) or (bool(codes) and None not in codes)


def ended_well(pod: Pod) -> bool:
    """Whether all containers of a pod ended with code 0, as those of one that is not needed do, or none was started."""
    codes = _codes(pod)
    all_well = bool(codes) and all(code == 0 for code in codes)
    return _phase(pod) in ("Pending", "Succeeded") or (_phase(pod) != "Failed" and all_well)


def ran_out_of_memory(pod: Pod) -> bool:
    """Whether a pod ended because it needed more memory than its limit: what ran in it would again."""
    return _memory(pod) is not None


def explain_waiting(pod: Pod) -> str | None:
    """Return why a pod does not start, None where nothing is wrong yet."""
    return _image(pod) or _configuration(pod) or _schedule(pod)


def name_of(pod: Pod) -> str:
    """Return a pod's name."""
    return str(pod["metadata"]["name"])


def is_ready(pod: Pod) -> bool:
    """Whether a pod's containers run and pass their probes."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions") or [])


def _memory(pod: Pod) -> str | None:
    """Tell a kill for lack of memory; with exit code 0 only a child was killed, and the container ended well."""
    for status in _containers(pod):
        ended = _ended(status)
        if ended.get("reason") == "OOMKilled" and ended.get("exitCode") != 0:
            return (
                f"pod {name_of(pod)} needed more than its memory limit of {_limit(pod, status['name'])}; give it more"
            )
    return None


def _eviction(pod: Pod) -> str | None:
    if pod.get("status", {}).get("reason") != "Evicted":
        return None
    message = str(pod["status"].get("message", "")).strip().rstrip(".")
    return f"pod {name_of(pod)} was evicted from node {_node(pod)}: {message}"


def _disruption(pod: Pod) -> str | None:
    condition = _condition(pod, "DisruptionTarget", "True")
    if condition is None:
        return None
    known = _DISRUPTED.get(condition.get("reason", ""), "").format(node=_node(pod))
    reason = known or condition.get("message") or "the cluster needed its place"
    return f"pod {name_of(pod)} was taken away: {reason}"


def _exit(pod: Pod) -> str | None:
    for status in _containers(pod):
        ended = _ended(status)
        if ended.get("exitCode"):
            code = ended["exitCode"]
            killed = f", killed by signal {code - 128}" if code > 128 else ""
            said = f": {last}" if (last := _last_line(ended.get("message"))) else ""
            return f"pod {name_of(pod)} on node {_node(pod)} ended with exit code {code}{killed}{said}"
    if pod["metadata"].get("deletionTimestamp") and not ended_well(pod):
        return f"pod {name_of(pod)} on node {_node(pod)} was deleted"
    return None


def _last_line(message: str | None) -> str:
    """Return the last line of what a container printed before it failed, where its pod keeps that."""
    lines = [line for line in (message or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _image(pod: Pod) -> str | None:
    for status in _containers(pod):
        waiting = status.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in _IMAGE:
            message = " ".join(str(waiting.get("message", "")).split())
            return f"image {status.get('image')!r} of pod {name_of(pod)} cannot be had: {message or waiting['reason']}"
    return None


def _configuration(pod: Pod) -> str | None:
    for status in _containers(pod):
        waiting = status.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            return f"pod {name_of(pod)} cannot be made: {waiting.get('message') or waiting['reason']}"
    return None


def _schedule(pod: Pod) -> str | None:
    condition = _condition(pod, "PodScheduled", "False")
    return f"no node takes pod {name_of(pod)}: {condition.get('message', '')}" if condition else None


def _phase(pod: Pod) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _codes(pod: Pod) -> list[int | None]:
    """Return what the containers of a pod ended with, None for each that has not."""
    statuses = pod.get("status", {}).get("containerStatuses") or []
    return [_ended(status).get("exitCode") for status in statuses]


def _containers(pod: Pod) -> list[Mapping[str, Any]]:
    status = pod.get("status", {})
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _ended(status: Mapping[str, Any]) -> Mapping[str, Any]:
    return status.get("state", {}).get("terminated") or status.get("lastState", {}).get("terminated") or {}


def _condition(pod: Pod, kind: str, value: str) -> Mapping[str, Any] | None:
    conditions = pod.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind and c["status"] == value), None)


def _limit(pod: Pod, container: str) -> str:
    specs = pod["spec"].get("containers") or []
    resources = next((spec.get("resources") or {} for spec in specs if spec["name"] == container), {})
    return str((resources.get("limits") or {}).get("memory", "unknown size"))


def _node(pod: Pod) -> str:
    return str(pod.get("spec", {}).get("nodeName") or "none")
