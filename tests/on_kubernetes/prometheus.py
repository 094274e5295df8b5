"""A release's own Prometheus, and what it answers."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.cluster.binaries import binary

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release


@dataclass(frozen=True)
class Prometheus:
    """The HTTP API at a URL."""

    url: str

    def ask(self, query: str, time: float | None = None) -> dict[tuple[str, ...], float]:
        """The values of an instant query, by those of their labels, in the order of the labels' names."""
        found = self._get("query", query=query, **({} if time is None else {"time": time}))["result"]
        return {tuple(value for _, value in sorted(one["metric"].items())): float(one["value"][1]) for one in found}

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that fire now, each with its node."""
        alerts = self._get("alerts")["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("node", ""))
            for alert in alerts
            if alert["state"] == "firing"
        }

    def rules(self) -> list[dict[str, Any]]:
        """All rules, with their health."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> list[dict[str, Any]]:
        """What is scraped, with labels and health."""
        targets: list[dict[str, Any]] = self._get("targets", state="active")["activeTargets"]
        return targets

    def _get(self, what: str, **arguments: object) -> Any:
        place = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(place, timeout=30) as answer:  # noqa: S310 - a cluster of ours
            return json.load(answer)["data"]


@contextmanager
def forwarded(release: Release, service: str = "tinderbox-prometheus") -> Iterator[Prometheus]:
    """Lend a release's Prometheus, by the port-forward that the chart's notes name, or another one beside it."""
    command = [binary("kubectl"), f"--kubeconfig={release.space.kubeconfig}", f"--namespace={release.space.name}"]
    forward = subprocess.Popen(
        [*map(str, command), "port-forward", f"service/{service}", ":9090"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert forward.stdout is not None
        line = forward.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found is not None, f"kubectl says {line!r}"
        yield Prometheus(f"http://127.0.0.1:{found[1]}")
    finally:
        forward.terminate()
        forward.wait()
        if forward.stdout is not None:
            forward.stdout.close()
