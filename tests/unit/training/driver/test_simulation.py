"""Rendezvous, agents and workers in a world of processes that die or freeze, late joiners and drivers that are killed.

Agents and workers are plain objects, time is a number, and chance is seeded, so that a round that fails can be run
again: `World(seed).run()`. A chain of checksums stands for what is learnt: a worker that goes on from any other state
than the one it had comes to another number.
"""

from __future__ import annotations

import functools
import random
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tinderbox.config import check_train
from tinderbox.errors import StaleAttempt
from tinderbox.training.driver.messages import Beat, Ended, Join, Sender, Told
from tinderbox.training.driver.rendezvous import Rendezvous
from tinderbox.training.history import Training, rebuild
from tinderbox.training.record import AttemptBegan, AttemptEnded, CheckpointKept, Event, WorkerReplaced, encode
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Resume, Sums

STEPS, EPOCHS, EVERY = 7, 20, 3
"""Steps of an epoch, epochs, and steps between two checkpoints."""

CALM_SECONDS = 1_500.0
"""Accidents end then, so that a round does."""

PATIENCE = 12_000
"""Half seconds after which a round that has not ended is stuck."""

DETECTED = 30.0
"""Within so many seconds of its freezing a worker's attempt has ended, or its rank is free."""


@functools.cache
def learnt(step: int) -> int:
    """Return what is learnt after so many steps without any accident."""
    return zlib.crc32(f"{learnt(step - 1)} {step}".encode()) if step else 0


