"""Messages through the tree: to all, once and in order, whatever gets lost, and to workers that come anew."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import numpy as np
import pytest

from tests.unit.training.threshold.test_links import SECRET, addresses, slow_network
from tinderbox.errors import StaleAttempt, TinderboxError
from tinderbox.training.exchange import PeerLost
from tinderbox.training.records import Assignment, Position
from tinderbox.training.threshold import links, mesh, relay
from tinderbox.training.threshold.coding import EMPTY, SPARSE, Message
from tinderbox.training.threshold.ledger import seal
from tinderbox.training.threshold.mesh import Mesh

SIZE, STALENESS = 100, 6


class Peer:
    """A worker that sends messages, and notes what it has taken of whom; its state is how much it was told."""

    def __init__(self, driver: Driver, rank: int, rejoins: bool = False) -> None:
        assignment = Assignment(1, rank, len(driver.places), driver.places, rejoins=rejoins, secret=SECRET)
        self.rank, self.applied, self.state, self.lock = rank, [0] * len(driver.places), 0, threading.Lock()
        self.mesh = Mesh(assignment, SIZE, STALENESS, -1 if rejoins else 0, self.capture, driver.locate)

    def capture(self) -> tuple[bytes, list[int]]:
        """Return what a successor goes on from."""
        with self.lock:
            return f"{self.state}|{'.'.join(map(str, self.applied))}".encode(), list(self.applied)

    def take(self, last: int | None = None) -> None:
        """Take in what has arrived."""
        with self.lock:
            for message in self.mesh.take(last):
                self.note(message)

    def note(self, message: Message) -> None:
        """Add a message, which must be the next one of its sender."""
        assert message.step == self.applied[message.rank] + 1
        self.applied[message.rank] = message.step
        self.state += int(np.frombuffer(message.body, "<i4")[0])

    def step(self) -> None:
        """Take a step, as an exchange does."""
        with self.lock:
            step = self.applied[self.rank] + 1
            said = Message(SPARSE, self.rank, step, SIZE, 0.5, np.array([step % 90 + self.rank + 1], "<i4").tobytes())
            self.note(said)
            self.mesh.send(said, Position(0, 10 * step, step))
        self.mesh.wait_for(step + 1 - STALENESS)
        self.take()

    def catch_up(self) -> Position | None:
        """Go on from a snapshot; return the position after this rank's last step."""
        told, applied = self.mesh.rejoin().decode().split("|")
        with self.lock:
            self.state, self.applied = int(told), [int(each) for each in applied.split(".")]
        position, last = self.mesh.catch_up()
        self.take(last)
        assert self.applied[self.rank] == last
        return position


class Driver:
    """Where all are, until the attempt is over."""

    def __init__(self, workers: int) -> None:
        self.places, self.over = addresses(workers), False

    def locate(self) -> tuple[str, ...]:
        """Return where all are."""
        if self.over:
            raise StaleAttempt("attempt 1 is over")
        return self.places

    def move(self, rank: int) -> None:
        """Give a worker's successor another address."""
        (place,) = addresses(1)
        self.places = (*self.places[:rank], place, *self.places[rank + 1 :])


