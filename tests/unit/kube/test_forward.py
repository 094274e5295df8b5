"""A port of this machine that hands its connections on, here to an echo server on this machine."""

from __future__ import annotations

import gc
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tinderbox.kube import forward
from tinderbox.kube.forward import relayed

LARGE = bytes(range(256)) * 32 * 1024
"""8 MiB: more than all sockets on the way hold."""


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        """Send until the other side ends."""
        while block := self.request.recv(1 << 16):
            self.request.sendall(block)


class Eager(socketserver.BaseRequestHandler):
    """Talks before it listens."""

    def handle(self) -> None:
        """Send all, then read all."""
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self.request.setsockopt(socket.SOL_SOCKET, option, 1 << 16)
        self.request.sendall(LARGE)
        received(self.request, len(LARGE))


class Reply(socketserver.BaseRequestHandler):
    """Sends a large reply to one line, and hangs up, as HTTP/1.0 does."""

    def handle(self) -> None:
        """Read a line first."""
        self.request.recv(100)
        self.request.sendall(LARGE)


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[tuple[str, int]]:
    """A server that answers until the block ends, when all its connections have ended."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_address[0], server.server_address[1]
        server.shutdown()
        thread.join()


def opened(url: str) -> socket.socket:
    """A connection to the port of a URL, which waits for no more than ten seconds."""
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10)


def received(connection: socket.socket, size: int) -> bytes:
    """So many bytes, or what came before the end."""
    blocks = bytearray()
    while len(blocks) < size and (block := connection.recv(1 << 16)):
        blocks += block
    return bytes(blocks)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Fail where a thread is left, or a socket: one that is not closed warns, and warnings are errors."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before
    gc.collect()


def test_several_connections_at_once() -> None:
    """Each has one of its own behind it."""
    with serving(Echo) as address, relayed(lambda: socket.create_connection(address)) as url:
        connections = [opened(url) for _ in range(5)]
        for number, connection in enumerate(connections):
            connection.sendall(b"%d" % number)
        for number, connection in reversed(list(enumerate(connections))):
            with closing(connection):
                assert connection.recv(10) == b"%d" % number


@pytest.mark.parametrize("server", [Echo, Eager])
def test_large_bodies_both_ways(server: type[socketserver.BaseRequestHandler]) -> None:
    """At the same time: what comes back is not held up by what is still on its way there."""
    with serving(server) as there, relayed(lambda: socket.create_connection(there)) as url, opened(url) as connection:
        sending = threading.Thread(target=connection.sendall, args=(LARGE,))
        sending.start()
        time.sleep(0.2)  # all that is on the way is full now
        assert received(connection, len(LARGE)) == LARGE
        sending.join()


def test_a_reply_comes_whole() -> None:
    """Though the other side hangs up as soon as it has sent it; then this side ends too."""
    with (
        serving(Reply) as address,
        relayed(lambda: socket.create_connection(address)) as url,
        opened(url) as connection,
    ):
        connection.sendall(b"GET /\n")
        assert received(connection, len(LARGE) + 1) == LARGE


def test_a_caller_that_hangs_up() -> None:
    """The connection behind is let go at once."""
    ours, theirs = socket.socketpair()
    with theirs, relayed(lambda: ours) as url:
        with opened(url) as connection:
            connection.sendall(b"a")
            assert theirs.recv(10) == b"a"
        theirs.settimeout(10)
        assert theirs.recv(10) == b""


def test_a_dial_that_fails() -> None:
    """The caller's connection ends, and the next one is tried anew."""
    dials: list[Callable[[], socket.socket]] = []

    def dial() -> socket.socket:
        if not dials:
            raise OSError("no pod")
        return dials.pop()()

    with serving(Echo) as address, relayed(dial) as url:
        with opened(url) as connection:
            assert connection.recv(1) == b""
        dials.append(lambda: socket.create_connection(address))
        with opened(url) as connection:
            connection.sendall(b"a")
            assert connection.recv(1) == b"a"


def test_the_end_of_the_block_ends_connections() -> None:
    """Callers that keep theirs open for the next request hold nobody up, and the port is free."""
    with serving(Echo) as address:
        with relayed(lambda: socket.create_connection(address)) as url:
            idle, busy = opened(url), opened(url)
            busy.sendall(b"a")
            assert busy.recv(1) == b"a"
        with idle, busy:
            assert (idle.recv(1), busy.recv(1)) == (b"", b"")
        with pytest.raises(ConnectionRefusedError):
            opened(url)


def test_an_error_in_the_block_comes_through() -> None:
    """And all is let go."""
    with (
        serving(Echo) as address,
        pytest.raises(ValueError, match="mine"),
        relayed(lambda: socket.create_connection(address)),
    ):
        raise ValueError("mine")


def test_a_dial_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not waited for; what it opens at last is closed."""
    monkeypatch.setattr(forward, "CLOSE_SECONDS", 0.05)
    dialled, go_on = threading.Event(), threading.Event()
    ours, theirs = socket.socketpair()

    def dial() -> socket.socket:
        dialled.set()
        assert go_on.wait(10)
        return ours

    with theirs:
        with relayed(dial) as url, opened(url):
            assert dialled.wait(10)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        go_on.set()
        theirs.settimeout(10)
        assert theirs.recv(1) == b""
        for thread in threading.enumerate():
            if thread.name == "forward":
                thread.join(10)


def test_other_requests_go_on_while_it_dials(api: Any) -> None:
    """A client that dials sends all that is asked of it to its WebSocket: it is not the one that others use."""
    dialled, go_on = threading.Event(), threading.Event()

    def hold(request: Any) -> tuple[int, dict[str, Any]]:
        dialled.set()
        assert go_on.wait(10)
        return 403, {"message": "no"}

    api.answers["/api/v1/namespaces/lab/pods/own/portforward"] = hold
    api.answers["/apis/batch/v1/namespaces/lab/jobs/own"] = lambda request: (200, {"metadata": {"name": "own"}})
    cluster = api.cluster()
    with forward.forwarded(cluster, "own", 7070) as url, opened(url) as connection:
        assert dialled.wait(10)
        job = cluster.find("job", "own")
        go_on.set()
        assert job == {"metadata": {"name": "own"}}
        assert connection.recv(1) == b""
    asked = {request.path: request for request in api.requests}
    tunnel = asked["/api/v1/namespaces/lab/pods/own/portforward"]
    assert (tunnel.query, tunnel.headers["Authorization"]) == ("ports=7070", "Bearer secret")
