"""The driver's thread: a whole study over HTTP, and how it ends."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tinderbox.config import SweepJob
from tinderbox.errors import StaleAttempt, Superseded, TinderboxError
from tinderbox.sweeping import server
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.events import StudyEnded, replay
from tinderbox.sweeping.history import State
from tinderbox.sweeping.journal import Journal, rebuild
from tinderbox.sweeping.messages import ASK, Ask, Finish, Heartbeat, Report
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.study import Study

MakeJob = Callable[..., SweepJob]
Serve = Callable[..., AbstractContextManager[Any]]
Eventually = Callable[[Callable[[], bool], float], bool]


def work(running: Any, slot: str, most: int = 1000) -> int:
    """Be a slot that runs trials in no time, and return how many."""
    client, asks = Client(running.url, running.token), (Ask(slot=slot, node="n", request=n) for n in itertools.count())
    answer, done = client.lease(next(asks)), 0
    while not answer.done and done < most:
        lease = answer.lease
        if lease is None:
            answer = client.lease(next(asks))
            continue
        metrics = {"loss": float(lease.parameters["x"])}
        client.report(lease.trial, Report(slot=slot, attempt=lease.attempt, epoch=2, metrics=metrics, last=True))
        answer = client.finish(lease.trial, Finish(ask=next(asks), attempt=lease.attempt, outcome="complete"))
        done += 1
    return done


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_a_whole_study(serve: Serve, make_job: MakeJob, search: str) -> None:
    """Two slots at the same time run all trials, the record has them, and the driver is told the end."""
    with serve(make_job(search=search, budget={"trials": 30})) as running:
        slots = [threading.Thread(target=work, args=(running, name)) for name in "ab"]
        for slot in slots:
            slot.start()
        assert running.server.wait(30)
        for slot in slots:
            slot.join(10)
        status = running.server.call(lambda _: running.server.status())
        assert (status.ended, status.trials["complete"], status.total, status.over) == (30, 30, 30, True)
    study = rebuild([b"".join(running.log.written)], "loss", "minimize")
    assert (len(study.ended), study.best_value) == (30, status.best_value)
    assert running.server.failure is None


def test_a_study_goes_on_under_another_driver(serve: Serve, make_job: MakeJob, memory_log: Any) -> None:
    """What the first one had is not run again."""
    job = make_job(budget={"trials": 6})
    with serve(job) as first:
        assert work(first, "a", most=3) == 3
        first.server.call(lambda coordinator: coordinator.close(time.time()))
    log = memory_log([b"".join(first.log.written)])
    with serve(job, log) as second:
        assert work(second, "a") == 3
        assert second.server.wait(10)
    study = rebuild([*log.segments, b"".join(log.written)], "loss", "minimize")
    assert (study.generation, len(study.ended), study.counts[State.COMPLETE]) == (2, 6, 6)
    attempts = [trial.attempt for trial in study.trials.values()]
    assert sorted(attempts) == [1] * 5 + [2]


def test_a_search_that_zooms_waits_for_what_it_needs_to_know(serve: Serve, make_job: MakeJob) -> None:
    """The trials of a round are proposed when half of the one before have ended, and slots get them then."""
    job = make_job(search={"method": "random", "zoom": {"rounds": 3}}, budget={"trials": 30})
    with serve(job, ahead=50) as running:
        wanted: Callable[[], Any] = lambda: running.server.call(lambda c: len(c.study.trials))  # noqa: E731
        assert work(running, "a", most=4) == 4
        time.sleep(0.2)
        assert wanted() == 10
        assert work(running, "b") == 26
        assert running.server.wait(10)
    study = rebuild([b"".join(running.log.written)], "loss", "minimize")
    assert [(begun.round, begun.trial) for begun in study.rounds] == [(2, 10), (3, 20)]
    assert all(
        begun.space["x"].low <= trial.parameters["x"] <= begun.space["x"].high  # type: ignore[union-attr, operator]
        for begun in study.rounds
        for trial in list(study.trials.values())[begun.trial : begun.trial + 10]
    )
    assert study.rounds[-1].space["x"].high < 1  # type: ignore[union-attr]  # a number


def test_a_silent_slot_is_given_up(serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server keeps time by itself; the late report gets 409."""
    monkeypatch.setattr(server, "TICK_SECONDS", 0.05)
    with serve(make_job(), lease_seconds=0.3) as running:
        client = Client(running.url, running.token)
        lease = client.lease(Ask(slot="a", node="n", request=1)).lease
        assert lease is not None
        time.sleep(0.6)
        with pytest.raises(StaleAttempt, match="slot a was given up; it must ask for work again"):
            client.report(lease.trial, Report(slot="a", attempt=1, epoch=1, metrics={"loss": 0.5}))
        state = running.server.call(lambda coordinator: coordinator.study.trials[lease.trial].attempts[0].outcome)
        assert state == "lost"