@dataclass
class Worker:
    """A worker process: where it is, what it has learnt, and whether it runs."""

    assignment: Assignment
    step: int = 0
    state: int = 0
    told: int = 0
    dead: str = ""
    frozen_at: float | None = None
    stuck_since: float | None = None

    @property
    def position(self) -> Position:
        """Where it is."""
        return Position(self.step // STEPS, self.step % STEPS, self.step)


@dataclass
class FakeAgent:
    """An agent on a machine, which may have a worker."""

    name: str
    host: str
    requests: int = 0
    worker: Worker | None = None
    frozen_at: float | None = None
    done: bool = False


@dataclass
class World:
    """One training among accidents, or none where it is `calm`; the seed also chooses mode and number of workers."""

    seed: int
    calm: bool = False
    events: list[Event] = field(default_factory=list)
    whole: dict[int, Resume] = field(default_factory=dict)
    states: dict[tuple[int, str], int] = field(default_factory=dict)
    reached: dict[int, int] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        """Start a driver and all agents."""
        self.chance = random.Random(self.seed)  # noqa: S311 - accidents, not secrets
        self.mode = "threshold" if self.seed % 3 == 2 else "synchronous"
        tree = {
            "kind": "train", "name": "small", "model": "lenet5", "epochs": EPOCHS, "workers": 1 + self.seed % 4,
            "mode": self.mode, "attempts": {"most": 1_000, "wait": 15},
        }  # fmt: skip
        self.job = check_train(tree, "test")
        self.names = iter(range(10**6))
        self.agents = [self._boot(number) for number in range(self.job.workers)]
        self.rendezvous = self._drive()

    def run(self) -> Training:
        """Let things happen until training has ended, and return it."""
        for _ in range(PATIENCE):
            if self.rendezvous.training.ended is not None:
                return self.rendezvous.training
            assert self.rendezvous.failure is None, self.rendezvous.failure
            self._happen()
        raise AssertionError(f"round {self.seed} is stuck at {self.rendezvous.running}")

    def newest(self) -> Resume | None:
        """Return the newest checkpoint."""
        return self.whole[max(self.whole)] if self.whole else None

    def at_epoch(self, epoch: int) -> Resume | None:
        """Return the checkpoint at the end of an epoch."""
        return self.whole.get(epoch * STEPS)

    # What happens

    def _happen(self) -> None:
        self.now += 0.5
        if not self.calm and self.now < 1_000.0 + CALM_SECONDS:
            self._meet_accident()
        self.rendezvous.tick(self.now)
        self._renew()
        self.count()
        for agent in list(self.agents):
            if agent.frozen_at is None and not agent.done:
                self._live(agent)
        self._check_frozen()

    def _meet_accident(self) -> None:
        dice, agent = self.chance.random(), self.chance.choice(self.agents)
        worker = agent.worker
        if dice < 0.008 and worker is not None and not worker.dead:
            self.seen["killed"] += 1
            worker.dead = self.chance.choice(["killed", "out_of_memory", "crashed"])
        elif dice < 0.028 and worker is not None and worker.frozen_at is None:
            self.seen["frozen"] += 1
            worker.frozen_at = self.now
        elif dice < 0.018:
            self.seen["agent frozen"] += 1
            agent.frozen_at = self.now if agent.frozen_at is None else agent.frozen_at
        elif dice < 0.024:
            self.seen["executor"] += 1
            self._replace(agent)
            self.rendezvous.leave(agent.name, "executor lost", self.now)
        elif dice < 0.028:
            self.seen["driver"] += 1
            for each in self.agents:
                self._replace(each)
            self.rendezvous = self._drive()

    def _drive(self) -> Rendezvous:
        """Return the rendezvous of a new driver, which finds the record and the checkpoints of the one before."""
        training = rebuild([b"".join(map(encode, self.events))])
        return Rendezvous(self.job, training, self, self.events.append, self.now)

    def _boot(self, number: int) -> FakeAgent:
        name = f"agent-{number}.{next(self.names)}"
        return FakeAgent(name, f"pod-{name}")

    def _replace(self, agent: FakeAgent) -> None:
        """Let an agent's Spark job be submitted again; it may come late."""
        number = int(agent.name.removeprefix("agent-").partition(".")[0])
        fresh = self._boot(number)
        fresh.frozen_at = self.now  # it is on its way
        self.agents[self.agents.index(agent)] = fresh
        self._late = {**getattr(self, "_late", {}), fresh.name: self.now + self.chance.choice([1.0, 5.0, 25.0])}

    def _renew(self) -> None:
        names, self.rendezvous.renewals = self.rendezvous.renewals, []
        for agent in list(self.agents):
            if agent.name in names:
                self._replace(agent)
            elif getattr(self, "_late", {}).get(agent.name, self.now + 1) <= self.now:
                agent.frozen_at = None
                del self._late[agent.name]

    def count(self) -> None:
        """Do what the server does with whole checkpoints; a driver may die in between, which is no matter."""
        for whole in list(self.rendezvous.wholes):
            self.whole[whole.step] = whole.resume
            self.rendezvous.keep(whole, self.now)

    # Agents

    def _live(self, agent: FakeAgent) -> None:
        if agent.worker is None:
            self._join(agent)
        elif not self._ask(agent, self._watch):
            agent.worker = None  # it was told to kill it, or its worker has ended

    def _join(self, agent: FakeAgent) -> None:
        agent.requests += 1
        address = f"{agent.name}:7100"
        ask = Join(agent=agent.name, node=agent.host, host=agent.host, address=address, request=agent.requests)
        answer = self.rendezvous.join(ask, self.now)
        if self.chance.random() < 0.05 and not self.calm:
            self.seen["answer lost"] += 1
            agent.requests -= 1
            return
        agent.done = answer.done
        if (assignment := answer.assignment) is not None:
            agent.worker = self._start(assignment)

    def _start(self, assignment: Assignment) -> Worker:
        """Start a worker, which loads the checkpoint that it is to resume from, or catches up with the others."""
        if assignment.resume is None:
            return Worker(assignment)
        step = assignment.resume.position.step
        state = self.states[step, assignment.resume.parts[0]]
        assert state == learnt(step)
        return Worker(assignment, step, state, step // STEPS)

    def _watch(self, agent: FakeAgent) -> bool:
        """Return whether a worker goes on."""
        worker = agent.worker
        assert worker is not None
        self.rendezvous.watch(self.sender(agent), self.now)
        if worker.dead:
            ended = Ended(sender=self.sender(agent), outcome=worker.dead, cause=f"it was {worker.dead}")
            self.rendezvous.end(ended, self.now)
            return False
        if worker.frozen_at is not None:
            return True
        beat = Beat(sender=self.sender(agent), position=worker.position, done=Counts(1, 1, 0.5))
        self.rendezvous.beat(beat, self.now)
        return self._train(agent, worker)

    def _ask(self, agent: FakeAgent, action: Callable[[FakeAgent], bool]) -> bool:
        try:
            return action(agent)
        except StaleAttempt:
            self.seen["refused"] += 1
            return False

    def sender(self, agent: FakeAgent) -> Sender:
        """Return who speaks."""
        assert agent.worker is not None
        assignment = agent.worker.assignment
        return Sender(agent=agent.name, attempt=assignment.attempt, rank=assignment.rank)

    # Workers

    def _train(self, agent: FakeAgent, worker: Worker) -> bool:
        """Take a step, tell of an epoch, or finish; return whether the process goes on."""
        if worker.step // STEPS > worker.told:
            sums = Sums(1, {"state": float(worker.state), "loss": 0.5})
            report = EpochReport(worker.assignment.rank, worker.told + 1, sums, Sums(0, {}), Counts(), worker.step)
            if self.rendezvous.tell(Told(sender=self.sender(agent), report=report), self.now) is None:
                return True
            worker.told += 1
            self._save(agent, worker)
        if worker.step >= EPOCHS * STEPS or worker.assignment.over:
            return self._finish(agent)
        if self.mode == "synchronous" and not self._may_step(worker):
            return self._wait_for_peers(agent, worker)
        worker.stuck_since = None
        worker.step += 1
        worker.state = zlib.crc32(f"{worker.state} {worker.step}".encode())
        attempt = worker.assignment.attempt
        if worker.assignment.rank == 0:
            self.reached[attempt] = max(self.reached.get(attempt, 0), worker.step)
        if worker.step % EVERY == 0 and worker.step % STEPS:
            self._save(agent, worker)
        return True

    def _may_step(self, worker: Worker) -> bool:
        """Whether all workers of the attempt are there, and none is behind."""
        others = [other for other in self._peers(worker) if not other.dead and other.frozen_at is None]
        return len(others) == worker.assignment.workers and all(other.step >= worker.step for other in others)

    def _peers(self, worker: Worker) -> list[Worker]:
        found = (agent.worker for agent in self.agents if agent.worker is not None)
        return [other for other in found if other.assignment.attempt == worker.assignment.attempt]

    def _wait_for_peers(self, agent: FakeAgent, worker: Worker) -> bool:
        """Fail as TensorFlow's operations do: at once where a peer is dead, after eight seconds where one is frozen."""
        peers = self._peers(worker)
        gone = len(peers) < worker.assignment.workers or any(peer.dead for peer in peers)
        worker.stuck_since = self.now if worker.stuck_since is None else worker.stuck_since
        begun = worker.step > (worker.assignment.resume.position.step if worker.assignment.resume else 0)
        if (gone and begun) or self.now - worker.stuck_since > 8:
            self.seen["peer lost"] += 1
            ended = Ended(sender=self.sender(agent), outcome="peer_lost", cause="UnavailableError")
            self.rendezvous.end(ended, self.now)
            return False
        return True

    def _save(self, agent: FakeAgent, worker: Worker) -> None:
        if self.mode == "synchronous" and worker.assignment.rank:
            return
        sha256 = f"{worker.assignment.attempt}-{worker.assignment.rank}-{next(self.names)}"
        self.states[worker.step, sha256] = worker.state
        self.rendezvous.take_part(self.sender(agent), worker.position, sha256, 1, self.now)
        if self.chance.random() < 0.9:
            self.count()

    def _finish(self, agent: FakeAgent) -> bool:
        sender = self.sender(agent)
        if sender.rank == 0:
            self.rendezvous.take_model(sender)
        if self.rendezvous.finish(sender, [[1]]):
            self.rendezvous.complete(self.now)
            return False
        return True

    def _check_frozen(self) -> None:
        """Hold that nobody is frozen for long without being found."""
        running = self.rendezvous.running
        for agent in self.agents:
            worker = agent.worker
            since = agent.frozen_at if worker is None or worker.frozen_at is None else worker.frozen_at
            if running is not None and worker is not None and since is not None:
                seat = running.seats.get(worker.assignment.rank)
                if seat is not None and seat.member.name == agent.name and not seat.finished:
                    assert running.number != worker.assignment.attempt or self.now - since <= DETECTED


def check(world: World, training: Training) -> None:
    """Hold what must be true of every training, however it came about."""
    assert repr(rebuild([b"".join(map(encode, world.events))])) == repr(training)
    assert [row.epoch for row in training.history] == list(range(1, EPOCHS + 1))
    assert [row.step for row in training.history] == [STEPS * epoch for epoch in range(1, EPOCHS + 1)]
    for row in training.history:
        assert row.metrics["state"] == float(learnt(row.step))
    began = {event.attempt: event for event in world.events if isinstance(event, AttemptBegan)}
    assert sorted(began) == list(range(1, len(began) + 1))
    for number in range(2, len(began) + 1):
        lost = world.reached.get(number - 1, 0) - began[number].step
        assert lost <= EVERY + (world.mode == "threshold") * STEPS, f"attempt {number} begins {lost} steps back"
    for attempt in training.attempts:
        assert attempt.ended is not None
        assert attempt.ended.cause or attempt.ended.outcome == "complete"
    assert [attempt.ended.outcome for attempt in training.attempts if attempt.ended].count("complete") == 1
    for kept in (event for event in world.events if isinstance(event, CheckpointKept)):
        assert 0 in kept.parts


def play(seed: int, calm: bool = False) -> World:
    """Run a round to its end and check it; what fails says how to run it again."""
    world = World(seed, calm)
    try:
        check(world, world.run())
    except (AssertionError, LookupError) as error:
        error.add_note(f"in the round of World({seed}, {calm})")
        raise
    return world


@pytest.mark.parametrize("dozens", range(10))
def test_nothing_is_lost_and_nothing_is_told_twice(dozens: int) -> None:
    """Twelve rounds each: what is learnt is what it would be undisturbed, and a loss costs one interval at most."""
    for seed in range(dozens * 12, dozens * 12 + 12):
        play(seed)


def test_without_accidents_there_is_one_attempt() -> None:
    """And nothing is done twice."""
    for seed in range(12):
        world = play(seed, calm=True)
        assert len(world.rendezvous.training.attempts) == 1
        assert sum(isinstance(event, CheckpointKept) for event in world.events) == len(world.whole)


def test_every_accident_happens() -> None:
    """The rounds are worth their name: each kind of accident is among them, and so is each ending."""
    seen: Counter[str] = Counter()
    outcomes: Counter[Any] = Counter()
    for seed in range(48):
        world = play(seed)
        seen += world.seen
        outcomes += Counter(event.outcome for event in world.events if isinstance(event, AttemptEnded))
        outcomes["rejoined"] += sum(isinstance(event, WorkerReplaced) for event in world.events)
    assert min(seen.values()) >= 5, seen
    assert set(seen) == {
        "killed", "frozen", "agent frozen", "executor", "driver", "answer lost", "refused", "peer lost",
    }  # fmt: skip
    assert set(outcomes) == {
        "complete", "failed", "killed", "out_of_memory", "frozen", "lost", "replaced", "rejoined",
    }, outcomes  # fmt: skip