Start = Callable[..., Peer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what starts a peer whose mesh is closed after the test."""
    with ExitStack() as stack:

        def begin(driver: Driver, rank: int, rejoins: bool = False) -> Peer:
            peer = Peer(driver, rank, rejoins)
            stack.enter_context(closing(peer.mesh))
            return peer

        yield begin


def run(peers: list[Peer], until: int) -> None:
    """Have all take steps in threads of their own, and bring in all messages; raise what one of them raises."""
    failures: list[BaseException] = []

    def work(peer: Peer) -> None:
        try:
            while peer.applied[peer.rank] < until:
                peer.step()
            peer.mesh.wait_for(until)
            peer.take(until)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(peer,)) for peer in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("workers", [1, 2, 11])
def test_all_messages_reach_all(start: Start, workers: int) -> None:
    """Through a tree of three levels, too; each is taken once and in order, and what was passed on is told apart."""
    driver = Driver(workers)
    peers = [start(driver, rank) for rank in range(workers)]
    run(peers, 30)
    assert {tuple(peer.applied) for peer in peers} == {(30,) * workers}
    assert len({peer.state for peer in peers}) == 1
    passing = {peer.rank for peer in peers if peer.mesh.passed_on}
    assert passing == ({0, 1} if workers == 11 else set())


@pytest.mark.parametrize("seed", [1, 2])
def test_what_gets_lost_is_sent_again(start: Start, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of all frames vanish; still everyone has all, in order."""
    monkeypatch.setattr(relay, "_BEAT", 0.05)
    draw, whole = random.Random(seed), links.Links.send  # noqa: S311 - a simulation

    def send(self: links.Links, rank: int, frame: bytes) -> int:
        return 0 if draw.random() < 0.2 else whole(self, rank, frame)

    monkeypatch.setattr(links.Links, "send", send)
    driver = Driver(4)
    peers = [start(driver, rank) for rank in range(4)]
    run(peers, 40)
    assert len({peer.state for peer in peers}) == 1


def test_nobody_is_further_ahead_than_the_bound(start: Start) -> None:
    """A worker stops before it is more than so many steps ahead of the slowest, until that one goes on."""
    driver = Driver(2)
    fast, slow = start(driver, 0), start(driver, 1)
    thread = threading.Thread(target=run, args=([fast], 20), daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while fast.applied[0] < STALENESS and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.3)
    assert fast.applied == [STALENESS, 0]
    run([slow], 20)
    thread.join(30)
    assert fast.applied == slow.applied == [20, 20]


def test_a_wait_ends_with_the_attempt(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a worker that does not come asks the driver, and hears that it is over."""
    monkeypatch.setattr(relay, "_SILENT", 0.2)
    driver = Driver(2)
    peer = start(driver, 0)
    driver.over = True
    with pytest.raises(StaleAttempt, match="attempt 1 is over"):
        peer.mesh.wait_for(1)
    with pytest.raises(StaleAttempt):
        peer.mesh.wait_for(0)  # nothing goes on after it


def test_all_take_over_what_rank_0_has(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes through the tree, and is repeated for one that it did not reach."""
    monkeypatch.setattr(relay, "_BEAT", 0.05)
    driver = Driver(10)
    peers = [start(driver, rank) for rank in range(10)]
    run(peers, 2)
    whole, dropped = links.Links.send, list[int]()

    def send(self: links.Links, rank: int, frame: bytes) -> int:
        if frame[:1] == relay.DENSE and rank not in dropped:
            dropped.append(rank)
            return 0
        return whole(self, rank, frame)

    monkeypatch.setattr(links.Links, "send", send)
    peers[0].mesh.send_dense(2, b"weights")
    assert [peer.mesh.wait_dense(2) for peer in peers] == [b"weights"] * 10
    assert sorted(set(dropped)) == list(range(1, 10))
    assert peers[9].mesh.dense_step == 2


def test_what_is_on_its_way_is_not_sent_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, through a slow network: a neighbour lacks it only once it has heard what came after."""
    monkeypatch.setattr(relay, "_BEAT", 0.1)
    monkeypatch.setattr(relay, "_SILENT", 0.3)
    driver, sent, whole = Driver(2), list[int](), links.Links.send
    root = start(driver, 0)
    with socket.create_server(("127.0.0.1", 0)) as front:
        front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        threading.Thread(target=slow_network, args=(front, driver.places[0], 4e6), daemon=True).start()
        driver.places = (f"127.0.0.1:{front.getsockname()[1]}", driver.places[1])
        child = start(driver, 1)
        run([root, child], 2)

        def send(self: links.Links, rank: int, frame: bytes) -> int:
            if frame[:1] == relay.DENSE:
                sent.append(rank)
            return whole(self, rank, frame)

        monkeypatch.setattr(links.Links, "send", send)
        root.mesh.send_dense(2, bytes(12 << 20))
        assert len(child.mesh.wait_dense(2)) == 12 << 20
        front.shutdown(socket.SHUT_RDWR)
    assert sent == [1]


@pytest.mark.parametrize("lost", [0, 1, 4])
def test_a_worker_in_the_place_of_a_lost_one_catches_up(start: Start, lost: int) -> None:
    """Rank 0 as well; it goes on after the last step that others know of it, and lacks nothing of the others."""
    driver = Driver(10 if lost == 1 else 5)
    peers = [start(driver, rank) for rank in range(len(driver.places))]
    run(peers, 12)
    peers[0].mesh.send_dense(12, b"weights")
    for peer in peers:
        peer.mesh.wait_dense(12)
    peers[lost].step()
    gone = peers.pop(lost)
    others = threading.Thread(target=run, args=(peers, 30), daemon=True)
    others.start()
    time.sleep(0.2)
    gone.mesh.close()
    driver.move(lost)
    successor = start(driver, lost, rejoins=True)
    position = successor.catch_up()
    assert position == Position(0, 10 * successor.applied[lost], successor.applied[lost])
    assert successor.applied[lost] == 13
    assert successor.mesh.wait_dense(12) == b"weights"
    run([successor], 30)
    others.join(60)
    assert {tuple(peer.applied) for peer in [*peers, successor]} == {(30,) * len(driver.places)}
    assert len({peer.state for peer in [*peers, successor]}) == 1


def test_two_workers_are_replaced_at_once(start: Start) -> None:
    """The root and one of its children; each takes a snapshot of whoever has one."""
    driver = Driver(4)
    peers = [start(driver, rank) for rank in range(4)]
    run(peers, 8)
    others = threading.Thread(target=run, args=(peers[2:], 20), daemon=True)
    others.start()
    for rank in (0, 1):
        peers[rank].mesh.close()
    driver.move(1)  # and the other one comes where it was
    successors = [start(driver, rank, rejoins=True) for rank in (1, 0)]
    ready = [threading.Thread(target=each.catch_up) for each in successors]
    for thread in ready:
        thread.start()
    for thread in ready:
        thread.join(60)
    run(successors, 20)
    others.join(60)
    assert len({peer.state for peer in [*peers[2:], *successors]}) == 1


def test_nobody_is_left_to_catch_up_with(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that rejoins when the others are gone, or have lost their states too, gives up."""
    monkeypatch.setattr(mesh, "_LONELY", 1.0)
    driver = Driver(2)
    lonely = [start(driver, rank, rejoins=True) for rank in range(2)]
    for peer in lonely:
        with pytest.raises(PeerLost, match="no other worker has had a state to go on from for 1 s"):
            peer.catch_up()


def test_a_worker_that_had_sent_nothing_is_replaced(start: Start) -> None:
    """There is no position of it: it begins where all have."""
    driver = Driver(2)
    first, gone = start(driver, 0), start(driver, 1)
    gone.mesh.close()
    driver.move(1)
    successor = start(driver, 1, rejoins=True)
    assert successor.catch_up() is None
    run([first, successor], 10)
    assert first.state == successor.state


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"?", r"rank 1 sent b'\?', which is no message; run one version only"),
        (relay.UPDATE + bytes(40), "a message is for 100 parameters"),
        (relay.KNOWN + b"short", "what one of 2 workers knows has 41 bytes, got 5"),
    ],
)
def test_what_is_no_message_ends_the_attempt(start: Start, frame: bytes, reason: str) -> None:
    """It comes from a worker of the attempt, so another version runs there, or memory is broken."""
    driver = Driver(2)
    root, child = start(driver, 0), start(driver, 1)
    run([root, child], 1)
    child.mesh._post(lambda: child.mesh._spread(frame))
    with pytest.raises(TinderboxError, match=reason):
        root.mesh.wait_for(5)


@pytest.mark.parametrize("kind", [relay.UPDATE, relay.OLD_UPDATE])
def test_a_message_of_a_rank_that_there_is_not(start: Start, kind: bytes) -> None:
    """It is told, too."""
    driver = Driver(2)
    root, child = start(driver, 0), start(driver, 1)
    run([root, child], 1)
    child.mesh._post(lambda: child.mesh._spread(kind + seal(Message(EMPTY, 7, 1, SIZE, 0.5), Position(0, 1, 1))))
    with pytest.raises(TinderboxError, match="a message of rank 7 of 2 workers"):
        root.mesh.wait_for(5)
