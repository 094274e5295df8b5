"""What the API server says of one more executor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tinderbox.kube.quota import explain_refusal


def answer(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[dict[str, Any]]:
    """Let the API server take, or refuse, every pod; return the requests it gets."""
    from kubernetes import client

    seen: list[dict[str, Any]] = []

    def create(self: object, namespace: str, pod: dict[str, Any], dry_run: str) -> None:
        seen.append({"namespace": namespace, "pod": pod, "dry_run": dry_run})
        if error:
            raise error

    monkeypatch.setattr(client.CoreV1Api, "create_namespaced_pod", create)
    return seen


def test_a_namespace_with_room_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is created: the request is a dry run."""
    seen = answer(monkeypatch, None)
    assert explain_refusal("ml", "tinderbox:1", "1", "2Gi") is None
    assert [request["dry_run"] for request in seen] == ["All"]


def test_a_full_quota_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server's message is passed on without its preamble."""
    from kubernetes import client

    error = client.ApiException(status=403)
    error.body = json.dumps({"message": 'pods "p" is forbidden: exceeded quota: small, used: pods=2, limited: pods=2'})
    answer(monkeypatch, error)
    assert explain_refusal("ml", "tinderbox:1", "1", "2Gi") == (
        "namespace ml refuses another executor: exceeded quota: small, used: pods=2, limited: pods=2"
    )