def test_the_time_ends_a_study(serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat that is held back says so at once."""
    monkeypatch.setattr(server, "TICK_SECONDS", 0.05)
    monkeypatch.setattr("tinderbox.sweeping.coordinator.PAUSE_SECONDS", 0.0)
    with serve(make_job(budget={"time": "1h"}), seconds=0.5) as running:
        client, ask = Client(running.url, running.token), Ask(slot="a", node="n", request=1)
        lease = client.lease(ask).lease
        assert lease is not None
        began = time.monotonic()
        decision = client.heartbeat(Heartbeat(slot="a", trial=lease.trial, attempt=1))
        assert (decision.action, time.monotonic() - began < 3) == ("stop", True)
        finish = Finish(ask=Ask(slot="a", node="n", request=2), attempt=1, outcome="paused")
        assert client.finish(lease.trial, finish).done is True
        assert running.server.wait(5)
    ended = [event for event in replay([b"".join(running.log.written)]) if isinstance(event, StudyEnded)]
    assert [event.cause for event in ended] == ["its time is used up"]


def test_states_are_thrown_away_after_the_record_says_so(
    serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, eventually: Eventually
) -> None:
    """Also while an earlier write is under way: a driver that dies in between must find what its record tells of."""
    monkeypatch.setattr(server, "TICK_SECONDS", 0.02)
    with serve(make_job(epochs=9), checkpoint_epochs=1) as running:
        client, log, files = Client(running.url, running.token), running.log, running.files
        lease = client.lease(Ask(slot="a", node="n", request=1)).lease
        assert lease is not None
        state = tmp_path / "state"
        state.write_bytes(b"state")
        append, begun, may_go = log.append, threading.Semaphore(0), threading.Semaphore(0)

        def append_slowly(lines: bytes) -> None:
            begun.release()
            may_go.acquire()
            append(lines)

        def report(epoch: int) -> None:
            message = Report(slot="a", attempt=1, epoch=epoch, metrics={"loss": 0.5}, can_save=True)
            assert client.report(lease.trial, message).save is True

        report(1)
        client.upload(lease.trial, 1, 1, "a", state)
        report(2)
        log.append = append_slowly
        try:
            other = threading.Thread(target=client.lease, args=(Ask(slot="b", node="n", request=1),))
            other.start()
            assert begun.acquire(timeout=5)
            time.sleep(0.1)  # the server's own tick waits for this write now
            upload = threading.Thread(target=client.upload, args=(lease.trial, 1, 2, "a", state))
            upload.start()
            assert eventually(lambda: len(files.checkpoints) == 2, 5)
            time.sleep(0.1)
            may_go.release()
            assert begun.acquire(timeout=5)  # the write that says that the first state is not needed
            time.sleep(0.2)
            assert list(files.checkpoints) == ["0-1-1", "0-1-2"]
        finally:
            log.append = append
            may_go.release(99)
        assert eventually(lambda: list(files.checkpoints) == ["0-1-2"], 5)
        upload.join(5)
        other.join(5)


def test_a_slot_that_hangs_up_is_not_leased_a_trial(serve: Serve, make_job: MakeJob, eventually: Eventually) -> None:
    """A request that waits for work ends with its connection, so that a dead slot holds no trial."""
    with serve(make_job(budget={"trials": 1})) as running:
        assert Client(running.url, running.token).lease(Ask(slot="a", node="n", request=1)).lease is not None
        connection = http.client.HTTPConnection(running.url.removeprefix("http://"))
        body = ASK.dump_json(Ask(slot="dead", node="n", request=1))
        connection.request("POST", "/lease", body, {"Authorization": f"Bearer {running.token}"})
        slots: Callable[[], bool] = lambda: "dead" in running.server.coordinator.roster.slots  # noqa: E731
        assert eventually(slots, 5)
        connection.close()
        time.sleep(0.3)
        running.server.call(lambda coordinator: coordinator.leave("a", "gone", time.time()))
        time.sleep(0.3)
        assert running.server.coordinator.study.trials[0].state is State.WAITING


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (OSError(28, "No space left on device"), "the study stopped: its record cannot be written: "
         "[Errno 28] No space left on device"),
        (Superseded("a later driver has taken over; this one stops"), "a later driver has taken over; this one stops"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_written_ends_the_server(
    serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, trouble: Exception, sentence: str
) -> None:
    """With its sentence, and what was not written was not acknowledged, not even to `curl`."""
    monkeypatch.setattr(server, "TICK_SECONDS", 0.05)
    with serve(make_job()) as running:
        client = Client(running.url, running.token)
        lease = client.lease(Ask(slot="a", node="n", request=1)).lease
        assert lease is not None
        running.log.trouble = trouble
        report = Report(slot="a", attempt=1, epoch=1, metrics={"loss": 0.5})
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{running.url}/trials/{lease.trial}/report",
            data=json.dumps({"slot": "a", "attempt": 1, "epoch": 1, "metrics": report.metrics}).encode(),
            headers={"Authorization": f"Bearer {running.token}"},
        )
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            urllib.request.urlopen(request, timeout=10)  # noqa: S310
        refused.value.close()
        assert running.server.wait(5)
        assert running.server.failure is trouble
        with pytest.raises(TinderboxError) as stopped:
            running.server.call(lambda _: running.server.status())
        assert str(stopped.value) == sentence
        running.log.trouble = None  # there is room again, and still nothing is written after the gap
        time.sleep(0.2)
    assert rebuild([b"".join(running.log.written)], "loss", "minimize").trials[lease.trial].reports == {}


def test_a_search_that_fails_ends_the_server(serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sampler raises is the driver's to tell."""
    error = RuntimeError("the sampler has lost its way")

    def propose(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(Proposer, "propose", propose)
    with serve(make_job()) as running:
        assert running.server.wait(5)
        assert running.server.failure is error


def test_whether_it_runs(serve: Serve, make_job: MakeJob) -> None:
    """From its start to its stop: what is asked at other times would wait for ever."""
    with serve(make_job()) as running:
        assert running.server.is_running
    assert not running.server.is_running


def test_a_server_that_was_never_started_stops(make_job: MakeJob, memory_log: Any, memory_files: Any) -> None:
    """It leaves no event loop open, which would be a warning."""
    journal, proposer = Journal(memory_log()), Proposer(make_job())
    coordinator = Coordinator(Study("loss", "minimize"), Rules(seed=0, epochs=1), journal.add, time.time())
    never = server.Server(coordinator, journal, proposer, memory_files(), "secret")
    never.stop()
    never.stop()


def test_a_port_that_is_taken(serve: Serve, make_job: MakeJob) -> None:
    """The error is the caller's, and the thread can be ended."""
    with serve(make_job()) as running:
        port = int(running.url.rpartition(":")[2])
        with (
            pytest.raises(TinderboxError, match=rf"^port {port}, .* address already in use; end what has it"),
            serve(make_job(), port=port),
        ):
            pass


def test_what_was_added_last_is_safe_when_it_stops(
    serve: Serve, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """A stop waits for the write that is under way, even if nobody else does."""
    monkeypatch.setattr(server, "TICK_SECONDS", 0.05)
    with serve(make_job(), lease_seconds=0.2) as running:
        Client(running.url, running.token).lease(Ask(slot="a", node="n", request=1))
        append = running.log.append

        def slow(lines: bytes) -> None:
            time.sleep(0.5)
            append(lines)

        running.log.append = slow
        assert eventually(lambda: not running.server.coordinator.roster.slots, 5)
    study = rebuild([b"".join(running.log.written)], "loss", "minimize")
    assert [life.slot for life in study.slots if life.left is not None] == ["a"]
