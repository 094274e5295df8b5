"""A driver's Job, on a cluster in memory: submitted, followed and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube import jobs
from tinderbox.kube.jobs import Progress, judge
from tinderbox.kube.manifest import INSTANCE, Manifest

LABELS = {INSTANCE: "own"}


def job(name: str = "sweep-own", study: str = "own", created: str = "2026-01-01", **status: Any) -> Manifest:
    """A Job as the API server sends it."""
    metadata = {"name": name, "uid": "uid-0", "creationTimestamp": created, "labels": {INSTANCE: study}}
    return {"kind": "Job", "metadata": metadata, "spec": {}, "status": status}


def over(kind: str, reason: str = "", message: str = "") -> Manifest:
    """A Job that has ended."""
    ignored = {"type": "SuspendedBefore", "status": "True"}
    return job(conditions=[ignored, {"type": kind, "status": "True", "reason": reason, "message": message}])


def pod(created: str = "2026-01-01", name: str = "sweep-own-a", **status: Any) -> Manifest:
    """A driver's pod."""
    metadata = {"name": name, "creationTimestamp": created, "labels": {"job-name": "sweep-own"}}
    containers = [{"name": "driver", "resources": {"limits": {"memory": "3Gi"}}}]
    return {"metadata": metadata, "spec": {"nodeName": "node-1", "containers": containers}, "status": status}


def ready() -> dict[str, Any]:
    """The status of a pod that runs."""
    return {"conditions": [{"type": "Ready", "status": "True"}]}


def dead(code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    """The status of a pod whose driver has ended."""
    ended = {"exitCode": code, "reason": reason, "message": message}
    return {
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "driver", "state": {"terminated": ended}}],
    }


class Memory:
    """A cluster of plain values, and its client; `lasting` Jobs do not go when they are deleted."""

    namespace = "lab"

    def __init__(self) -> None:
        self.things: dict[tuple[str, str], Manifest] = {}
        self.pods: list[Manifest] = []
        self.deeds: list[str] = []
        self.blocks: list[bytes] = []
        self.asked: dict[str, Any] = {}
        self.lasting = False
        self.refused: str | None = None
        self.batch = self.core = self

    def find(self, kind: str, name: str) -> Manifest | None:
        """Return an object."""
        return self.things.get((kind, name))

    def apply(self, kind: str, manifest: Manifest) -> Manifest:
        """Keep an object; each Job has an identity of its own."""
        if kind == self.refused:
            raise TinderboxError("the cluster refuses: exceeded quota")
        self.deeds.append(f"apply {kind}")
        self.things[kind, manifest["metadata"]["name"]] = manifest
        return manifest

    def create(self, kind: str, manifest: Manifest) -> Manifest | None:
        """Keep an object with an identity of its own, unless there is one of its name."""
        if (kind, manifest["metadata"]["name"]) in self.things:
            return None
        self.deeds.append(f"create {kind}")
        made = {**manifest, "metadata": {**manifest["metadata"], "uid": f"uid-{len(self.deeds)}"}}
        self.things[kind, manifest["metadata"]["name"]] = made
        return made

    def plain(self, answer: Manifest) -> Manifest:
        """Return it: all is plain here."""
        return answer

    def delete(self, kind: str, name: str, uid: str) -> None:
        """Delete an object with this identity."""
        self.deeds.append(f"delete {kind} {uid}")
        if not self.lasting and self.things[kind, name]["metadata"]["uid"] == uid:
            del self.things[kind, name]

    def list_namespaced_job(self, namespace: str, label_selector: str) -> Any:
        """Return all drivers' Jobs."""
        assert label_selector == "app.kubernetes.io/part-of=tinderbox,app.kubernetes.io/component=driver"
        return SimpleNamespace(items=[thing for (kind, _), thing in self.things.items() if kind == "job"])

    def list_namespaced_pod(self, namespace: str, label_selector: str) -> Any:
        """Return the pods that have all the labels."""
        wanted = dict(term.split("=") for term in label_selector.split(","))
        return SimpleNamespace(items=[p for p in self.pods if wanted.items() <= p["metadata"]["labels"].items()])

    def read_namespaced_pod_log(self, pod: str, namespace: str, **options: Any) -> Any:
        """Return an answer that comes in blocks."""
        self.asked = {"pod": pod, **options}
        return SimpleNamespace(stream=lambda: iter(self.blocks))


