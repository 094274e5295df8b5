"""Asks the API server whether it would take one more executor, without making it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from urllib3.exceptions import HTTPError

_REFUSED = (403, 422)
"""What quota, Pod Security and policies answer; anything else says that the API server is in trouble."""

_TIMEOUT_SECONDS = 10.0


def executor_pod(settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the pod that Spark asks for by these settings: the chart's template, with image and sizes."""
    pod: dict[str, Any] = yaml.safe_load(Path(settings["spark.kubernetes.executor.podTemplateFile"]).read_text())
    memory = sum(int(settings[f"spark.executor.{part}"].removesuffix("m")) for part in ("memory", "memoryOverhead"))
    container = pod["spec"]["containers"][0]
    container["image"] = settings["spark.kubernetes.container.image"]
    resources = container.setdefault("resources", {})
    cores = settings["spark.executor.cores"]
    amounts = {
        "requests": {"memory": f"{memory}Mi", "cpu": settings.get("spark.kubernetes.executor.request.cores", cores)},
        "limits": {"memory": f"{memory}Mi"},
    }
    if limit := settings.get("spark.kubernetes.executor.limit.cores"):
        amounts["limits"]["cpu"] = limit
    for kind, wanted in amounts.items():
        resources[kind] = {**resources.get(kind, {}), **wanted}
    pod["spec"]["restartPolicy"] = "Never"
    pod["metadata"] = {**pod.get("metadata", {}), "generateName": "tinderbox-probe-"}
    return pod


def explain_refusal(namespace: str, pod: Mapping[str, Any]) -> str | None:
    """Return why a namespace would refuse a pod, None where it would take it or nobody answers.

    A dry run goes through quota and Pod Security like a real request, and needs no right beyond creating pods.
    """
    from kubernetes import client

    try:
        client.CoreV1Api().create_namespaced_pod(namespace, pod, dry_run="All", _request_timeout=_TIMEOUT_SECONDS)
    except client.ApiException as error:
        if error.status in _REFUSED:
            return f"namespace {namespace} refuses another executor: {_message(error.body)}"
    except (HTTPError, OSError):
        return None
    return None


def _message(body: str | None) -> str:
    try:
        message: str = json.loads(body or "")["message"]
    except (ValueError, KeyError):
        return body or "no reason given"
    return message.partition(" is forbidden: ")[2] or message
