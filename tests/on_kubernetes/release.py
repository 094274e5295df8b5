"""A release of the chart in a namespace of its own, and the commands of a person who uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.binaries import binary
from tests.cluster.commands import run
from tests.cluster.objects import Space, Thing, namespace

Values = dict[str, str]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "tinderbox"
DIGITS = ROOT / "jobs" / "sweep-digits.yaml"
SMALL = {
    "console.enabled": "false",
    "driver.cpu": "200m",
    "driver.memory": "1536Mi",
    "executor.cpuRequest": "200m",
    "executor.memory": "1536Mi",
}
"""Values of a release of which several fit on a small cluster."""

SUBMITTER = {"submitters[0].kind": "ServiceAccount", "submitters[0].name": "person"}


@dataclass(frozen=True)
class Release:
    """The chart, installed as `tinderbox`; commands run in `folder`."""

    space: Space
    folder: Path
    chart: Path = CHART

    def helm(self, command: str, *arguments: str, values: Values | None = None) -> str:
        """What helm prints."""
        settings = [word for key, value in (values or {}).items() for word in ("--set", f"{key}={value}")]
        place = ["--namespace", self.space.name, "--kubeconfig", str(self.space.kubeconfig)]
        return run(binary("helm"), command, "tinderbox", *arguments, *settings, *place)

    def install(self, values: Values) -> None:
        """Make the namespace and install the chart in it."""
        self.space("apply", "--filename=-", given=json.dumps(namespace(self.space.name)))
        # Without a console nothing binds the claim before the first driver, and helm would wait for it.
        wait = [] if values.get("console.enabled") == "false" else ["--wait", "--timeout=5m"]
        self.helm("install", str(self.chart), *wait, values=values | SUBMITTER)
        self._make_submitter()

    def _make_submitter(self) -> None:
        """Write the kubeconfig of somebody who may do what `submitters` may, and no more."""
        self.space("create", "serviceaccount", "person")
        token = self.space("create", "token", "person", "--duration=2h").strip()
        tree = json.loads(self.space("config", "view", "--raw", "--minify", "--output=json"))
        tree["users"] = [{"name": user["name"], "user": {"token": token}} for user in tree["users"]]
        (self.folder / "kubeconfig").write_text(json.dumps(tree))

    def remove(self) -> None:
        """Remove the namespace with all that is in it."""
        self.space("delete", "namespace", self.space.name, "--wait=false")

    def tinderbox(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Tinderbox for this namespace to its end."""
        return subprocess.run(
            [*self.command(*arguments)], capture_output=True, text=True, timeout=300, **self.surroundings()
        )

    def command(self, *arguments: str) -> list[str]:
        """A command of Tinderbox for this namespace."""
        return [sys.executable, "-m", "tinderbox", *arguments, "--namespace", self.space.name]

    def surroundings(self) -> dict[str, Any]:
        """Where and with what such a command runs."""
        return {"cwd": self.folder, "env": {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig")}}

    def job(self, name: str) -> Thing:
        """A Job."""
        tree: Thing = json.loads(self.space("get", "job", name, "--output=json"))
        return tree

    def pods(self, selector: str = "") -> list[Thing]:
        """Pods, by label."""
        items: list[Thing] = json.loads(self.space("get", "pods", f"--selector={selector}", "--output=json"))["items"]
        return items

    def driver(self, name: str) -> Thing | None:
        """The newest pod of a Job, None where it has none."""
        pods = self.pods(f"job-name={name}")
        return max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)

    def log(self, name: str) -> str:
        """What the newest driver of a Job has printed, nothing while its container is not there yet."""
        pod = self.driver(name)
        if pod is None or pod["status"]["phase"] == "Pending":
            return ""
        return self.space("logs", pod["metadata"]["name"], "--container=driver")

    def ended(self, name: str) -> str | None:
        """Complete or Failed, None while a Job has not ended."""
        conditions = self.job(name).get("status", {}).get("conditions", [])
        return next(
            (c["type"] for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None
        )


def connections(table: str) -> Iterator[tuple[str, int, str, int]]:
    """Yield address and port here, address and port there of each connection in the text of /proc/net/tcp or tcp6."""
    for line in table.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] in ("01", "06", "08"):  # established, or closing
            here, there = (_address(field) for field in fields[1:3])
            yield (*here, *there)


def _address(field: str) -> tuple[str, int]:
    """Read an address as the kernel writes it: IPv4, or IPv4 in the last word of IPv6, the lowest byte first."""
    address, port = field.split(":")
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(address[-8:]))), int(port, 16)