@pytest.fixture
def cluster() -> Any:
    """A cluster in memory, taken for a real one."""
    return Memory()


@pytest.fixture
def objects() -> tuple[Manifest, Manifest, Manifest]:
    """What a submission applies."""
    metadata = {"name": "sweep-own", "labels": LABELS}
    return tuple({"kind": kind, "metadata": metadata} for kind in ("ConfigMap", "Secret", "Job"))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("now", "newest", "progress"),
    [
        (job(), None, ("waiting", None, "it has no pod yet")),
        ({**job(), "spec": {"suspend": True}}, None, ("waiting", None, "it is suspended, as by a queue")),
        (job(), pod(), ("waiting", "sweep-own-a", "")),
        (
            job(),
            pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes fit"}]),
            ("waiting", "sweep-own-a", "no node takes pod sweep-own-a: 0/3 nodes fit"),
        ),
        (job(), pod(**ready()), ("running", "sweep-own-a", "")),
        (
            job(),
            pod(**dead(137)),
            ("waiting", "sweep-own-a", "pod sweep-own-a on node node-1 ended with exit code 137, killed by signal 9"),
        ),
        (over("Complete"), pod(**dead(0)), ("complete", "sweep-own-a", "")),
        (over("Complete"), None, ("complete", None, "")),
        (
            over("Failed", "PodFailurePolicy", "Container driver failed with exit code 2"),
            pod(**dead(2, "a line\ntinderbox: epochs: no\n")),
            (
                "failed",
                "sweep-own-a",
                "pod sweep-own-a on node node-1 ended with exit code 2: tinderbox: epochs: no",
            ),
        ),
        (
            over("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"),
            pod(**dead(137, reason="OOMKilled")),
            (
                "failed",
                "sweep-own-a",
                "pod sweep-own-a needed more than its memory limit of 3Gi; give it more",
            ),
        ),
        (
            over("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"),
            None,
            ("failed", None, "Job has reached the specified backoff limit"),
        ),
        (
            over("Failed", "DeadlineExceeded", "Job was active longer than specified deadline"),
            pod(**dead(143, "stopped; run the same command again to continue")),
            ("failed", "sweep-own-a", "Job was active longer than specified deadline"),
        ),
        (over("Failed"), pod(), ("failed", "sweep-own-a", "")),
    ],
)
def test_where_a_job_stands(now: Manifest, newest: Manifest | None, progress: tuple[Any, ...]) -> None:
    """Each state with its cause: its pod's where that tells more, the Job's own where the Job ended the pod."""
    assert judge(now, newest) == Progress("sweep-own", *progress)


def test_a_condition_that_is_not_true() -> None:
    """Is none."""
    assert judge(job(conditions=[{"type": "Failed", "status": "False"}]), None).state == "waiting"


@pytest.mark.parametrize(
    ("state", "end"),
    [("waiting", False), ("running", False), ("complete", True), ("failed", True), ("deleted", True)],
)
def test_over(state: Any, end: bool) -> None:
    """Nothing more is to come of a Job that has ended, or is gone."""
    assert Progress("sweep-own", state, None, "").over is end


def test_the_newest_driver_counts(cluster: Any) -> None:
    """A Job may have had several."""
    cluster.things["job", "sweep-own"] = job()
    cluster.pods = [
        pod("2026-01-01T10:00:01", "old", **dead(1)),
        pod("2026-01-01T10:00:03", "new", **ready()),
        pod("2026-01-01T10:00:02", "middle", **dead(1)),
        {"metadata": {"name": "other", "labels": {"job-name": "sweep-other"}, "creationTimestamp": "2026-02-01"}},
    ]
    assert jobs.look(cluster, job()) == Progress("sweep-own", "running", "new", "")


