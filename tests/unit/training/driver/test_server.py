"""Agents and workers over HTTP, against a real server, with a folder for what is kept."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tinderbox.api.books import KeptCheckpoints
from tinderbox.config import check_train
from tinderbox.errors import BadInput, StaleAttempt, Superseded, TinderboxError
from tinderbox.journal import Lines
from tinderbox.run import Run
from tinderbox.storage.training import TrainFolder
from tinderbox.training.driver.messages import Ended, Join, Sender, Watch
from tinderbox.training.driver.rendezvous import Rendezvous
from tinderbox.training.driver.server import Server
from tinderbox.training.history import rebuild
from tinderbox.training.record import encode
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Sums, Verdict
from tinderbox.training.worker.client import AgentDoor, WorkerChannel

Eventually = Callable[[Callable[[], bool], float], bool]

TOKEN = "secret"  # noqa: S105 - of servers that live as long as a test
RUN = Run("small", "c" * 64, "d" * 64, "", "3.11.7", {})


@dataclass
class Place:
    """A server that answers, and the folder of its training."""

    server: Server
    folder: TrainFolder
    url: str

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self.url.rpartition(":")[2])

    def door(self, token: str = TOKEN) -> AgentDoor:
        """Return an agent's way to it."""
        return AgentDoor(self.url, token)

    def join(self, *names: str) -> list[Assignment]:
        """Let agents join at the same time, and return their assignments."""
        asks = [Join(agent=name, node="n", host="h", address=f"{name}:7100", request=1) for name in names]
        with ThreadPoolExecutor(len(asks)) as pool:
            answers = list(pool.map(lambda ask: self.door().join(ask), asks))
        return [answer.assignment for answer in answers if answer.assignment is not None]

    def channel(self, name: str, assignment: Assignment) -> WorkerChannel:
        """Return a worker's way to it."""
        return WorkerChannel(self.url, TOKEN, name, assignment)


@contextmanager
def opened(folder: TrainFolder, port: int = 0, **keys: Any) -> Iterator[Place]:
    """Run a server until the block ends."""
    tree = {"kind": "train", "name": "small", "model": "lenet5", "epochs": 2, "workers": 1, **keys}
    log = folder.log()
    log.claim()
    lines = Lines(log)
    kept = KeptCheckpoints(folder)
    rendezvous = Rendezvous(
        check_train(tree, "test"), rebuild(log.read()), kept, lambda event: lines.put(encode(event)), time.time()
    )
    server = Server(rendezvous, lines, folder, TOKEN, 20)
    try:
        yield Place(server, folder, f"http://127.0.0.1:{server.start('127.0.0.1', port)}")
    finally:
        server.stop()
        log.close()


@pytest.fixture
def folder(tmp_path: Path) -> TrainFolder:
    """Return the folder of a training that was begun."""
    made = TrainFolder(str(tmp_path), "small")
    made.write_job({"kind": "train"}, RUN)
    return made


def report(rank: int, epoch: int, loss: float = 0.5) -> EpochReport:
    """Return what a worker tells of an epoch."""
    return EpochReport(rank, epoch, Sums(10, {"loss": 10 * loss}), Sums(0, {}), Counts(5, 10, 1.0), 5 * epoch)


def sender(name: str, assignment: Assignment) -> Sender:
    """Return who speaks."""
    return Sender(agent=name, attempt=assignment.attempt, rank=assignment.rank)


def test_a_training_from_its_beginning_to_its_end(folder: TrainFolder, tmp_path: Path) -> None:
    """Two workers: epochs end together, a checkpoint and the model come to storage, and all is told."""
    with opened(folder, workers=2) as place:
        first, second = place.join("agent-0", "agent-1")
        one, two = place.channel("agent-0", first), place.channel("agent-1", second)
        one.beat(Position(0, 5, 2), Counts(2, 5, 0.1))
        with ThreadPoolExecutor(2) as pool:
            for epoch, wanted in ((1, Verdict()), (2, Verdict(stop=True))):
                verdicts = [
                    pool.submit(one.end_epoch, report(0, epoch)),
                    pool.submit(two.end_epoch, report(1, epoch, 1.0)),
                ]
                assert [verdict.result(30) for verdict in verdicts] == [wanted] * 2
        one.save(Position(2, 0, 10), lambda file: file.write(b"state"))
        resume = KeptCheckpoints(folder).newest()
        assert resume is not None
        assert one.fetch(resume, 0, tmp_path).read_bytes() == b"state"
        assert two.assignment().addresses == ("agent-0:7100", "agent-1:7100")
        place.door().watch(Watch(sender=sender("agent-0", first), log="hello"))
        one.finish(lambda file: file.write(b"model"), [[2, 0], [0, 1]])
        assert not place.server.wait(0)
        two.finish(None, [[1, 1], [0, 1]])
        assert place.server.wait(30)
        with pytest.raises(StaleAttempt):
            place.door().ended(Ended(sender=sender("agent-0", first), outcome="complete", log="hello again"))
        assert place.door().join(Join(agent="agent-0", node="n", host="h", address="", request=2)).done
        assert (place.server.failure, place.server.rendezvous.failure) == (None, None)
    assert [(row["epoch"], row["loss"], row["workers"]) for row in folder.read_history()] == [
        (1, 0.75, 2),
        (2, 0.75, 2),
    ]
    assert folder.read("model.keras") == b"model"
    assert json.loads(folder.read("confusion.json")) == [[3, 1], [0, 2]]
    assert folder.read("logs/attempt-1-worker-0.log") == b"hello again"
    log = folder.log()
    training = rebuild(log.read())
    assert training.ended is not None
    assert list(training.checkpoints) == [10]


