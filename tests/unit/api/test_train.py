"""A training by its plan, with agents that are threads, and workers that are small processes without TensorFlow."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tinderbox.api import together
from tinderbox.api.driver import Door
from tinderbox.api.train import run_train
from tinderbox.api.trained import TrainResult, open_training
from tinderbox.api.training import TrainPlan
from tinderbox.config import check_train
from tinderbox.data import Dataset, Examples
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.failure import describe
from tinderbox.run import identify
from tinderbox.spark import agents
from tinderbox.spark.jobs import LEAVING
from tinderbox.storage.training import TrainFolder
from tinderbox.training.history import Training
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Sums
from tinderbox.training.status import TrainStatus
from tinderbox.training.worker.agent import Agent, Settings
from tinderbox.training.worker.client import AgentDoor, WorkerChannel
from tinderbox.training.worker.process import Over


def act(connection: Connection, arguments: tuple[tuple[str, str, str, int, str]]) -> None:
    """Be a worker: what is learnt is the number of steps, five an epoch; `fails` names a file that is a reason to."""
    ((url, token, agent, epochs, fails),) = arguments
    assignment: Assignment = connection.recv()
    channel = WorkerChannel(url, token, agent, assignment)
    try:
        learn(channel, assignment, epochs, Path(fails))
    except Exception as error:
        connection.send(Over("failed", describe(error)))
    else:
        connection.send(Over("complete"))


def learn(channel: WorkerChannel, assignment: Assignment, epochs: int, fails: Path) -> None:
    """Train all epochs that are left, and save after each."""
    rank, start = assignment.rank, assignment.resume.position.epoch if assignment.resume else 0
    for epoch in range(start + 1, epochs + 1):
        if fails.exists() and epoch == 2:
            raise ValueError("the second epoch is too much")
        sums = Sums(5, {"loss": 5.0 / epoch})
        channel.end_epoch(EpochReport(rank, epoch, sums, sums, Counts(5, 5, 0.1), 5 * epoch))
        if rank == 0:
            channel.save(Position(epoch, 0, 5 * epoch), lambda file: file.write(b"state"))
    channel.finish((lambda file: file.write(b"model of %d" % epochs)) if rank == 0 else None, [[1, 0], [0, 1]])


@dataclass
class Threads:
    """Stands for the agents' Spark jobs: runs them as threads."""

    url: str
    token: str
    workers: int
    epochs: int
    fails: Path
    failure: TinderboxError | None = None
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start all agents."""
        for number in range(self.workers):
            self.threads.append(threading.Thread(target=self._hold, args=(f"agent-{number}",), daemon=True))
            self.threads[-1].start()

    def _hold(self, name: str) -> None:
        work = self.url, self.token, name, self.epochs, str(self.fails)
        Agent(Settings(name, "node", "host", lambda: f"{name}:1"), act, work, AgentDoor(self.url, self.token)).run()

    def renew(self, name: str) -> None:
        """Nobody is silent here."""
        raise AssertionError(name)

    def stop(self, grace: float) -> None:
        """Wait until all agents have been told that training is over."""
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()


@dataclass
class Shown:
    """Keeps what a training shows; `react` is called with each status."""

    told: list[str] = field(default_factory=list)
    shown: list[TrainStatus] = field(default_factory=list)
    react: Callable[[TrainStatus], None] = lambda status: None

    def tell(self, step: str) -> None:
        """Keep a step."""
        self.told.append(step)

    def show(self, status: TrainStatus) -> None:
        """Keep where the training stands."""
        self.shown.append(status)
        self.react(status)


@pytest.fixture
def fails(tmp_path: Path) -> Path:
    """The file that makes workers fail, which is not there yet."""
    return tmp_path / "fails"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, fails: Path) -> Any:
    """Return what stands for a Spark session, whose agents are threads; `made` are those that were."""
    made: list[Threads] = []

    def agent_jobs(spark: Any, plan: Any, archive: bytes, left: Any) -> Threads:
        job = plan.recipe.job
        made.append(Threads(plan.url, plan.token, job.workers, job.epochs, fails))
        return made[-1]

    monkeypatch.setattr(agents, "agent_jobs", agent_jobs)
    context = SimpleNamespace(master="local[2]", getConf=lambda: SimpleNamespace(get=lambda key, other=None: other))
    return SimpleNamespace(sparkContext=context, made=made)


@pytest.fixture
def train(tmp_path: Path, session: Any) -> Callable[..., TrainResult]:
    """Return a function that runs a training with some keys of its job replaced."""

    def run(watcher: Shown | None = None, fresh: bool = False, door: Door | None = None, **keys: Any) -> TrainResult:
        tree = {
            "kind": "train",
            "name": "small",
            "model": "lenet5",
            "epochs": 3,
            "workers": 1,
            "storage": str(tmp_path / "runs"),
        }
        job = check_train({**tree, **keys}, "test")
        half = Examples(np.zeros((5, 2), np.float32), np.arange(5) % 2)
        recipe = Recipe(job, None, None, (2,), 2, 5, 5, "d" * 64)
        identity = identify(job.name, {}, "d" * 64, "", "m" * 64)
        plan = TrainPlan(job, recipe, Dataset(half, half, None, None), identity, ("a", "b"))
        return run_train(plan, spark=cast("Any", session), watcher=watcher, fresh=fresh, door=door)

    return run


def test_a_training_from_beginning_to_end(train: Callable[..., TrainResult], session: Any) -> None:
    """Its history, its model, its report, and what was shown meanwhile."""
    shown = Shown()
    result = train(shown)
    assert list(result.history.index) == [1, 2, 3]
    assert list(result.attempts.outcome) == ["complete"]
    assert set(result.files()) == {"model", "report", "history", "confusion"}
    assert result.classes == ["a", "b"]
    assert shown.told == ["starting Spark", "starting workers", "writing the report", "done"]
    assert shown.shown[-1].over
    assert shown.shown[-1].epoch == 3


def test_a_training_that_has_ended_is_not_run_again(train: Callable[..., TrainResult], session: Any) -> None:
    """Only its report is written anew; with more epochs it goes on, and with fewer it is refused."""
    train()
    report = Path(train().report)
    assert len(session.made) == 1
    assert report.exists()
    result = train(epochs=5)
    assert len(session.made) == 2
    assert list(result.history.attempt) == [1, 1, 1, 2, 2]
    assert Path(result.folder.path("model.keras")).read_bytes() == b"model of 5"
    with pytest.raises(BadInput, match="epochs may only be raised"):
        train(epochs=4)


def test_a_worker_that_fails_ends_it(train: Callable[..., TrainResult], fails: Path, session: Any) -> None:
    """Told once, with a report; the same command goes on from the last checkpoint."""
    fails.touch()
    shown = Shown()
    with pytest.raises(TinderboxError, match=r"worker [01] on node: ValueError: the second epoch is too much"):
        train(shown)
    assert shown.told[-1] == "stopped"
    folder = TrainFolder(str(Path(fails).parent / "runs"), "small")
    assert folder.has("report.html")
    assert len(folder.read_history()) == 1
    fails.unlink()
    result = train()
    assert list(result.attempts.outcome) == ["failed", "complete"]
    assert list(result.attempts.step) == [0, 5]
    assert list(result.history.attempt) == [1, 2, 2]


def test_a_training_that_is_stopped(train: Callable[..., TrainResult], session: Any, tmp_path: Path) -> None:
    """Its attempt is released; agents end."""

    def stop(status: TrainStatus) -> None:
        if status.attempt:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(Shown(react=stop), epochs=2_000)
    assert not any(thread.is_alive() for thread in session.made[0].threads)
    record = open_training("small", str(tmp_path / "runs")).record
    assert [attempt.ended.outcome for attempt in record.attempts if attempt.ended] == ["released"]


def test_agents_that_cannot_be_had(train: Callable[..., TrainResult], session: Any, tmp_path: Path) -> None:
    """Their failure is the training's, and what its attempt has ended by."""

    def fail(status: TrainStatus) -> None:
        if status.attempt:
            session.made[0].failure = TinderboxError("agent 0 failed 5 times")

    with pytest.raises(TinderboxError, match="agent 0 failed 5 times"):
        train(Shown(react=fail), epochs=2_000)
    record = open_training("small", str(tmp_path / "runs")).record
    ended = [(attempt.ended.outcome, attempt.ended.cause) for attempt in record.attempts if attempt.ended]
    assert ended == [("lost", "agent 0 failed 5 times")]


