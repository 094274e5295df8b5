"""Which cluster is meant, which release of the chart, and a sentence for each way in which it says no."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube import cluster as module
from tinderbox.kube.cluster import Refused, Release, Unreachable, connect, message_of

RELEASES = "/api/v1/namespaces/lab/configmaps"
JOBS = "/apis/batch/v1/namespaces/lab/jobs"
JOB = f"{JOBS}/sweep-own"
SECRET = "/api/v1/namespaces/lab/secrets/sweep-own"  # noqa: S105 - a path

Kubeconfig = Callable[..., Path]


def released(*names: str) -> Callable[[Any], tuple[int, Any]]:
    """An answer with the ConfigMaps of releases: what each tells Spark, and what it tells those who submit."""
    items = [
        {"metadata": {"labels": {"app.kubernetes.io/instance": name}}, "data": data}
        for name in names
        for data in (
            {"spark-defaults.conf": ""},
            {"storage": f"/studies/{name}", "driver.yaml": "kind: Job\nspec: {backoffLimit: 10}\n"},
            None,
        )
    ]
    return lambda _: (200, {"items": items})


@pytest.mark.parametrize(("named", "found"), [(None, "digits"), ("digits", "digits")])
def test_the_only_release(api: Any, named: str | None, found: str) -> None:
    """Is taken, named or not."""
    api.answers[RELEASES] = released("digits")
    release = api.cluster().release(named)
    assert release == Release(found, "/studies/digits", {"kind": "Job", "spec": {"backoffLimit": 10}})
    assert "labelSelector=app.kubernetes.io/part-of%3Dtinderbox" in api.requests[0].query


def test_one_of_several_releases(api: Any) -> None:
    """Is the one that is named."""
    api.answers[RELEASES] = released("b", "a", "c")
    assert api.cluster().release("c").storage == "/studies/c"


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        (None, "--release must name one of a, b, because there are several, got None"),
        ("z", "--release must name one of a, b, which is not one, got 'z'"),
    ],
)
def test_a_release_that_is_not_clear(api: Any, named: str | None, sentence: str) -> None:
    """The sentence says which there are."""
    api.answers[RELEASES] = released("b", "a")
    with pytest.raises(BadInput) as refused:
        api.cluster().release(named)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("named", [None, "tinderbox"])
def test_a_namespace_without_a_release(api: Any, named: str | None) -> None:
    """The sentence says how there is one."""
    api.answers[RELEASES] = released()
    with pytest.raises(BadInput) as refused:
        api.cluster().release(named)
    assert str(refused.value) == (
        "namespace lab has no release of the chart: helm install tinderbox charts/tinderbox --namespace lab, "
        "or name another with --namespace"
    )


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (
            401,
            {"message": "Unauthorized"},
            "namespace lab does not let you: Unauthorized; the chart's value `submitters` names who may",
        ),
        (
            403,
            {"message": 'configmaps is forbidden: User "me" cannot list'},
            'namespace lab does not let you: configmaps is forbidden: User "me" cannot list; '
            "the chart's value `submitters` names who may",
        ),
        (404, {"message": "the server could not find it"}, "the cluster refuses: the server could not find it"),
        (500, b"<html>broken</html>", "the cluster refuses: <html>broken</html>"),
        (503, b"", "the cluster refuses: no reason given"),
    ],
)
def test_what_the_cluster_refuses(api: Any, status: int, body: Any, sentence: str) -> None:
    """Is told in its own words."""
    api.answers[RELEASES] = lambda _: (status, body)
    with pytest.raises(Refused) as refused:
        api.cluster().release(None)
    assert (str(refused.value), refused.value.exit_code) == (sentence, 1)


def test_a_cluster_that_is_not_there(kubeconfig: Kubeconfig) -> None:
    """Is one short sentence, without the request."""
    kubeconfig("http://127.0.0.1:1")
    with pytest.raises(TinderboxError) as failed:
        connect(None, None).release(None)
    assert str(failed.value) == (
        "the cluster cannot be reached: HTTPConnection(host='127.0.0.1', port=1): Failed to establish a new "
        "connection: [Errno 111] Connection refused; look at KUBECONFIG and --context"
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (None, "no reason given"),
        ("", "no reason given"),
        (b'{"message": "no"}', "no"),
        ('{"reason": "x"}', '{"reason": "x"}'),
        ("[1]", "[1]"),
        ("5", "5"),
    ],
)
def test_what_an_answer_says(body: Any, sentence: str) -> None:
    """Its message where it has one, and all of it where it has none."""
    assert message_of(body) == sentence


def test_an_object_is_found(api: Any) -> None:
    """As plain values, with the keys that the API server writes; one that is not there is None."""
    job = {
        "metadata": {"name": "sweep-own", "creationTimestamp": "2026-01-01T10:00:00Z"},
        "spec": {"backoffLimit": 3, "template": {"spec": {"containers": [{"name": "driver"}]}}},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    }
    api.answers[JOB] = lambda _: (200, job)
    found = api.cluster().find("job", "sweep-own")
    assert found["spec"] == job["spec"]
    assert found["metadata"]["creationTimestamp"].startswith("2026-01-01T10:00:00")
    assert found["status"]["conditions"] == [{"type": "Complete", "status": "True"}]
    assert api.cluster().find("secret", "sweep-own") is None


def test_an_object_that_one_may_not_see(api: Any) -> None:
    """Is not taken for one that is not there."""
    api.answers[JOB] = lambda _: (403, {"message": "forbidden"})
    with pytest.raises(Refused, match="namespace lab does not let you: forbidden"):
        api.cluster().find("job", "sweep-own")


def test_an_object_is_made_once(api: Any) -> None:
    """A name that is taken is no error, and all else is."""
    statuses = iter([201, 409, 403])
    api.answers[JOBS] = lambda request: (next(statuses), {"metadata": {"uid": "1"}, "message": "no"})
    cluster, job = api.cluster(), {"kind": "Job", "metadata": {"name": "sweep-own"}}
    made = cluster.create("job", job)
    assert made is not None
    assert made["metadata"] == {"uid": "1"}
    assert cluster.create("job", job) is None
    with pytest.raises(Refused, match="does not let you"):
        cluster.create("job", job)
    assert [(request.method, json.loads(request.body)) for request in api.requests] == [("POST", job)] * 3


@pytest.mark.parametrize("status", [200, 404, 409])
def test_an_object_is_deleted(api: Any, status: int) -> None:
    """Only the one that is meant: gone already, or in another one's place, is no error."""
    api.answers[JOB] = lambda _: (status, {"kind": "Status", "message": "no"})
    api.cluster().delete("job", "sweep-own", "uid-1")
    asked = json.loads(api.requests[0].body)
    assert (asked["preconditions"], asked["propagationPolicy"]) == ({"uid": "uid-1"}, "Foreground")


