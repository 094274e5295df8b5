"""A worker's sockets in mode threshold: its children connect to it, and it connects to its parent.

All is encrypted and authenticated (CURVE): who does not know the secret of the attempt neither reads nor is heard.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress

import zmq
from zmq.utils import z85

from tinderbox.errors import TinderboxError

CHILDREN = 8
"""How many workers connect to one: up to nine workers are a star, more are a tree."""

_DOMAIN = b"tinderbox"
_QUEUE = 10_000
"""How many frames wait for a neighbour before more are dropped, which it asks for again."""

_PART = 1 << 18
"""Bytes of a frame that travel at once; between two parts there is room for heartbeats, however slow the network is."""

_HEARTBEAT, _DEAD = 2_000, 10_000
"""After so many milliseconds a connection is asked whether it lives; without an answer for so many it is made anew."""

_FRAMING = 33
"""Bytes that CURVE adds to a part: its command's name, nonce, authentication code and flags."""


def parent_of(rank: int) -> int | None:
    """Return whom a worker connects to; None for rank 0."""
    return (rank - 1) // CHILDREN if rank else None


def children_of(rank: int, workers: int) -> range:
    """Return who connects to a worker."""
    return range(min(CHILDREN * rank + 1, workers), min(CHILDREN * rank + CHILDREN + 1, workers))


def derive_keys(secret: str, attempt: int, role: str) -> tuple[bytes, bytes]:
    """Return the public and the secret key of a role, `server` or `client`, in one attempt, the same everywhere."""
    if len(secret) < 32:
        raise TinderboxError(f"the secret of an attempt has at least 32 characters, got {len(secret)}; draw it anew")
    name = f"tinderbox threshold {attempt} {role}".encode()
    key = z85.encode(hmac.new(secret.encode(), name, hashlib.sha256).digest())
    return zmq.curve_public(key), key


def on_wire(frame: bytes) -> int:
    """Return how many bytes a frame takes in a connection, encrypted and framed, TCP and IP left out."""
    sizes = [len(part) + _FRAMING for part in _parts(frame)]
    return sum(size + (2 if size < 256 else 9) for size in sizes)


def _parts(frame: bytes) -> list[memoryview]:
    """Return a frame in parts, which ZeroMQ delivers all or none of; an empty one is one part."""
    whole = memoryview(frame)
    return [whole[first : first + _PART] for first in range(0, max(len(frame), 1), _PART)]


