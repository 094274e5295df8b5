"""An agent, its door made of a few lines, and workers that are small processes without TensorFlow."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tinderbox.allowance import JAVA_REST, Share
from tinderbox.errors import StaleAttempt, TinderboxError
from tinderbox.failure import Failure
from tinderbox.training.driver.messages import Answer, Ended, Join, Watch
from tinderbox.training.records import Assignment
from tinderbox.training.worker.agent import Agent, Settings
from tinderbox.training.worker.process import Over

Eventually = Callable[[Callable[[], bool], float], bool]


def act(connection: Connection, arguments: tuple[str]) -> None:
    """Do what a word says, as a worker that was told its assignment."""
    assignment: Assignment = connection.recv()
    print(f"{arguments[0]} in attempt {assignment.attempt}", flush=True)  # noqa: T201 - the agent takes it home
    match arguments[0]:
        case "complete":
            connection.send(Over("complete"))
        case "raise":
            connection.send(Over("failed", Failure("ValueError: no", "Traceback")))
        case "exit":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "wait":
            time.sleep(600)
        case "hoard":
            held = b"x" * (400 << 20)
            time.sleep(600 + len(held))


@dataclass
class Desk:
    """A driver with a few assignments; `stale` says that the attempt is over, `gone` that the driver is."""

    attempts: int = 1
    joined: list[Join] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    watched: list[Watch] = field(default_factory=list)
    stale: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)

    def join(self, ask: Join) -> Answer:
        """Give the next assignment, after a request without one."""
        self.joined.append(ask)
        number = len(self.joined) // 2
        if len(self.joined) % 2:
            return Answer(done=number >= self.attempts)
        return Answer(assignment=Assignment(number, 0, 1, (ask.address,)))

    def watch(self, watch: Watch) -> None:
        """Note that a worker is watched."""
        self.watched.append(watch)
        if self.gone.is_set():
            raise TinderboxError("the driver does not answer")
        if self.stale.is_set():
            raise StaleAttempt("over")

    def ended(self, ended: Ended) -> None:
        """Note how a worker has ended."""
        self.ends.append(ended)
        if self.stale.is_set():
            raise StaleAttempt("over")


def make(word: str, desk: Desk, is_leaving: Callable[[], bool] = bool, **settings: Any) -> Agent:
    """Return an agent whose workers do what a word says."""
    return Agent(Settings("agent-0", "n", "h", lambda: "h:7100", **settings), act, word, desk, is_leaving)


@pytest.mark.parametrize(
    ("word", "outcome", "cause"),
    [
        ("complete", "complete", ""),
        ("raise", "failed", "ValueError: no"),
        ("exit", "crashed", "its process ended with exit code 3 before training was over"),
        ("segfault", "crashed", "its process was killed by SIGSEGV"),
        ("killed", "killed", "its process was killed by SIGKILL"),
    ],
)
def test_how_a_worker_has_ended(word: str, outcome: str, cause: str) -> None:
    """The driver is told, with what it has printed; then the agent asks for more, until all is over."""
    desk = Desk(attempts=2)
    assert make(word, desk).run()
    assert [(ended.outcome, ended.cause) for ended in desk.ends] == [(outcome, cause)] * 2
    assert [ended.sender.attempt for ended in desk.ends] == [1, 2]
    assert desk.ends[1].log.startswith(f"{word} in attempt 2\n")
    assert [ask.request for ask in desk.joined] == [1, 2, 3, 4, 5]
    assert desk.ends[0].details == ("Traceback" if word == "raise" else "")


def test_each_worker_has_an_address_that_is_free() -> None:
    """It is asked for with each request, since somebody may have taken the one before."""
    desk, ports = Desk(attempts=2), iter(range(7100, 7164))
    assert Agent(Settings("agent-0", "n", "h", lambda: f"h:{next(ports)}"), act, "complete", desk).run()
    assert [ask.address for ask in desk.joined] == [f"h:{port}" for port in range(7100, 7105)]


def test_a_worker_that_memory_was_taken_from(tmp_path: Path) -> None:
    """The kernel has counted one more that it has killed."""
    events = tmp_path / "memory.events"
    events.write_text("oom_kill 4\n")

    class Counting(Desk):
        def watch(self, watch: Watch) -> None:
            if pid.exists():
                events.write_text("oom_kill 5\n")
                os.kill(int(pid.read_text()), signal.SIGKILL)

    pid = tmp_path / "pid"
    desk = Counting()
    agent = Agent(Settings("agent-0", "n", "h", lambda: "h:7100", cgroups=tmp_path), leave_pid, str(pid), desk)
    assert agent.run()
    assert [(ended.outcome, ended.cause) for ended in desk.ends] == [
        (
            "out_of_memory",
            "the kernel killed the worker's process, for its executor had used up its memory; "
            "give executors more memory, put fewer workers on each, or take smaller batches",
        )
    ]


def test_a_worker_that_holds_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended before the kernel ends its executor, and the driver is told how much it held."""
    monkeypatch.setattr("tinderbox.allowance.anonymous", lambda pid: 50 << 20)
    share = Share(limit=(300 << 20) + JAVA_REST + (1 << 30), heap=1 << 30, slots=1)
    desk, began = Desk(), time.monotonic()
    assert make("hoard", desk, share=share).run()
    assert time.monotonic() - began < 60
    (ended,) = desk.ends
    assert ended.outcome == "out_of_memory"
    told = (
        r"the worker's processes held [2-5]\d\d MiB, and may hold 200 MiB in an executor of 1,580 MiB with one worker; "
    )
    assert re.match(told, ended.cause), ended.cause


