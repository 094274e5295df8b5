"""The cluster that a person speaks to: which one, which namespace and release, and a sentence where it says no."""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from urllib3.exceptions import HTTPError

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube.manifest import INSTANCE, Manifest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

MANAGER = "tinderbox"
PATIENCE = (10.0, 60.0)
"""Seconds until a connection stands, and between two pieces of an answer; the client by itself waits for ever."""
_RELEASES = "app.kubernetes.io/part-of=tinderbox,app.kubernetes.io/component=driver,app.kubernetes.io/managed-by=Helm"


@dataclass(frozen=True)
class Release:
    """What a release of the chart tells those who submit: where studies are, and the Job of its drivers."""

    name: str
    storage: str
    driver: Manifest


class Cluster:
    """One namespace of one cluster."""

    def __init__(self, api: ApiClient, namespace: str) -> None:
        from kubernetes import client

        self.api, self.namespace = api, namespace
        self.core, self.batch = client.CoreV1Api(api), client.BatchV1Api(api)

    def release(self, name: str | None) -> Release:
        """Return what a release tells, the namespace's only one where none is named.

        Raises:
            BadInput: There is none of this name, or none at all, or more than one to choose from.
        """
        with answering(self.namespace):
            maps = self.core.list_namespaced_config_map(self.namespace, label_selector=_RELEASES).items
        known = {told.metadata.labels[INSTANCE]: told.data for told in maps if "driver.yaml" in (told.data or {})}
        if not known:
            raise BadInput(
                f"namespace {self.namespace} has no release of the chart: helm install tinderbox charts/tinderbox "
                f"--namespace {self.namespace}, or name another with --namespace"
            )
        if name not in known and (name is not None or len(known) > 1):
            wanted = "which is not one" if name else "because there are several"
            raise BadInput(f"--release must name one of {', '.join(sorted(known))}, {wanted}, got {name!r}")
        name = name or next(iter(known))
        return Release(name, known[name]["storage"], yaml.safe_load(known[name]["driver.yaml"]))

    def find(self, kind: str, name: str) -> Manifest | None:
        """Return an object as plain values, None where there is none; `kind` is written as the client does."""
        return self._unless({404}, "read", kind, name, self.namespace)

    def create(self, kind: str, manifest: Manifest) -> Manifest | None:
        """Make an object and return it, None where there is one of its name."""
        return self._unless({409}, "create", kind, self.namespace, manifest, field_manager=MANAGER)

    def delete(self, kind: str, name: str, uid: str) -> None:
        """Delete an object with all that it owns, unless it is gone or another one has its name."""
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": uid}}
        self._unless({404, 409}, "delete", kind, name, self.namespace, body=options)

    def apply(self, kind: str, manifest: Manifest) -> Manifest:
        """Apply an object, server-side."""
        options = {"field_manager": MANAGER, "force": True, "_content_type": "application/apply-patch+yaml"}
        return self._ask("patch", kind, manifest["metadata"]["name"], self.namespace, manifest, **options)

    def merge(self, kind: str, name: str, change: Manifest) -> Manifest:
        """Change some keys of an object, whoever wrote them."""
        options = {"field_manager": MANAGER, "_content_type": "application/merge-patch+json"}
        return self._ask("patch", kind, name, self.namespace, change, **options)

    def _ask(self, verb: str, kind: str, *arguments: Any, **options: Any) -> Manifest:
        with answering(self.namespace):
            api = self.batch if kind == "job" else self.core
            return self.plain(getattr(api, f"{verb}_namespaced_{kind}")(*arguments, **options))

    def _unless(self, statuses: Set[int], *arguments: Any, **options: Any) -> Manifest | None:
        """Return what is answered, None where the API server refuses with one of these statuses."""
        try:
            return self._ask(*arguments, **options)
        except Refused as refused:
            if refused.status in statuses:
                return None
            raise

    def plain(self, answer: Any) -> Manifest:
        """Return what the client's classes hold as the plain values that the API server sent."""
        tree: Manifest = self.api.sanitize_for_serialization(answer)
        return tree


class Refused(TinderboxError):
    """The API server says no, with an HTTP status, for a reason of its own."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class Unreachable(TinderboxError):
    """The API server does not answer."""


@contextmanager
def answering(namespace: str) -> Iterator[None]:
    """Turn what the client raises into one sentence.

    Raises:
        Unreachable: The cluster cannot be reached.
        Refused: It refuses.
    """
    from kubernetes.client import ApiException

    try:
        yield
    except ApiException as error:
        if error.status in (401, 403):
            raise Refused(
                f"namespace {namespace} does not let you: {message_of(error.body)}; "
                "the chart's value `submitters` names who may",
                error.status,
            ) from error
        raise Refused(f"the cluster refuses: {message_of(error.body)}", error.status) from error
    except (HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or error  # of what was tried again, without its long URL
        raise Unreachable(f"the cluster cannot be reached: {reason}; look at KUBECONFIG and --context") from error


def message_of(body: str | bytes | None) -> str:
    """Return the sentence in an answer of the API server."""
    try:
        return str(json.loads(body or "")["message"])
    except (ValueError, KeyError, TypeError):
        return str(body or "no reason given")


def _patient(settings: Configuration) -> ApiClient:
    """Return a client whose requests end within `PATIENCE`, where they do not say how long they take themselves."""
    from kubernetes import client

    api = client.ApiClient(configuration=settings)
    wait = api.call_api

    def call(*arguments: Any, _request_timeout: Any = None, **options: Any) -> Any:
        return wait(*arguments, _request_timeout=_request_timeout or PATIENCE, **options)

    api.call_api = call
    return api


def connect(namespace: str | None, context: str | None) -> Cluster:
    """Return the cluster of a kubeconfig's context, the current one where none is named, and its namespace.

    Raises:
        BadInput: No cluster is configured, or not this one.
    """
    from kubernetes import client, config
    from kubernetes.config import kube_config

    try:
        # Which context is the current one matters only where none is named.
        known = kube_config.KubeConfigMerger(kube_config.KUBE_CONFIG_DEFAULT_LOCATION).config
        if known is not None and context and known["contexts"].get_with_name(context, safe=True) is None:
            raise BadInput(f"kubeconfig has no context {context!r}: kubectl config get-contexts lists them")
        settings = client.Configuration()
        config.load_kube_config(context=context, client_configuration=settings)
        chosen = known["contexts"].get_with_name(context or known["current-context"])["context"]
    except (config.ConfigException, yaml.YAMLError, OSError, TypeError) as error:
        told = " ".join(str(error).split()).rstrip(".")
        raise BadInput(f"no cluster is configured: {told}; set KUBECONFIG, or name --context") from error
    return Cluster(_patient(settings), namespace or chosen.safe_get("namespace") or "default")
