"""Follows the executors' pods and remembers the first bad word on each, because Spark deletes the failed ones."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tinderbox.kube.death import (
    Pod,
    ended_well,
    explain_death,
    explain_waiting,
    has_ended,
    is_ready,
    name_of,
    ran_out_of_memory,
)

LOG = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0
_LIST_SECONDS = 30
_WATCH_SECONDS = 300
_CONNECT_SECONDS = 10

Look = Callable[[], tuple[Sequence[Pod], Iterable[Mapping[str, Any]]]]
"""Returns the pods that there are, and what changes from then on: an event for each, for as long as a watch lasts."""

OnDeath = Callable[[str, str, bool], None]
"""Is told a dead pod's name, why it died, and whether that was for lack of memory."""


class PodWatch:
    """Why executors died, or do not start.

    Each sentence goes to the log once, and a death to `on_death` once nothing runs in the pod any more: one that is
    evicted or deleted has a grace in which what runs there may save its state.
    """

    def __init__(self, look: Look, on_death: OnDeath) -> None:
        self._look, self._on_death = look, on_death
        self._lock = threading.Lock()
        self._dying: dict[str, str] = {}
        self._told: set[str] = set()
        self._dead: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to follow, in a thread that ends with the process."""
        threading.Thread(target=self._follow, name="pod-watch", daemon=True).start()

    def stop(self) -> None:
        """Listen no more: what dies now is meant to."""
        self._stopped.set()

    def deaths(self) -> list[str]:
        """Return why pods have died, in order; one that ended well when it was taken away is none of them."""
        with self._lock:
            return list(self._dead.values())

    def waiting(self) -> list[str]:
        """Return why pods that have not started do not start, each sentence once."""
        with self._lock:
            return sorted(set(self._waiting.values()))

    def see(self, pod: Pod, is_gone: bool = False) -> None:
        """Take in the newest state of a pod, the last one where it is gone."""
        name, death = name_of(pod), explain_death(pod)
        waiting = None if death or is_gone or is_ready(pod) else explain_waiting(pod)
        with self._lock:
            # A pod's first bad word is the cause; what follows is its consequence.
            began_to_die = death is not None and self._dying.setdefault(name, death) is death
            is_over = (is_gone or has_ended(pod)) and name in self._dying and name not in self._told
            if is_over:
                self._told.add(name)
            if is_over and not ended_well(pod):
                self._dead[name] = self._dying[name]
            began_to_wait = waiting is not None and self._waiting.get(name) != waiting
            others = {other: text for other, text in self._waiting.items() if other != name}
            self._waiting = {**others, name: waiting} if waiting else others
        if began_to_wait:
            LOG.warning(waiting)
        if began_to_die:
            LOG.warning(death)
        if is_over:
            self._on_death(name, self._dying[name], ran_out_of_memory(pod))

    def see_all(self, pods: Sequence[Pod]) -> None:
        """Take in all pods that there are; one that is not among them went unseen, and waits no more."""
        names = {name_of(pod) for pod in pods}
        with self._lock:
            self._waiting = {name: text for name, text in self._waiting.items() if name in names}
        for pod in pods:
            self.see(pod)

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                pods, events = self._look()
                if not self._stopped.is_set():
                    self.see_all(pods)
                for event in events:
                    if self._stopped.is_set():
                        return
                    self.see(event["raw_object"], is_gone=event["type"] == "DELETED")
            except Exception as error:  # the API server may be away for a while; the study goes on
                LOG.debug("the pod watch begins anew: %s", error)
                time.sleep(_RETRY_SECONDS)


def watch_executors(namespace: str, application: str, on_death: OnDeath) -> PodWatch:
    """Return a running watch over the executors of a Spark application."""
    from kubernetes import client, watch

    api = client.CoreV1Api()
    labels = f"spark-app-selector={application},spark-role=executor"

    def look() -> tuple[Sequence[Pod], Iterable[Mapping[str, Any]]]:
        # A connection whose other end is gone says nothing and never ends, so each call has an end of its own here.
        found = api.list_namespaced_pod(
            namespace, label_selector=labels, _request_timeout=(_CONNECT_SECONDS, _LIST_SECONDS)
        )
        events = watch.Watch().stream(
            api.list_namespaced_pod,
            namespace,
            label_selector=labels,
            resource_version=found.metadata.resource_version,
            timeout_seconds=_WATCH_SECONDS,
            _request_timeout=(_CONNECT_SECONDS, _WATCH_SECONDS + _LIST_SECONDS),
        )
        return api.api_client.sanitize_for_serialization(found)["items"], events

    found = PodWatch(look, on_death)
    found.start()
    return found