def test_a_job_that_was_deleted(cluster: Any) -> None:
    """Is not waited for, whatever is left of its pods."""
    cluster.pods = [pod(**ready())]
    assert jobs.look(cluster, job()) == Progress("sweep-own", "deleted", None, "")


def test_a_first_submission(cluster: Any, objects: Any) -> None:
    """The Job comes first, so that only one can; ConfigMap and Secret go with the one that was made."""
    jobs.submit(cluster, objects)
    assert cluster.deeds == ["create job", "apply secret", "apply config_map"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "sweep-own", "uid": "uid-1"}
    for kind in ("config_map", "secret"):
        assert cluster.things[kind, "sweep-own"]["metadata"]["ownerReferences"] == [owner]
    assert "ownerReferences" not in cluster.things["job", "sweep-own"]["metadata"]


@pytest.mark.parametrize("kind", ["Complete", "Failed"])
def test_a_job_that_has_ended_is_replaced(cluster: Any, objects: Any, kind: str) -> None:
    """It goes with its pods before anything is applied."""
    cluster.things["job", "sweep-own"] = over(kind)
    jobs.submit(cluster, objects)
    assert cluster.deeds[:2] == ["delete job uid-0", "create job"]
    assert cluster.things["job", "sweep-own"]["metadata"]["uid"] == "uid-2"