def leave_pid(connection: Connection, arguments: tuple[str]) -> None:
    """Write which process this is, and wait."""
    connection.recv()
    partial = Path(f"{arguments[0]}.part")
    partial.write_text(str(os.getpid()))
    partial.rename(arguments[0])
    time.sleep(600)


@pytest.fixture
def running(tmp_path: Path, eventually: Eventually) -> Callable[[Agent], tuple[threading.Thread, list[Any]]]:
    """Return a function that runs an agent in a thread, and returns it with what it returns or raises."""

    def start(agent: Agent) -> tuple[threading.Thread, list[Any]]:
        told: list[Any] = []

        def run() -> None:
            try:
                told.append(agent.run())
            except Exception as error:
                told.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread, told

    return start


def test_a_worker_whose_attempt_is_over_is_killed(running: Any, eventually: Eventually) -> None:
    """Its agent asks for the next one."""
    desk = Desk()
    thread, told = running(make("wait", desk))
    assert eventually(lambda: bool(desk.watched), 30)
    assert desk.watched[0].sender.attempt == 1
    desk.stale.set()
    thread.join(30)
    assert told == [True]
    assert [ended.outcome for ended in desk.ends] == ["stale"]


def test_an_agent_whose_driver_is_gone_ends(running: Any, eventually: Eventually) -> None:
    """And so does its worker: nobody would be told of anything."""
    desk = Desk()
    thread, told = running(make("wait", desk))
    assert eventually(lambda: bool(desk.watched), 30)
    desk.gone.set()
    thread.join(30)
    assert [str(error) for error in told] == ["the driver does not answer"]
    assert desk.ends == []


def test_an_agent_whose_machine_is_taken_away(running: Any, eventually: Eventually) -> None:
    """Its worker ends, and the driver is told; another executor is wanted."""
    desk, leaving = Desk(), threading.Event()
    thread, told = running(make("wait", desk, leaving.is_set))
    assert eventually(lambda: bool(desk.watched), 30)
    leaving.set()
    thread.join(30)
    assert told == [False]
    assert [(ended.outcome, ended.cause) for ended in desk.ends] == [("killed", "its executor is being taken away")]


def test_an_agent_that_leaves_before_it_begins() -> None:
    """It does not join."""
    desk = Desk()
    assert not make("wait", desk, lambda: True).run()
    assert desk.joined == []
