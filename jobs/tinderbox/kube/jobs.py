"""A driver's Job: submitted, followed and deleted by people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube.cluster import PATIENCE, Cluster, answering
from tinderbox.kube.death import Pod, explain_death, explain_waiting, is_ready, name_of
from tinderbox.kube.manifest import INSTANCE, Manifest

DRIVERS = "app.kubernetes.io/part-of=tinderbox,app.kubernetes.io/component=driver"
GONE_SECONDS = 120.0
LOOK_SECONDS = 0.5
QUIET_SECONDS = 86_400.0
"""For so long a driver that is followed may print nothing: the client takes no endless patience."""

State = Literal["waiting", "running", "complete", "failed", "deleted"]


@dataclass(frozen=True)
class Progress:
    """Where a Job stands: `pod` is its driver's, newest first, and `cause` why it waits or has failed."""

    job: str
    state: State
    pod: str | None
    cause: str

    @property
    def over(self) -> bool:
        """Whether the Job has ended."""
        return self.state in ("complete", "failed", "deleted")


def submit(cluster: Cluster, objects: tuple[Manifest, Manifest, Manifest]) -> None:
    """Make a Job in the place of one of this name that has ended, and the Secret and ConfigMap that it waits for.

    Those go with the Job, whoever deletes it. Of two submissions at the same time one makes the Job, and the other
    one has changed nothing.

    Raises:
        BadInput: A Job of this name has not ended yet.
    """
    config_map, secret, job = objects
    name, study = job["metadata"]["name"], job["metadata"]["labels"][INSTANCE]
    before = cluster.find("job", name)
    if before is not None and ended(before) is not None:
        delete(cluster, before)
        before = None
    made = cluster.create("job", job) if before is None else None
    if made is None:
        raise BadInput(
            f"job {name} runs in namespace {cluster.namespace} and was not touched: follow it with `tinderbox "
            f"status {study}`, or end it with `tinderbox delete {study}`"
        )
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": made["metadata"]["uid"]}
    try:
        # The ConfigMap comes last: its mount, which is tried twice a second, holds the pod back for both.
        for kind, manifest in (("secret", secret), ("config_map", config_map)):
            metadata = {**manifest["metadata"], "ownerReferences": [owner]}
            cluster.apply(kind, {**manifest, "metadata": metadata})
    except BaseException:
        delete(cluster, made)
        raise


def find_job(cluster: Cluster, study: str) -> Manifest:
    """Return the Job of a run.

    Raises:
        BadInput: The namespace has none.
    """
    with answering(cluster.namespace):
        found = cluster.batch.list_namespaced_job(cluster.namespace, label_selector=DRIVERS)
    jobs: dict[str, list[Manifest]] = {}
    for job in map(cluster.plain, found.items):
        jobs.setdefault(job["metadata"]["labels"].get(INSTANCE, ""), []).append(job)
    if study not in jobs:
        known = ", ".join(sorted(jobs)) or "none"
        raise BadInput(f"namespace {cluster.namespace} has no job of {study!r}; it has those of {known}")
    return max(jobs[study], key=lambda job: str(job["metadata"]["creationTimestamp"]))


def delete(cluster: Cluster, job: Manifest) -> None:
    """Delete this Job with its pods, not one that took its place, and return when it is gone; studies stay."""
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    cluster.delete("job", name, uid)
    deadline = time.monotonic() + GONE_SECONDS
    while (now := cluster.find("job", name)) is not None and now["metadata"]["uid"] == uid:
        if time.monotonic() > deadline:
            raise TinderboxError(f"job {name} is still being deleted after {GONE_SECONDS:.0f} s: its pod does not end")
        time.sleep(LOOK_SECONDS)


def look(cluster: Cluster, job: Manifest) -> Progress:
    """Return where a Job stands now."""
    name = job["metadata"]["name"]
    pods = driver_pods(cluster, name)
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)
    now = cluster.find("job", name)
    return Progress(name, "deleted", None, "") if now is None else judge(now, newest)


def judge(job: Manifest, pod: Pod | None) -> Progress:
    """Return where a Job stands, from it and its newest pod."""
    name, end = job["metadata"]["name"], ended(job)
    pod_name = None if pod is None else name_of(pod)
    if end is not None:
        if end["type"] == "Complete":
            return Progress(name, "complete", pod_name, "")
        # At its deadline the Job ends its pod, which is not the pod's fault.
        why = pod and end.get("reason") != "DeadlineExceeded" and explain_death(pod)
        return Progress(name, "failed", pod_name, str(why or end.get("message", "")))
    if pod is None:
        return Progress(name, "waiting", None, _why_no_pod(job))
    cause = explain_waiting(pod) or explain_death(pod) or ""
    return Progress(name, "running" if is_ready(pod) else "waiting", pod_name, cause)


def ended(job: Manifest) -> dict[str, Any] | None:
    """Return the condition that says how a Job ended, None while it has not."""
    conditions = job.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None)


def _why_no_pod(job: Manifest) -> str:
    return "it is suspended, as by a queue" if job["spec"].get("suspend") else "it has no pod yet"


def driver_pods(cluster: Cluster, job: str) -> list[Pod]:
    """Return the pods of a Job."""
    return _pods(cluster, f"job-name={job}")


def _pods(cluster: Cluster, labels: str) -> list[Pod]:
    with answering(cluster.namespace):
        found = cluster.core.list_namespaced_pod(cluster.namespace, label_selector=labels)
    return [cluster.plain(pod) for pod in found.items]


def driver_log(cluster: Cluster, pod: str, follow: bool) -> Iterator[str]:
    """Yield the lines that a driver has printed, and while `follow` those that it prints."""
    with answering(cluster.namespace):
        answer = cluster.core.read_namespaced_pod_log(
            pod,
            cluster.namespace,
            container="driver",
            follow=follow,
            _preload_content=False,
            _request_timeout=(PATIENCE[0], QUIET_SECONDS),
        )
        rest = b""
        for block in answer.stream():
            *lines, rest = (rest + block).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        if rest:
            yield rest.decode(errors="replace")


def find_console(cluster: Cluster, release: str) -> str | None:
    """Return the name of the release's console pod, None where none is ready."""
    labels = f"app.kubernetes.io/part-of=tinderbox,app.kubernetes.io/component=console,{INSTANCE}={release}"
    ready = [pod for pod in _pods(cluster, labels) if is_ready(pod)]
    return name_of(ready[0]) if ready else None
