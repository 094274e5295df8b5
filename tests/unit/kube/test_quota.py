"""What the API server says of one more executor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import MaxRetryError

from tinderbox.kube.quota import executor_pod, explain_refusal

TEMPLATE = """
metadata: {labels: {app: tinderbox}}
spec:
  securityContext: {runAsNonRoot: true}
  containers:
    - name: executor
      resources: {limits: {nvidia.com/gpu: 1}}
"""
POD = {"metadata": {"generateName": "tinderbox-probe-"}}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Spark's settings as the chart and the pod make them."""
    (tmp_path / "executor.yaml").write_text(TEMPLATE)
    return {
        "spark.kubernetes.executor.podTemplateFile": str(tmp_path / "executor.yaml"),
        "spark.kubernetes.container.image": "tinderbox:1",
        "spark.executor.cores": "2",
        "spark.executor.memory": "768m",
        "spark.executor.memoryOverhead": "2304m",
    }


def answer(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[dict[str, Any]]:
    """Let the API server take, or refuse, every pod; return the requests it gets."""
    from kubernetes import client

    seen: list[dict[str, Any]] = []

    def create(self: object, namespace: str, pod: dict[str, Any], **options: Any) -> None:
        seen.append({"namespace": namespace, "pod": pod, **options})
        if error:
            raise error

    monkeypatch.setattr(client.CoreV1Api, "create_namespaced_pod", create)
    return seen


def refusal(status: int, message: str) -> Exception:
    """An answer of the API server."""
    from kubernetes import client

    error = client.ApiException(status=status)
    error.body = json.dumps({"message": message})
    return error


def test_the_probe_is_as_large_as_an_executor(settings: dict[str, str]) -> None:
    """Heap and overhead together, without a limit of CPUs that executors have not; the template's own limits stay."""
    resources = executor_pod(settings)["spec"]["containers"][0]["resources"]
    assert resources["requests"] == {"memory": "3072Mi", "cpu": "2"}
    assert resources["limits"] == {"memory": "3072Mi", "nvidia.com/gpu": 1}


def test_the_probe_has_the_cpus_that_the_chart_names(settings: dict[str, str]) -> None:
    """A request below its cores, and a limit."""
    cpus = {"spark.kubernetes.executor.request.cores": "200m", "spark.kubernetes.executor.limit.cores": "3"}
    pod = executor_pod({**settings, **cpus})
    resources = pod["spec"]["containers"][0]["resources"]
    assert (resources["requests"]["cpu"], resources["limits"]["cpu"]) == ("200m", "3")
    assert pod["metadata"] == {"labels": {"app": "tinderbox"}, "generateName": "tinderbox-probe-"}


def test_a_namespace_with_room_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is created: the request is a dry run, and is not waited for without end."""
    seen = answer(monkeypatch, None)
    assert explain_refusal("ml", POD) is None
    assert seen == [{"namespace": "ml", "pod": POD, "dry_run": "All", "_request_timeout": 10.0}]


def test_a_full_quota_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server's message is passed on without its preamble."""
    told = 'pods "p" is forbidden: exceeded quota: small, used: pods=2, limited: pods=2'
    answer(monkeypatch, refusal(403, told))
    assert explain_refusal("ml", POD) == (
        "namespace ml refuses another executor: exceeded quota: small, used: pods=2, limited: pods=2"
    )


@pytest.mark.parametrize("status", [401, 429, 500, 503, None])
def test_an_api_server_in_trouble_refuses_nothing(monkeypatch: pytest.MonkeyPatch, status: int | None) -> None:
    """The study goes on, and is told nothing false."""
    away = MaxRetryError(None, "/", OSError("no route"))  # type: ignore[arg-type]
    answer(monkeypatch, away if status is None else refusal(status, "later"))
    assert explain_refusal("ml", POD) is None
