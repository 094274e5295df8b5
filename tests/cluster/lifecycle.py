"""The cluster's life: up, down, and a node lost and found."""

import fcntl
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from images.say import say
from tests.cluster import (
    binaries,
    cgroups,
    control,
    images,
    kernel,
    machines,
    network,
    prerequisites,
    processes,
    registry,
    templates,
    volumes,
)
from tests.cluster.layout import KUBECONFIG, LOGS, ROOT, Node, nodes

CONTROL = ("volumes", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")


def up() -> None:
    """Make the cluster, or heal what is broken of it, and wait until pods can run."""
    prerequisites.check()
    binaries.build()
    with _alone():
        LOGS.mkdir(parents=True, exist_ok=True)
        kernel.tune()
        cgroups.make(cgroups.detect())
        network.make()
        control.make_keys()
        # The API server needs seconds to start; registry and nodes are made meanwhile.
        with ThreadPoolExecutor() as together:
            tasks = [together.submit(control.start), together.submit(_serve_images)]
            tasks += [together.submit(machines.boot, node) for node in nodes()]
        for task in tasks:
            task.result()
        control.install(templates.render("cluster.yaml", COREDNS=images.COREDNS))
        volumes.start()
        for node in nodes():
            machines.join(node)
        _await_pods()


def down() -> None:
    """End every process and remove everything but the caches."""
    if not ROOT.exists():  # made first and removed last
        return
    with _alone():
        for node in nodes():
            machines.halt(node)
        # Nothing of the control plane is kept, so nobody waits for its farewell; the registry's data is.
        processes.stop(CONTROL, signal.SIGKILL)
        processes.stop([record.name for record in processes.records()])
        network.remove()
        cgroups.remove(cgroups.detect())
        kernel.restore()
        shutil.rmtree(ROOT)


def stop_node(node: Node) -> None:
    """Lose a node: everything in it ends at once, and nobody is told."""
    with _alone():
        machines.halt(node)
        # A machine that starts has none. A kubelet looks for containers in those it finds, three seconds for each.
        cgroups.remove(cgroups.detect(), node.name)
        cgroups.make(cgroups.detect())


def start_node(node: Node) -> None:
    """Bring a lost node back, and wait until it is ready."""
    with _alone():
        machines.boot(node)
        machines.join(node)
        names = machines.names(node)
        processes.wait(f"{node.name} is not ready", lambda: node.name in ready_nodes(), 150, *names)


def ready_nodes() -> set[str]:
    """The names of the nodes that are ready."""
    path = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}'
    states = control.kubectl("get", "nodes", "--output", f"jsonpath={path}").split()
    return {state.removesuffix("=True") for state in states if state.endswith("=True")}


def running() -> bool:
    """Whether a cluster made here is up."""
    return KUBECONFIG.exists() and bool(processes.find("kube-apiserver"))


def _serve_images() -> None:
    registry.start()
    images.push_all()


def _await_pods() -> None:
    names = {node.name for node in nodes()}
    ours = [name for node in nodes() for name in machines.names(node)]
    processes.wait("not every node got ready", lambda: ready_nodes() >= names, 90, *ours)
    say("nodes are ready")
    control.kubectl("rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=90s")


@contextmanager
def _alone() -> Iterator[None]:
    binaries.cache().mkdir(parents=True, exist_ok=True)
    with (binaries.cache() / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