def test_two_submissions_at_once(cluster: Any, objects: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later one is refused, has written nothing over the other one's job file, and leaves its Job alone."""
    jobs.submit(cluster, objects)
    monkeypatch.setattr(cluster, "find", lambda kind, name: None)  # it looked before the first one was made
    done = list(cluster.deeds)
    with pytest.raises(BadInput, match="job sweep-own runs in namespace lab and was not touched"):
        jobs.submit(cluster, objects)
    assert cluster.deeds == done


@pytest.mark.parametrize("kind", ["secret", "config_map"])
def test_a_submission_that_is_refused_half_way(cluster: Any, objects: Any, kind: str) -> None:
    """Leaves no Job that would wait for ever."""
    cluster.refused = kind
    with pytest.raises(TinderboxError, match="exceeded quota"):
        jobs.submit(cluster, objects)
    assert ("job", "sweep-own") not in cluster.things


def test_a_job_that_runs_is_not_touched(cluster: Any, objects: Any) -> None:
    """One sentence, and nothing is applied."""
    cluster.things["job", "sweep-own"] = job(active=1)
    with pytest.raises(BadInput) as refused:
        jobs.submit(cluster, objects)
    assert str(refused.value) == (
        "job sweep-own runs in namespace lab and was not touched: follow it with `tinderbox status own`, "
        "or end it with `tinderbox delete own`"
    )
    assert cluster.deeds == []


def test_a_job_is_deleted(cluster: Any) -> None:
    """Which is over when it is gone."""
    cluster.things["job", "sweep-own"] = job()
    jobs.delete(cluster, job())
    assert cluster.things == {}


def test_a_job_whose_place_is_taken(cluster: Any) -> None:
    """Is gone, and the one in its place is not touched."""
    cluster.things["job", "sweep-own"] = {**job(), "metadata": {**job()["metadata"], "uid": "uid-9"}}
    jobs.delete(cluster, job())
    assert ("job", "sweep-own") in cluster.things


def test_a_job_that_does_not_go(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is waited for, but not for ever."""
    monkeypatch.setattr(jobs, "GONE_SECONDS", 0.05)
    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.01)
    cluster.things["job", "sweep-own"], cluster.lasting = job(), True
    with pytest.raises(TinderboxError) as failed:
        jobs.delete(cluster, job())
    assert str(failed.value) == "job sweep-own is still being deleted after 0 s: its pod does not end"


def test_the_job_of_a_study(cluster: Any) -> None:
    """By its label, whatever its name; the newest one where there are several."""
    cluster.things = {
        ("job", "a"): job("a", created="2026-01-02"),
        ("job", "b"): job("b", created="2026-01-03"),
        ("job", "c"): job("c", created="2026-01-01"),
        ("job", "d"): job("d", "other", "2026-01-09"),
    }
    assert jobs.find_job(cluster, "own")["metadata"]["name"] == "b"


@pytest.mark.parametrize("study", ["non", "Own", "", "own,app=x", "a study"])
def test_a_study_without_a_job(cluster: Any, study: str) -> None:
    """The sentence says which have one, each once; what is no name is none of them."""
    cluster.things = {("job", name): job(name, of) for name, of in (("b", "own"), ("c", "own"), ("a", "digits"))}
    with pytest.raises(BadInput) as refused:
        jobs.find_job(cluster, study)
    assert str(refused.value) == f"namespace lab has no job of {study!r}; it has those of digits, own"


def test_a_namespace_without_jobs(cluster: Any) -> None:
    """The sentence says that."""
    with pytest.raises(BadInput, match=r"^namespace lab has no job of 'own'; it has those of none$"):
        jobs.find_job(cluster, "own")


@pytest.mark.parametrize(
    ("blocks", "lines"),
    [
        ([], []),
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\nt", b"wo"], ["one", "two"]),
        ([b"one\n", b"\n", b"two\n"], ["one", "", "two"]),
        (["grün".encode()[:3], "grün".encode()[3:], b"\n"], ["grün"]),
        ([b"\xff\r\n"], ["\N{REPLACEMENT CHARACTER}\r"]),
    ],
)
def test_lines_of_a_log(cluster: Any, blocks: list[bytes], lines: list[str]) -> None:
    """They are whole, wherever the blocks that they come in end."""
    cluster.blocks = blocks
    assert list(jobs.driver_log(cluster, "sweep-own-a", follow=True)) == lines
    options = {"follow": True, "_preload_content": False, "_request_timeout": (10.0, 86_400.0)}
    assert cluster.asked == {"pod": "sweep-own-a", "container": "driver", **options}


def test_lines_come_as_they_are_printed(cluster: Any) -> None:
    """One that is whole is not held back until the next block."""

    def printed() -> Iterator[bytes]:
        yield b"one\ntw"
        raise AssertionError("nobody asked for more")

    cluster.blocks = printed()
    assert next(jobs.driver_log(cluster, "sweep-own-a", follow=True)) == "one"


def test_a_log_of_a_real_client(api: Any) -> None:
    """The client takes the options as they are given."""
    api.answers["/api/v1/namespaces/lab/pods/sweep-own-a/log"] = lambda _: (200, b"one\ntwo\n")
    assert list(jobs.driver_log(api.cluster(), "sweep-own-a", follow=False)) == ["one", "two"]


def test_a_log_that_breaks_off(cluster: Any) -> None:
    """Is one sentence, after the lines that came."""

    def printed() -> Iterator[bytes]:
        yield b"one\n"
        raise ConnectionResetError("reset")

    cluster.blocks = printed()
    lines = jobs.driver_log(cluster, "sweep-own-a", follow=True)
    assert next(lines) == "one"
    with pytest.raises(TinderboxError, match=r"^the cluster cannot be reached: reset; look at KUBECONFIG"):
        next(lines)


def test_the_console_of_a_release(cluster: Any) -> None:
    """One that is ready, of this release, and none where there is none."""
    console = {"app.kubernetes.io/part-of": "tinderbox", "app.kubernetes.io/component": "console"}

    def add(name: str, release: str, **status: Any) -> None:
        cluster.pods.append({"metadata": {"name": name, "labels": {**console, INSTANCE: release}}, "status": status})

    add("starting", "tinderbox")
    add("foreign", "lab", **ready())
    assert jobs.find_console(cluster, "tinderbox") is None
    add("console", "tinderbox", **ready())
    assert jobs.find_console(cluster, "tinderbox") == "console"
