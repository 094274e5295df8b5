"""Where everything of the cluster is: folders, addresses, names."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/var/lib/tinderbox-cluster")
LOGS = ROOT / "log"
KEYS = ROOT / "pki"
KUBECONFIG = ROOT / "admin.conf"
# Inside a node its own folder is mounted here, so every node has the same paths and none sees another's files by them.
HERE = ROOT / "node"

NODES = 3
BRIDGE = "tinderbox"
NETWORK = ipaddress.ip_network("10.200.0.0/24")
HOST = "10.200.0.1"
PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
DNS = "10.96.0.10"
API_PORT = 6443
ETCD_PORT = 2379
REGISTRY_PORT = 5050
REGISTRY = f"{HOST}:{REGISTRY_PORT}"
CGROUP = "tinderbox-cluster"
PROVISIONER = "tinderbox.test/folder"


@dataclass(frozen=True)
class Node:
    """One node: a number, and all that follows from it."""

    number: int

    @property
    def name(self) -> str:
        """The name that Kubernetes knows."""
        return f"node{self.number}"

    @property
    def folder(self) -> Path:
        """The node's disk."""
        return ROOT / self.name

    @property
    def address(self) -> str:
        """The node's address on the bridge."""
        return str(NETWORK[10 + self.number])

    @property
    def pods(self) -> str:
        """The addresses of the node's pods."""
        return f"10.244.{self.number}.0/24"

    @property
    def cable(self) -> str:
        """The bridge's end of the node's network cable."""
        return f"{BRIDGE}-{self.number}"

    @property
    def cgroup(self) -> str:
        """The cgroup that holds the node's pods."""
        return f"/{CGROUP}/{self.name}"


def nodes() -> list[Node]:
    """All nodes, the first one first."""
    return [Node(number) for number in range(1, NODES + 1)]
