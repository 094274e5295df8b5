"""The nodes: each is a process tree in namespaces of its own, with containerd, kubelet and kube-proxy in it.

Process 1 of a node holds its process, mount, network and host name namespaces. When it is killed the kernel ends all
that ran in the node, pods included, and takes network and mounts away: what happens when a machine is lost.
"""

import os
import signal
import socket
from pathlib import Path

from tests.cluster import network, processes, templates
from tests.cluster.binaries import binary
from tests.cluster.errors import ClusterError
from tests.cluster.images import PAUSE
from tests.cluster.layout import HERE, PODS, ROOT, Node, nodes

SCRIPT = Path(__file__).parent / "manifests" / "node.sh"
SERVICES = ("containerd", "kubelet", "kube-proxy")
FOLDERS = ("containerd", "kubelet", "log", "volumes")


def find(name: str) -> Node:
    """The node of that name or number."""
    for node in nodes():
        if name in (node.name, str(node.number)):
            return node
    raise ClusterError(f"there is no node {name!r}: the nodes are {', '.join(node.name for node in nodes())}")


def boot(node: Node) -> None:
    """Start the node's namespaces, network and containerd, where they do not run."""
    _configure(node)
    hold = ["unshare", "--mount", "--pid", "--uts", "--net", "--fork", "--kill-child"]
    fresh = processes.ensure(node.name, [*hold, "sh", SCRIPT, node.name, node.folder, HERE, binary("pause")])
    processes.wait(f"{node.name} did not start", lambda: _first(node) is not None, 10, node.name)
    if fresh:
        network.unplug(node)
    network.connect(node, _process(node))
    _ensure(node, "containerd", binary("containerd"), f"--config={HERE}/containerd.toml")


def join(node: Node) -> None:
    """Start the node's kubelet and kube-proxy, where they do not run."""
    service = f"containerd-{node.name}"
    processes.wait(f"containerd did not answer on {node.name}", lambda: _listens(node), 30, service)
    _ensure(
        node, "kubelet", binary("kubelet"), f"--config={HERE}/kubelet.yaml", f"--kubeconfig={HERE}/kubelet.conf",
        f"--root-dir={HERE}/kubelet", f"--node-ip={node.address}",
    )  # fmt: skip
    _ensure(
        node, "kube-proxy", binary("kube-proxy"), f"--kubeconfig={ROOT}/kube-proxy.conf", "--proxy-mode=nftables",
        f"--cluster-cidr={PODS}",
        # Connection tracking has limits that belong to the whole machine.
        "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
    )  # fmt: skip


def halt(node: Node) -> None:
    """End the node the hard way, pods and all."""
    first = _first(node)
    processes.stop(names(node), signal.SIGKILL)
    if first is not None:
        processes.wait(f"{node.name} did not end", lambda: processes.started(first) is None, 10)
    network.unplug(node)


def names(node: Node) -> list[str]:
    """The names under which the node's processes are recorded, its holder first."""
    return [node.name, *(f"{service}-{node.name}" for service in SERVICES)]


def _configure(node: Node) -> None:
    for folder in FOLDERS:
        (node.folder / folder).mkdir(parents=True, exist_ok=True)
    HERE.mkdir(exist_ok=True)
    (node.folder / "resolv.conf").touch()
    share = reserved(_memory(), len(nodes()))
    templates.write(node.folder / "kubelet.yaml", "kubelet.yaml", RESERVED=share, NODE_CGROUP=node.cgroup)
    templates.write(node.folder / "containerd.toml", "containerd.toml", PAUSE=PAUSE)
    templates.write(node.folder / "registries" / "_default" / "hosts.toml", "registries.toml")
    templates.write(node.folder / "cni" / "pods.conflist", "pods.conflist", POD_NETWORK=node.pods)


def reserved(total: int, count: int) -> str:
    """What a node leaves to the others of the machine's memory, for a kubelet's configuration."""
    return f"{total * (count - 1) // count // 2**20}Mi"


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _first(node: Node) -> int | None:
    """The pid, on the machine, of the node's process 1 once the node is ready for more."""
    holder = processes.find(node.name)
    for child in processes.children(holder.pid) if holder else []:
        if Path(f"/proc/{child}/comm").read_text().strip() == "pause":
            return child
    return None


def _process(node: Node) -> int:
    if (first := _first(node)) is None:
        raise ClusterError(f"{node.name} does not run")
    return first


def _ensure(node: Node, service: str, *command: str | Path) -> None:
    inside = ["nsenter", f"--target={_process(node)}", "--mount", "--pid", "--uts", "--net", "--"]
    path = f"{binary('containerd').parent}:{os.environ['PATH']}"  # containerd looks there for its shim
    processes.ensure(f"{service}-{node.name}", [*inside, *command], {"PATH": path})


def _listens(node: Node) -> bool:
    # A socket inside the node is reached through its process 1.
    path = f"/proc/{_process(node)}/root/run/containerd/containerd.sock"
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