class Links:
    """The connections of one worker to its neighbours in the tree; used by one thread, but for `wake`.

    Raises:
        TinderboxError: Its port is taken.
    """

    def __init__(self, rank: int, addresses: Sequence[str], attempt: int, secret: str) -> None:
        self._parent, self._children = parent_of(rank), children_of(rank, len(addresses))
        self._server, self._client = (derive_keys(secret, attempt, role) for role in ("server", "client"))
        self._identity = f"{rank}.{secrets.token_hex(8)}".encode()
        self._routes: dict[int, bytes] = {}
        self._replaced: set[bytes] = set()
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._knocks, self._knock, self._lock = self._socket(zmq.PULL), self._socket(zmq.PUSH), threading.Lock()
        self._doorman = self._socket(zmq.REP)
        self._down = self._socket(zmq.ROUTER)
        self._up: zmq.Socket[bytes] | None = None
        self._address = ""
        try:
            self._open(addresses[rank])
            self.redirect(addresses)
        except BaseException:
            self.close()
            raise

    @property
    def neighbours(self) -> list[int]:
        """The ranks that it is connected with, or will be."""
        return [*([] if self._parent is None else [self._parent]), *self._children]

    def redirect(self, addresses: Sequence[str]) -> None:
        """Connect to the parent where it is now, if that is another address than before, or empty for a while."""
        address = addresses[self._parent] if self._parent is not None else ""
        if address == self._address:
            return
        self._address = address
        if self._up is not None:
            self._poller.unregister(self._up)
            self._up.close(linger=0)
            self._up = None
        if address:
            self._connect(address)

    def send(self, rank: int, frame: bytes) -> int:
        """Send a frame to a neighbour, and return how many bytes it takes; 0 where it is not there, or too slow."""
        with suppress(zmq.ZMQError):
            if rank == self._parent and self._up is not None:
                self._up.send_multipart(_parts(frame), zmq.NOBLOCK)
                return on_wire(frame)
            if rank in self._routes:
                self._down.send_multipart([self._routes[rank], *_parts(frame)], zmq.NOBLOCK)
                return on_wire(frame)
        return 0

    def receive(self, seconds: float) -> Iterator[tuple[int, bytes]]:
        """Iterate over the frames that are there, with who sent them; wait for the first, or for `wake`, so long."""
        ready = dict(self._poller.poll(round(seconds * 1000)))
        if self._doorman in ready:
            self._admit()
        if self._knocks in ready:
            yield from self._drained(self._knocks, None)
        if self._up is not None and self._up in ready:
            yield from self._drained(self._up, self._parent)
        if self._down in ready:
            yield from self._drained(self._down, None)

    def wake(self) -> None:
        """End a `receive` that waits; from any thread."""
        with self._lock, suppress(zmq.ZMQError):  # it may be closed, and needs no second knock
            self._knock.send(b"", zmq.NOBLOCK)

    def close(self) -> None:
        """Close all connections; what was sent before has a second to leave."""
        with self._lock:
            self._context.destroy(linger=1000)

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        for option, value in (
            (zmq.SNDHWM, _QUEUE),
            (zmq.RCVHWM, _QUEUE),
            (zmq.MAXMSGSIZE, _PART + _FRAMING),  # of a part: a longer one ends its connection
            (zmq.IPV6, 1),
            (zmq.HEARTBEAT_IVL, _HEARTBEAT),
            (zmq.HEARTBEAT_TIMEOUT, _DEAD),
        ):
            socket.setsockopt(option, value)
        return socket

    def _connect(self, address: str) -> None:
        self._up = self._socket(zmq.DEALER)
        self._up.curve_serverkey = self._server[0]
        self._up.curve_publickey, self._up.curve_secretkey = self._client
        self._up.setsockopt(zmq.ROUTING_ID, self._identity)
        self._up.setsockopt(zmq.IMMEDIATE, 1)  # nothing waits for a parent that is not there
        self._up.setsockopt(zmq.RECONNECT_IVL, 100)
        self._up.setsockopt(zmq.RECONNECT_IVL_MAX, 2_000)
        self._up.connect(f"tcp://{address}")
        self._poller.register(self._up, zmq.POLLIN)

    def _open(self, address: str) -> None:
        self._doorman.bind("inproc://zeromq.zap.01")  # where ZeroMQ asks whom to let in
        self._knocks.bind("inproc://knocks")
        self._knock.connect("inproc://knocks")
        self._down.curve_server = True
        self._down.curve_publickey, self._down.curve_secretkey = self._server
        self._down.zap_domain = _DOMAIN
        self._down.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._down.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a child that connects anew is itself
        port = address.rpartition(":")[2]
        try:
            self._down.bind(f"tcp://*:{port}")
        except zmq.ZMQError as error:
            raise TinderboxError(f"port {port}, for updates of other workers: {error}; free it") from error
        for socket in (self._doorman, self._knocks, self._down):
            self._poller.register(socket, zmq.POLLIN)

    def _admit(self) -> None:
        """Answer ZeroMQ, which asks whether a peer with some public key may come in (ZAP, RFC 27)."""
        version, request, domain, _, _, mechanism, *credentials = self._doorman.recv_multipart()
        key = base64.b64encode(credentials[0]) if credentials else b""
        known = base64.b64encode(z85.decode(self._client[0]))
        good = (domain, mechanism) == (_DOMAIN, b"CURVE") and hmac.compare_digest(key, known)
        status = (b"200", b"OK") if good else (b"400", b"not a worker of this attempt")
        self._doorman.send_multipart([version, request, *status, b"", b""])

    def _drained(self, socket: zmq.Socket[bytes], sender: int | None) -> Iterator[tuple[int, bytes]]:
        with suppress(zmq.Again):
            while True:
                parts = socket.recv_multipart(zmq.NOBLOCK)
                rank = self._sender(parts.pop(0)) if sender is None else sender
                if rank is not None:
                    yield rank, b"".join(parts)

    def _sender(self, identity: bytes) -> int | None:
        """Return which child has this identity, None for one that was replaced; of two, the later one is it."""
        number = identity.partition(b".")[0]
        if identity in self._replaced or not number.isdigit() or int(number) not in self._children:
            return None
        rank = int(number)
        if self._routes.get(rank, identity) != identity:
            self._replaced.add(self._routes[rank])
        self._routes[rank] = identity
        return rank
