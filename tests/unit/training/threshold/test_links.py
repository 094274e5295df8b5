"""The connections of the tree: who is a neighbour of whom, and who is heard."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import pytest
import zmq

from tinderbox.errors import TinderboxError
from tinderbox.training.threshold import links
from tinderbox.training.threshold.links import Links, children_of, derive_keys, on_wire, parent_of

SECRET = "of this test, and of no other attempt"  # noqa: S105 - nothing is behind it
Opener = Callable[..., Links]


def addresses(count: int) -> tuple[str, ...]:
    """Return addresses on this machine whose ports were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Return what opens links that are closed after the test."""
    with ExitStack() as stack:

        def open_links(rank: int, places: tuple[str, ...], secret: str = SECRET, attempt: int = 1) -> Links:
            return stack.enter_context(closing(Links(rank, places, attempt, secret)))

        yield open_links


def exchange(
    links: list[Links], wanted: int, seconds: float = 20.0, hello: bytes = b"hello"
) -> list[tuple[int, bytes]]:
    """Have the last one greet rank 0 again and again; return what rank 0 received, with `wanted` greetings in it."""
    heard: list[tuple[int, bytes]] = []
    end = time.monotonic() + seconds
    while sum(frame == hello for _, frame in heard) < wanted and time.monotonic() < end:
        links[-1].send(0, hello)
        for each in links:
            heard += [frame for frame in each.receive(0.01) if each is links[0]]
    return heard


def test_up_to_nine_workers_are_a_star_and_more_a_tree() -> None:
    """Each has one parent and at most eight children, and they agree about it."""
    for workers in (1, 2, 9, 10, 73, 200):
        for rank in range(workers):
            children = children_of(rank, workers)
            assert len(children) <= 8
            assert all(parent_of(child) == rank for child in children)
        assert sum(len(children_of(rank, workers)) for rank in range(workers)) == workers - 1
    assert [parent_of(rank) for rank in (0, 1, 8, 9, 17)] == [None, 0, 0, 1, 2]


def test_neighbours_hear_each_other(opened: Opener) -> None:
    """Frames go up and down, and each receiver knows whose they are; what was sent is counted as it is on the wire."""
    places = addresses(3)
    root, left, right = (opened(rank, places) for rank in range(3))
    assert exchange([root, left], 1)[0] == (1, b"hello")
    assert (2, b"I") in exchange([root, right], 1, hello=b"I")
    assert root.send(2, b"x" * 1000) == on_wire(b"x" * 1000) == 1000 + 33 + 9
    assert root.send(1, b"y") == 36
    assert list(left.receive(20)) == [(0, b"y")]
    assert list(right.receive(20)) == [(0, b"x" * 1000)]
    assert left.send(2, b"no neighbour") == 0


@pytest.mark.parametrize(("secret", "attempt"), [(SECRET + ".", 1), (SECRET, 2)])
def test_who_has_another_secret_or_attempt_is_not_heard(opened: Opener, secret: str, attempt: int) -> None:
    """Its greeting does not arrive, while that of a worker with the right key does meanwhile."""
    places = addresses(3)
    root = opened(0, places)
    stranger = opened(1, places, secret, attempt)
    assert exchange([root, stranger], 1, seconds=1.0) == []
    worker = opened(2, places)
    assert exchange([root, worker], 1)[0] == (2, b"hello")


def test_a_peer_without_the_client_key_is_not_heard(opened: Opener) -> None:
    """Even one that has learnt the public key of the server: who is let in is told by its own key."""
    places = addresses(2)
    root = opened(0, places)
    with zmq.Context() as context:
        for known in (True, False):
            stranger = context.socket(zmq.DEALER)
            stranger.linger = 0
            if known:
                stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
                stranger.curve_serverkey = derive_keys(SECRET, 1, "server")[0]
            stranger.setsockopt(zmq.ROUTING_ID, b"1.ff")
            stranger.connect(f"tcp://{places[0]}")
            for _ in range(50):
                with suppress(zmq.Again):  # it is refused, and connects no more
                    stranger.send(b"let me in", zmq.NOBLOCK)
                assert list(root.receive(0.02)) == []
            assert root.send(1, b"news") == 0
            stranger.close()
        assert exchange([root, opened(1, places)], 1)[0] == (1, b"hello")


def test_what_is_on_the_wire_is_not_readable(opened: Opener) -> None:
    """A relay between two workers sees neither frame nor key."""
    places = addresses(2)
    root = opened(0, places)
    seen = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as front:
        via = (f"127.0.0.1:{front.getsockname()[1]}", places[1])
        child = opened(1, via)
        front.settimeout(20)
        near, _ = front.accept()
        host, port = places[0].split(":")
        far = socket.create_connection((host, int(port)))
        with near, far:
            near.setblocking(False)
            far.setblocking(False)
            heard, end, text = [], time.monotonic() + 20, b"a sentence that would be seen"
            while not heard and time.monotonic() < end:
                child.send(0, text)
                for source, target in ((near, far), (far, near)):
                    try:
                        block = source.recv(1 << 16)
                    except BlockingIOError:
                        continue
                    seen += block
                    target.sendall(block)
                heard = list(root.receive(0.01))
                list(child.receive(0))
    assert heard[0] == (1, text)
    assert b"CURVE" in seen
    assert text not in seen
    assert not any(key in seen for role in ("server", "client") for key in derive_keys(SECRET, 1, role))


def test_of_two_that_say_they_are_one_the_later_is_it(opened: Opener) -> None:
    """A worker that was replaced, and comes back to life, is not heard any more."""
    places = addresses(2)
    root, frozen = opened(0, places), opened(1, places)
    exchange([root, frozen], 1)
    successor = opened(1, (places[0], addresses(1)[0]))
    assert (1, b"new") in exchange([root, successor], 3, hello=b"new")
    frozen.send(0, b"I am back")
    assert (1, b"I am back") not in exchange([root, successor], 20, hello=b"new")
    root.send(1, b"for the new one")
    assert list(successor.receive(20)) == [(0, b"for the new one")]
    assert list(frozen.receive(0.1)) == []


def test_a_parent_is_found_where_it_has_moved(opened: Opener) -> None:
    """It may have no address for a while, which sends nothing and waits for nothing."""
    places = addresses(2)
    root, child = opened(0, places), opened(1, places)
    exchange([root, child], 1)
    root.close()
    child.redirect(("", places[1]))
    assert child.send(0, b"lost") == 0
    moved = (addresses(1)[0], places[1])
    child.redirect(moved)
    assert exchange([opened(0, moved), child], 1, hello=b"again")[0] == (1, b"again")


def test_a_part_that_is_too_long_is_not_taken(opened: Opener) -> None:
    """It ends its connection before it is in memory; the next one is heard again."""
    places = addresses(2)
    root, child = opened(0, places), opened(1, places)
    exchange([root, child], 1)
    assert child._up is not None
    child._up.send(secrets.token_bytes(1 << 20))
    assert all(frame == b"hello" for _, frame in exchange([root, child], 5))


def pump(source: socket.socket, target: socket.socket, rate: float) -> None:
    """Pass on what comes, so many bytes a second, until one side ends."""
    with suppress(OSError), source, target:
        while block := source.recv(1 << 16):
            target.sendall(block)
            time.sleep(len(block) / rate)


def slow_network(front: socket.socket, place: str, rate: float) -> None:
    """Connect each who comes with a place, by a slow network."""
    host, port = place.split(":")
    with suppress(OSError):
        while True:
            near, _ = front.accept()
            far = socket.create_connection((host, int(port)))
            for ways in ((near, far), (far, near)):
                threading.Thread(target=pump, args=(*ways, rate), daemon=True).start()


def test_a_long_frame_arrives_through_a_slow_network(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than a connection may be silent, which is kept all the same."""
    monkeypatch.setattr(links, "_HEARTBEAT", 300)
    monkeypatch.setattr(links, "_DEAD", 1_500)
    places, long = addresses(2), secrets.token_bytes(12 << 20)
    root = opened(0, places)
    with socket.create_server(("127.0.0.1", 0)) as front:
        front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        threading.Thread(target=slow_network, args=(front, places[0], 3e6), daemon=True).start()
        child = opened(1, (f"127.0.0.1:{front.getsockname()[1]}", places[1]))
        assert exchange([root, child], 1)
        assert root.send(1, long) == on_wire(long) > len(long)
        heard, end = list[tuple[int, bytes]](), time.monotonic() + 60
        while not heard and time.monotonic() < end:
            list(root.receive(0.01))
            heard += child.receive(0.01)
        child.close()
        front.shutdown(socket.SHUT_RDWR)
    assert heard == [(0, long)]


def test_a_taken_port_and_a_short_secret_are_told() -> None:
    """Each in a sentence."""
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - as the links do
        port = taken.getsockname()[1]
        with pytest.raises(TinderboxError, match=f"port {port}, for updates of other workers: .*; free it"):
            Links(0, (f"127.0.0.1:{port}",), 1, SECRET)
    with pytest.raises(TinderboxError, match="at least 32 characters, got 5"):
        Links(0, addresses(1), 1, "short")