def test_a_cluster_that_does_not_answer(kubeconfig: Kubeconfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not waited for without end."""
    monkeypatch.setattr(module, "PATIENCE", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unreachable, match="timed out"):
            connect(None, None).find("job", "sweep-own")


def test_an_object_is_applied(api: Any) -> None:
    """Server-side and by force: it is made or changed, whoever wrote it before."""
    api.answers[SECRET] = lambda request: (200, {**json.loads(request.body), "metadata": {"uid": "1"}})
    secret = {"kind": "Secret", "metadata": {"name": "sweep-own"}, "stringData": {"token": "a"}}
    assert api.cluster().apply("secret", secret)["metadata"] == {"uid": "1"}
    request = api.requests[0]
    assert (request.method, json.loads(request.body)) == ("PATCH", secret)
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.headers["Authorization"] == "Bearer secret"
    assert sorted(request.query.split("&")) == ["fieldManager=tinderbox", "force=true"]


def test_a_key_of_an_object_is_changed(api: Any) -> None:
    """And no other one, by whomever it was written."""
    api.answers[SECRET] = lambda request: (200, json.loads(request.body))
    change = {"stringData": {"token": "b"}}
    assert api.cluster().merge("secret", "sweep-own", change) == change
    request = api.requests[0]
    assert (request.method, request.headers["Content-Type"]) == ("PATCH", "application/merge-patch+json")


@pytest.mark.parametrize(
    ("namespace", "context", "expected"),
    [(None, None, "lab"), ("mine", None, "mine"), (None, "bare", "default"), ("mine", "bare", "mine")],
)
def test_the_namespace(kubeconfig: Kubeconfig, namespace: str | None, context: str | None, expected: str) -> None:
    """Is the one named, that of the context, or Kubernetes' default."""
    kubeconfig()
    assert connect(namespace, context).namespace == expected


def test_a_context_that_is_named(kubeconfig: Kubeconfig) -> None:
    """Needs no current one."""
    kubeconfig(**{"current-context": None})
    assert connect(None, "here").namespace == "lab"


def test_an_unknown_context(kubeconfig: Kubeconfig) -> None:
    """Is refused with its name."""
    kubeconfig()
    with pytest.raises(BadInput) as refused:
        connect(None, "there")
    assert str(refused.value) == "kubeconfig has no context 'there': kubectl config get-contexts lists them"


@pytest.mark.parametrize("context", [None, "here"])
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "Invalid kube-config file. No configuration found"),
        ("", "Invalid kube-config. PATH file is empty"),
        ("a: [1", "while parsing a flow sequence in "),
        ("[]", "list indices must be integers or slices, not str"),
    ],
)
def test_no_cluster_is_configured(
    kubeconfig: Kubeconfig, tmp_path: Path, context: str | None, text: str | None, sentence: str
) -> None:
    """One sentence on one line says why, and where one is named."""
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput) as refused:
        connect(None, context)
    told = str(refused.value)
    assert told.startswith(f"no cluster is configured: {sentence.replace('PATH', str(path))}")
    assert told.endswith("; set KUBECONFIG, or name --context")
    assert "\n" not in told


def test_a_folder_for_a_kubeconfig(kubeconfig: Kubeconfig, tmp_path: Path) -> None:
    """Is refused as well."""
    (tmp_path / "kubeconfig").mkdir()
    with pytest.raises(BadInput, match=r"^no cluster is configured: \[Errno 21\] Is a directory"):
        connect(None, None)


def test_no_current_context(kubeconfig: Kubeconfig) -> None:
    """Where none is named either, the sentence says how to name one."""
    kubeconfig(**{"current-context": None})
    with pytest.raises(BadInput, match=r"Expected key current-context in .*; set KUBECONFIG, or name --context$"):
        connect(None, None)
