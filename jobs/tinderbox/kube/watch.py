"""Follows the executors' pods and remembers the first bad word on each, because Spark deletes the failed ones."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from tinderbox.kube.death import Pod, explain_death, explain_waiting, is_ready, name_of

LOG = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0

Events = Callable[[], Iterable[Pod]]
"""Yields a pod for each change, for as long as a watch lasts."""


class PodWatch:
    """Why executors died, or do not start.

    Each sentence goes to the log once, and a death to `on_death` too, with the pod's name.
    """

    def __init__(self, events: Events, on_death: Callable[[str, str], None]) -> None:
        self._events, self._on_death = events, on_death
        self._lock = threading.Lock()
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
        """Return why pods have died, in order."""
        with self._lock:
            return list(self._dead.values())

    def waiting(self) -> list[str]:
        """Return why pods that have not started do not start, each sentence once."""
        with self._lock:
            return sorted(set(self._waiting.values()))

    def see(self, pod: Pod) -> None:
        """Take in the newest state of a pod."""
        name, death = name_of(pod), explain_death(pod)
        waiting = None if death or is_ready(pod) else explain_waiting(pod)
        with self._lock:
            # A pod's first bad word is the cause; what follows is its consequence.
            died = death is not None and self._dead.setdefault(name, death) is death
            began_to_wait = waiting is not None and self._waiting.get(name) != waiting
            self._waiting = {**self._waiting, name: waiting} if waiting else self._without(name)
        if began_to_wait:
            LOG.warning(waiting)
        if died and death is not None:
            LOG.warning(death)
            self._on_death(name, death)

    def _without(self, name: str) -> dict[str, str]:
        return {other: text for other, text in self._waiting.items() if other != name}

    def _follow(self) -> None:
        while not self._stopped.is_set():
            try:
                for pod in self._events():
                    if self._stopped.is_set():
                        return
                    self.see(pod)
            except Exception as error:  # the API server may be away for a while; the study goes on
                LOG.debug("the pod watch begins anew: %s", error)
                time.sleep(_RETRY_SECONDS)


def watch_executors(namespace: str, application: str, on_death: Callable[[str, str], None]) -> PodWatch:
    """Return a running watch over the executors of a Spark application."""
    from kubernetes import client, watch

    api = client.CoreV1Api()
    labels = f"spark-app-selector={application},spark-role=executor"

    def events() -> Iterable[Any]:
        changes = watch.Watch().stream(api.list_namespaced_pod, namespace, label_selector=labels, timeout_seconds=300)
        return (change["raw_object"] for change in changes)

    found = PodWatch(events, on_death)
    found.start()
    return found
