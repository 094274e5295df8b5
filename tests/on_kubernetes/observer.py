"""What a sweep looks like from outside while it runs: its pods, and the connections between them."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from tests.cluster.errors import ClusterError
from tests.cluster.policies import Flow
from tests.on_kubernetes.release import Release, connections
from tinderbox.api.result import SweepResult

HIGHEST_FIXED_PORT = 20000
"""Above are the ports that the kernel picks for the side that opens a connection."""


@dataclass(frozen=True)
class Swept:
    """The study as it was fetched, the pods that were seen, and the connections between components."""

    result: SweepResult
    pods: list[dict[str, object]]
    flows: set[Flow]
    ended: str | None


class Observer:
    """Looks at pods, and at the connections that they have, for as long as a study runs."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self.pods: dict[str, dict[str, object]] = {}
        self.flows: set[Flow] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(2.0):
            pods = self._release.pods()
            self.pods |= {pod["metadata"]["name"]: pod for pod in pods}
            running = [pod for pod in pods if pod["status"]["phase"] == "Running"]
            components = {pod["status"]["podIP"]: component(pod) for pod in running}
            for pod in running:
                if component(pod) in ("driver", "executor"):
                    self._note(components, pod["metadata"]["name"])

    def _note(self, components: dict[str, str], pod: str) -> None:
        try:
            table = self._release.space("exec", pod, "--", "cat", "/proc/net/tcp", "/proc/net/tcp6")
        except ClusterError:  # it has ended meanwhile
            return
        for here, port, there, other in connections(table):
            if other < HIGHEST_FIXED_PORT < port and here != there and here in components:
                self.flows.add((components[here], components.get(there, "elsewhere"), other))


def component(pod: dict[str, dict[str, dict[str, str]]]) -> str:
    """The chart's name for what a pod is."""
    return pod["metadata"]["labels"].get("app.kubernetes.io/component", "?")
