"""Asks the API server whether it would take one more executor, without making it."""

from __future__ import annotations

import json


def explain_refusal(namespace: str, image: str, cpu: str, memory: str) -> str | None:
    """Return why the namespace would refuse a pod of this size, None where it would take it.

    A dry run goes through quota and Pod Security like a real request, and needs no right beyond creating pods.
    """
    from kubernetes import client

    amounts = {"cpu": cpu, "memory": memory}
    container = {
        "name": "executor",
        "image": image,
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "containers": [container],
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    pod = {"metadata": {"generateName": "tinderbox-probe-"}, "spec": spec}
    try:
        client.CoreV1Api().create_namespaced_pod(namespace, pod, dry_run="All")
    except client.ApiException as error:
        return f"namespace {namespace} refuses another executor: {_message(error.body)}"
    return None


def _message(body: str | None) -> str:
    try:
        message: str = json.loads(body or "")["message"]
    except (ValueError, KeyError):
        return body or "no reason given"
    return message.partition(" is forbidden: ")[2] or message
