"""A port of a pod as a port of this machine, as `kubectl port-forward` has it, for as long as it is needed."""

from __future__ import annotations

import selectors
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tinderbox.kube.cluster import Cluster

Dial = Callable[[], Any]
"""Returns a new connection to the pod's port, with a socket's methods."""

BLOCK = 1 << 16


@contextmanager
def forwarded(cluster: Cluster, pod: str, port: int) -> Iterator[str]:
    """Lend the URL of a port of this machine behind which is one of a pod's."""
    from kubernetes import stream

    def dial() -> Any:
        tunnel = stream.portforward(
            cluster.core.connect_get_namespaced_pod_portforward, pod, cluster.namespace, ports=str(port)
        )
        return tunnel.socket(port)

    with relayed(dial) as url:
        yield url


@contextmanager
def relayed(dial: Dial) -> Iterator[str]:
    """Lend the URL of a port of this machine whose connections are handed on to those that `dial` opens."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(Exception):  # the caller sees a connection that ends, and may try again
                remote = dial()
                try:
                    relay(self.request, remote)
                finally:
                    remote.close()

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="forward", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                block = key.fileobj.recv(BLOCK)  # type: ignore[union-attr]
                if not block:
                    return
                key.data.sendall(block)
