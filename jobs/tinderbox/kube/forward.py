"""A port of a pod as a port of this machine, as `kubectl port-forward` has it, for as long as it is needed."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from tinderbox.kube.cluster import Cluster

Dial = Callable[[], Any]
"""Returns a new connection to the pod's port, with a socket's methods."""

BLOCK = 1 << 16
CLOSE_SECONDS = 2.0


@contextmanager
def forwarded(cluster: Cluster, pod: str, port: int) -> Iterator[str]:
    """Lend the URL of a port of this machine behind which is one of a pod's."""
    from kubernetes import client, stream

    def dial() -> Any:
        # A client of its own: while it dials, all that is asked of it goes to a WebSocket, from whatever thread.
        core = client.CoreV1Api(client.ApiClient(cluster.api.configuration))
        tunnel = stream.portforward(
            core.connect_get_namespaced_pod_portforward, pod, cluster.namespace, ports=str(port)
        )
        return tunnel.socket(port)

    with relayed(dial) as url:
        yield url


@contextmanager
def relayed(dial: Dial) -> Iterator[str]:
    """Lend the URL of a port of this machine whose connections are handed on to those that `dial` opens.

    They end with the block.
    """

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(Exception), closing(dial()) as remote:  # the caller sees an end, and may try again
                relay(self.request, remote)

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="forward", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    """Ends its connections when it is closed, and waits for their threads, but not for a dial that hangs."""

    def __init__(self, *arguments: Any) -> None:
        self._connections: list[tuple[socket.socket, threading.Thread]] = []
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        arguments = (request, client_address)
        thread = threading.Thread(target=self.process_request_thread, args=arguments, name="forward", daemon=True)
        self._connections = [known for known in self._connections if known[1].is_alive()] + [(request, thread)]
        thread.start()

    def server_close(self) -> None:
        super().server_close()
        for request, _ in self._connections:
            end(request)
        for _, thread in self._connections:
            thread.join(CLOSE_SECONDS)


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    back = threading.Thread(target=carry, args=(other, one), name="forward", daemon=True)
    back.start()
    carry(one, other)
    back.join()


def carry(source: socket.socket, target: socket.socket) -> None:
    """Carry bytes one way until one side ends, and end both: who carries them the other way may be waiting."""
    with suppress(OSError):
        while block := source.recv(BLOCK):
            target.sendall(block)
    end(source)
    end(target)


def end(connection: socket.socket) -> None:
    """End a connection, so that whoever reads or writes it goes on."""
    with suppress(OSError):  # it has ended
        connection.shutdown(socket.SHUT_RDWR)