def test_a_training_begins_anew(train: Callable[..., TrainResult], tmp_path: Path, session: Any) -> None:
    """Where it is to be fresh; not once more for a driver that its cluster starts again."""
    door = Door("token")
    train(door=door)
    train(fresh=True, door=door)
    assert len(session.made) == 1
    train(fresh=True)
    assert len(session.made) == 2
    assert TrainFolder(str(tmp_path / "runs"), "small-1").exists()


def test_prometheus_may_ask_afterwards() -> None:
    """What it is told comes from the record when the server has stopped."""
    stopped = SimpleNamespace(is_running=False, rendezvous=SimpleNamespace(training=Training()))
    training, status = together.follow(cast("Any", stopped))
    assert (training.attempts, status.attempt) == ([], 0)


def test_why_an_agent_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch of the pods may say so before Spark does, where there are pods."""
    told: list[tuple[str, str]] = []
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    rendezvous = SimpleNamespace(leave=lambda name, cause, now: bool(told.append((name, cause))) or True)
    server = SimpleNamespace(call=lambda action: action(rendezvous))
    for has_pods, cause, pauses in ((True, "lost", 1), (True, LEAVING, 0), (False, "lost", 0)):
        slept.clear()
        assert together.leaver(cast("Any", server), has_pods)("agent-0", cause)
        assert len(slept) == pauses
    assert [cause for _, cause in told] == ["lost", LEAVING, "lost"]

    def refuse(action: Any) -> bool:
        raise TinderboxError("the record cannot be written")

    assert together.leaver(cast("Any", SimpleNamespace(call=refuse)), False)("agent-0", "lost")


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            ": org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed 1 times, "
            "most recent failure: Lost task 0.0 in stage 0.0 (TID 0) (192.0.2.2 executor 1): ExecutorLostFailure "
            "(executor 1 exited caused by one of the running tasks) Reason: Command exited with code 137",
            "its executor was lost: Command exited with code 137",
        ),
        ("ExecutorLostFailure (executor 1 exited)", "its executor was lost: Spark does not say why"),
        ("SparkException: Python worker exited unexpectedly (crashed)", "the Python worker of its agent was killed"),
        (LEAVING, LEAVING),
    ],
)
def test_what_spark_says_is_made_short(said: str, cause: str) -> None:
    """Who reads an attempt's cause does not care for stages."""
    assert together.shorten(said) == cause