def test_a_lost_attempt_is_told_to_all(folder: TrainFolder, eventually: Eventually) -> None:
    """Its worker's calls fail, its agent's watch does, and the next attempt goes on from the checkpoint."""
    with opened(folder) as place:
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        channel.save(Position(0, 10, 5), lambda file: file.write(b"state"))
        place.server.call(lambda rendezvous: rendezvous.leave("agent-0", "executor lost", time.time()))
        with pytest.raises(StaleAttempt):
            place.door().watch(Watch(sender=sender("agent-0", first)))
        with pytest.raises(StaleAttempt):
            channel.end_epoch(report(0, 1))
        with pytest.raises(StaleAttempt):
            channel.save(Position(1, 0, 10), lambda file: file.write(b"late"))
        with pytest.raises(StaleAttempt):
            channel.finish(lambda file: file.write(b"late"), None)

        def is_refused() -> bool:
            try:
                channel.beat(Position(), Counts())
            except StaleAttempt:
                return True
            return False

        assert eventually(is_refused, 30)
        (again,) = place.join("agent-0.1")
        assert again.attempt == 2
        assert again.resume is not None
        assert again.resume.position == Position(0, 10, 5)
    assert folder.names("checkpoints") == [f"checkpoints/step-000000005/{name}" for name in ("manifest.json", "part-0")]
    assert not folder.has("model.keras")


def test_a_watch_is_refused_as_soon_as_its_attempt_is_over(folder: TrainFolder) -> None:
    """It is held back meanwhile, and does not have to be repeated."""
    with opened(folder, workers=2) as place, ThreadPoolExecutor(1) as pool:
        first, second = place.join("agent-0", "agent-1")
        held = pool.submit(place.door().watch, Watch(sender=sender("agent-0", first)))
        place.door().ended(Ended(sender=sender("agent-1", second), outcome="killed", cause="why"))
        with pytest.raises(StaleAttempt):
            held.result(30)


def test_a_driver_that_comes_back_is_waited_for(folder: TrainFolder) -> None:
    """At the same address; an agent repeats its request until it is answered."""
    with opened(folder) as place:
        port, door = place.port, place.door()
    asked = Join(agent="agent-0", node="n", host="h", address="h:7100", request=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(door.join, asked)
        time.sleep(0.5)
        with opened(folder, port):
            assignment = answer.result(60).assignment
    assert assignment is not None
    assert assignment.attempt == 1


def test_a_driver_that_does_not_come_back(folder: TrainFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is told, and ends."""
    with opened(folder) as place:
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
    channel._pool.retries = urllib3.Retry(total=1, backoff_factor=0)
    with pytest.raises(TinderboxError, match="the driver does not answer"):
        channel.end_epoch(report(0, 1))


def test_a_later_driver_ends_an_earlier_one(folder: TrainFolder) -> None:
    """Nothing is acknowledged any more that would be lost."""
    with opened(folder) as place:
        place.join("agent-0")
        other = folder.log()
        other.claim()
        with pytest.raises(Superseded):
            place.server.call(lambda rendezvous: rendezvous.close(time.time()))
        assert place.server.wait(30)
        assert isinstance(place.server.failure, Superseded)
        other.close()


def test_parts_that_are_damaged_or_gone(folder: TrainFolder, tmp_path: Path) -> None:
    """What arrives is held against its digest."""
    with opened(folder) as place:
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        at = Position(0, 10, 5)
        channel.save(at, lambda file: file.write(b"state"))
        resume = KeptCheckpoints(folder).newest()
        assert resume is not None
        folder.write("checkpoints/step-000000005/part-0", b"other")
        with pytest.raises(TinderboxError, match="part 0 of the checkpoint at step 5 is not what was saved"):
            channel.fetch(resume, 0, tmp_path)
        folder.remove("checkpoints/step-000000005/part-0")
        with pytest.raises(TinderboxError, match="not in storage any more"):
            channel.fetch(resume, 0, tmp_path)
        path = tmp_path / "part"
        path.write_bytes(b"torn")
        with pytest.raises(BadInput, match="arrived with digest"):
            channel.put_file(f"/part?{channel._query({'epoch': 0, 'examples': 1, 'step': 6, 'sha256': '0'})}", path, 4)


def test_a_whole_checkpoint_stays_as_it_is(folder: TrainFolder) -> None:
    """Who takes the place of a worker lost in mode threshold may save its part once more, and it has another digest."""
    with opened(folder, workers=2, mode="threshold") as place:
        names = ("agent-0", "agent-1")
        given = {each.addresses[each.rank].partition(":")[0]: each for each in place.join(*names)}
        channels = {name: place.channel(name, given[name]) for name in names}
        for channel in channels.values():
            channel.save(Position(1, 0, 5), lambda file: file.write(b"state"))
        lost = next(name for name in names if given[name].rank == 1)
        place.door().ended(Ended(sender=sender(lost, given[lost]), outcome="killed", cause="why"))
        (again,) = place.join("agent-2")
        assert (again.rank, again.rejoins) == (1, True)
        late = place.channel("agent-2", again)
        late.save(Position(1, 0, 5), lambda file: file.write(b"other" * 1_000_000))
        resume = KeptCheckpoints(folder).newest()
        assert resume is not None
        assert resume.position == Position(1, 0, 5)
        assert folder.read("checkpoints/step-000000005/part-1") == b"state"
        late.save(Position(2, 0, 10), lambda file: file.write(b"its own"))
        assert folder.read("checkpoints/step-000000010/part-1") == b"its own"


def test_the_model_comes_from_the_first_worker(folder: TrainFolder) -> None:
    """From no other one."""
    with opened(folder, workers=2) as place:
        _, second = sorted(place.join("agent-0", "agent-1"), key=lambda assignment: assignment.rank)
        with pytest.raises(TinderboxError, match="the model comes from worker 0, got one from worker 1"):
            place.channel("agent-1", second).finish(lambda file: file.write(b"model"), None)


def test_an_attempt_that_is_over_gets_and_leaves_nothing(folder: TrainFolder, tmp_path: Path) -> None:
    """Its workers are not sent a checkpoint, and cannot put their model into the place of a later attempt's."""
    with opened(folder) as place:
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        channel.end_epoch(report(0, 1))
        channel.save(Position(1, 0, 5), lambda file: file.write(b"state"))
        resume = KeptCheckpoints(folder).newest()
        assert resume is not None
        assert channel.fetch(resume, 0, tmp_path).read_bytes() == b"state"
        place.door().ended(Ended(sender=sender("agent-0", first), outcome="killed"))
        with pytest.raises(StaleAttempt):
            channel.fetch(resume, 0, tmp_path)
        with pytest.raises(StaleAttempt):
            channel.finish(lambda file: file.write(b"model"), None)
    assert not folder.has("model.keras")


def test_a_model_whose_attempt_ends_while_it_arrives_is_not_kept(folder: TrainFolder) -> None:
    """Its worker was wanted when it began to send."""
    with opened(folder) as place:
        (first,) = place.join("agent-0")

        def blocks() -> Iterator[bytes]:
            yield b"mo"
            place.door().ended(Ended(sender=sender("agent-0", first), outcome="killed"))
            yield b"del"

        query = f"agent=agent-0&attempt={first.attempt}&rank=0&sha256={hashlib.sha256(b'model').hexdigest()}"
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with urllib3.PoolManager() as pool:
            answer = pool.request("PUT", f"{place.url}/model?{query}", body=blocks(), headers=headers, retries=False)
        assert answer.status == 409
    assert not folder.has("model.keras")


def test_old_checkpoints_go(folder: TrainFolder) -> None:
    """All but the newest, and the best where training may stop early."""
    keys = {"epochs": 9, "checkpoints": {"keep": 1}, "early_stopping": {"metric": "loss", "patience": 9}}
    with opened(folder, **keys) as place:
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        for epoch, loss in ((1, 0.5), (2, 0.25), (3, 0.5), (4, 0.75)):
            channel.end_epoch(report(0, epoch, loss))
            channel.save(Position(epoch, 0, 5 * epoch), lambda file: file.write(b"state"))
        assert [manifest.position.epoch for manifest in folder.manifests()] == [4, 2]


def test_training_ends_though_nobody_waits_for_it(folder: TrainFolder) -> None:
    """The last worker has died after it had finished, before it was answered."""
    with opened(folder, epochs=1) as place:
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        channel.end_epoch(report(0, 1))
        channel._put("/model", lambda file: file.write(b"model"), {})
        place.server.call(lambda rendezvous: rendezvous.finish(sender("agent-0", first), [[1]]))
        assert place.server.wait(30)
    assert folder.read("confusion.json") == b"[[1]]"


def test_storage_may_refuse_for_a_while(
    folder: TrainFolder, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """What is not the record is written again, and only a long refusal ends training."""
    refusing = threading.Event()
    write = folder.write_history

    def write_history(rows: Any) -> None:
        if refusing.is_set():
            raise OSError("slow down")
        write(rows)

    monkeypatch.setattr(folder, "write_history", write_history)
    with opened(folder) as place:
        (first,) = place.join("agent-0")
        refusing.set()
        place.channel("agent-0", first).end_epoch(report(0, 1))
        assert eventually(lambda: place.server._refused is not None, 30)
        assert place.server.failure is None
        refusing.clear()
        assert eventually(lambda: len(folder.read_history()) == 1, 30)
        assert eventually(lambda: place.server._refused is None, 30)
        monkeypatch.setattr("tinderbox.training.driver.server.REFUSAL_SECONDS", 0.0)
        refusing.set()
        place.channel("agent-0", first).end_epoch(report(0, 2))
        assert place.server.wait(30)
        assert str(place.server.failure) == "slow down"


def test_a_port_that_somebody_has(folder: TrainFolder) -> None:
    """It is told in a sentence."""
    with (
        opened(folder) as place,
        pytest.raises(
            TinderboxError, match=rf"^port {place.port}, at which the driver is to answer: .*end what has it"
        ),
        opened(folder, place.port),
    ):
        raise AssertionError


def test_a_file_that_arrives_torn(folder: TrainFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nobody's mistake, as bad input is."""
    with opened(folder) as place:
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        monkeypatch.setattr("tinderbox.checkpoint.digest", lambda path: ("0" * 64, path.stat().st_size))
        with pytest.raises(TinderboxError, match=r"refused a file: .*arrived with digest") as raised:
            channel.save(Position(0, 10, 5), lambda file: file.write(b"state"))
        assert not isinstance(raised.value, BadInput)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer é"}])
def test_strangers_are_refused(folder: TrainFolder, headers: dict[str, str]) -> None:
    """Whatever they send."""
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    with opened(folder) as place, urllib3.PoolManager() as pool:
        for method, path in (("POST", "/join"), ("GET", "/status"), ("PUT", "/model")):
            reply = pool.request(method, place.url + path, headers=encoded, body=b"{")
            assert (reply.status, reply.json()) == (401, {"error": "the token is missing or wrong"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/join", b"{}"), ("POST", "/beat", b"no JSON"), ("PUT", "/part?rank=0", b""), ("POST", "/epoch", b"[]")],
)
def test_what_is_no_message_is_refused(folder: TrainFolder, method: str, path: str, body: bytes) -> None:
    """With a reason."""
    with opened(folder) as place, urllib3.PoolManager() as pool:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        reply = pool.request(method, place.url + path, headers=headers, body=body)
        assert reply.status == 400
        assert reply.json()["error"]


def test_the_status_is_for_everyone_with_the_token(folder: TrainFolder, eventually: Eventually) -> None:
    """As JSON, for `curl`."""
    with opened(folder) as place, urllib3.PoolManager() as pool:

        def status() -> dict[str, Any]:
            found: dict[str, Any] = pool.request(
                "GET", f"{place.url}/status", headers={"Authorization": f"Bearer {TOKEN}"}
            ).json()
            return found

        assert (status()["epoch"], status()["attempt"], status()["workers"]) == (0, 0, 0)
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        channel.beat(Position(0, 10, 5), Counts(5, 10, 0.5))
        assert eventually(lambda: status()["step"] == 5, 30)
        assert (status()["share"], status()["workers"], status()["wanted"]) == (0.5, 1, 1)
        channel.beat(Position(0, 15, 7), Counts(2, 5, 0.5))
        assert eventually(lambda: (status()["rate"] or 0) > 0, 30)
        channel.end_epoch(report(0, 1))
        assert (status()["epoch"], status()["metrics"]) == (1, {"loss": 0.5})


def test_beats_come_from_a_thread(folder: TrainFolder, eventually: Eventually) -> None:
    """Until a worker has finished: then it is not heard of, and nobody minds."""
    with opened(folder) as place:
        before = threading.active_count()
        (first,) = place.join("agent-0")
        channel = place.channel("agent-0", first)
        seat = place.server.call(lambda rendezvous: rendezvous.seat(sender("agent-0", first)))
        assert eventually(lambda: seat.heard is not None, 30)
        heard = seat.heard
        assert eventually(lambda: seat.heard != heard, 30)
        channel.end_epoch(report(0, 1))
        channel.end_epoch(report(0, 2))
        channel.finish(lambda file: file.write(b"model"), None)
        assert eventually(lambda: threading.active_count() <= before + 1, 30)
