"""Coordinator and slots in a world of lost, repeated and late messages, dying slots and dying drivers.

Slots are plain objects that send one message until it is answered, time is a number, and chance is seeded, so that
a round that fails can be run again: `World(seed).run()`.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tinderbox.errors import StaleAttempt
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.events import AttemptEnded, AttemptStarted, Event, Reported, StudyEnded, TrialProposed, encode
from tinderbox.sweeping.journal import rebuild, replay
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Heartbeat, Lease, Report
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.study import Study

EPOCHS = 3
TRIALS = 12
DRIVERS = 150
"""Events after which no driver dies any more: a new one would find again what its predecessor had mislaid."""
PATIENCE = 5_000
"""Steps after which a round that has not ended is stuck."""

REFUSED, DEAD = "refused", "dead"
"""What comes back in place of an answer."""

Message = Ask | Report | Finish


def outcome_of(trial: int) -> tuple[str, float]:
    """Return what the pretended function does with a trial: its outcome, and the value of its last epoch."""
    kinds = {1: ("diverged", float("nan")), 2: ("failed", 0.0)}
    return kinds.get(trial % 4, ("complete", 1.0 / (trial + 1)))


@dataclass
class FakeSlot:
    """A slot: what it runs, and the one message that it repeats until it is answered."""

    name: str
    requests: int = 0
    lease: Lease | None = None
    epoch: int = 0
    message: Message | None = None
    frozen_until: float = 0.0
    done: bool = False

    def __post_init__(self) -> None:
        """Begin by asking for work."""
        self.message = self.ask()

    def ask(self) -> Ask:
        """Return the next request for work."""
        self.requests += 1
        return Ask(slot=self.name, node="node", request=self.requests)

    def go_on(self, answer: Answer | Decision | str) -> None:
        """Take an answer, or REFUSED, and prepare the next message."""
        if isinstance(answer, str):
            self.lease, self.message = None, self.ask()
        elif isinstance(answer, Answer):
            self.lease, self.epoch, self.done = answer.lease, 0, answer.done
            self.message = self._report() if answer.lease else self.ask()
        elif answer.action == "stop":
            self.message = self._finish("stopped")
        elif self.epoch >= EPOCHS:
            self.message = self._finish("complete")
        elif self.lease is not None and outcome_of(self.lease.trial)[0] == "failed" and self.epoch == 1:
            self.message = self._finish("failed")
        else:
            self.message = self._report()

    def _report(self) -> Report:
        assert self.lease is not None
        self.epoch += 1
        last = self.epoch == EPOCHS
        value = outcome_of(self.lease.trial)[1] if last else 5.0
        return Report(slot=self.name, attempt=self.lease.attempt, epoch=self.epoch, metrics={"loss": value}, last=last)

    def _finish(self, outcome: Any) -> Finish:
        assert self.lease is not None
        return Finish(ask=self.ask(), attempt=self.lease.attempt, outcome=outcome)


@dataclass
class World:
    """One study among accidents. `acknowledged` holds every report that a slot knows to be safe."""

    seed: int
    seconds: float | None = None
    record: list[bytes] = field(default_factory=list)
    acknowledged: set[tuple[int, int, int]] = field(default_factory=set)
    late: list[tuple[int | None, Message]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        """Start a driver and three slots."""
        self.chance = random.Random(self.seed)  # noqa: S311 - accidents, not secrets
        self.events: list[Event] = []
        self.names = (f"slot-{number}" for number in range(10**6))
        self.coordinator = self._drive()
        self.slots = [FakeSlot(next(self.names)) for _ in range(3)]

    def run(self) -> Study:
        """Let things happen until the study has ended, and return it."""
        for _ in range(PATIENCE):
            if self.coordinator.study.finished is not None:
                return self.coordinator.study
            self._happen()
        raise AssertionError(f"round {self.seed} is stuck: {self.coordinator.study.counts}")

    def _happen(self) -> None:
        self.now += self.chance.random()
        dice = self.chance.random()
        if dice < 0.01 and len(self.record) < DRIVERS:
            self._kill_driver()
        elif dice < 0.04:
            self._kill_slot()
        elif dice < 0.07:
            self.seen["frozen"] += 1
            self.chance.choice(self.slots).frozen_until = self.now + self.chance.uniform(5, 60)
        elif dice < 0.15 and self.late:
            self.seen["late"] += 1
            self._deliver(*self.late.pop(self.chance.randrange(len(self.late))))
        self._act(lambda: self.coordinator.tick(self.now))
        while (number := self.coordinator.wanted()) is not None:
            parameters, known = {"x": number}, len(self.coordinator.study.ended)
            self._act(lambda p=parameters, k=known: self.coordinator.propose(p, k, False, self.now))  # type: ignore[misc]
        for slot in self.slots:
            if slot.frozen_until <= self.now:
                self._beat(slot)
        awake = [slot for slot in self.slots if slot.frozen_until <= self.now and not slot.done]
        if awake:
            self._send(self.chance.choice(awake))

    # Drivers

    def _drive(self) -> Coordinator:
        study = rebuild([b"".join(self.record)], "loss", "minimize")
        rules = Rules(seed=self.seed, epochs=EPOCHS, limit=TRIALS, seconds=self.seconds)
        coordinator = Coordinator(study, rules, self.events.append, self.now)
        self._write()
        return coordinator

    def _write(self, count: int | None = None) -> None:
        """Bring the first events that wait for it, or all, to the record."""
        self.record += map(encode, self.events[:count])
        self.events.clear()

    def _kill_driver(self) -> None:
        """Start another driver; slots of the old one speak to it until they are refused."""
        self.seen["driver"] += 1
        self.coordinator = self._drive()

    def _act(self, action: Callable[[], Any]) -> Any:
        """Do something and write its events; a driver may die between the two, and leave some of them in the record."""
        try:
            answer = action()
        except StaleAttempt:
            self.seen["refused"] += 1
            answer = REFUSED
        if self.events and len(self.record) < DRIVERS and self.chance.random() < 0.02:
            self.seen["torn"] += 1
            self._write(self.chance.randrange(len(self.events) + 1))
            self.coordinator = self._drive()
            return DEAD
        self._write()
        return answer

    # Slots

    def _kill_slot(self) -> None:
        self.seen["slot"] += 1
        index = self.chance.randrange(len(self.slots))
        dead, self.slots[index] = self.slots[index], FakeSlot(next(self.names))
        if self.chance.random() < 0.5:
            self._act(lambda: self.coordinator.leave(dead.name, "killed", self.now))

    def _beat(self, slot: FakeSlot) -> None:
        beat = Heartbeat(slot=slot.name)
        if slot.lease is not None:
            beat = Heartbeat(slot=slot.name, trial=slot.lease.trial, attempt=slot.lease.attempt)
        try:
            decision = self.coordinator.heartbeat(beat, self.now)
        except StaleAttempt:
            if slot.lease is not None:
                slot.go_on(REFUSED)
        else:
            if decision.action == "stop" and slot.lease is not None and not isinstance(slot.message, Finish):
                slot.go_on(decision)

    def _send(self, slot: FakeSlot) -> None:
        """Send a slot's message, which may be lost, or its answer; then it is sent again when the slot's turn comes."""
        assert slot.message is not None
        trial = slot.lease.trial if slot.lease else None
        accident = self.chance.random()
        if accident < 0.1:
            self.seen["message lost"] += 1
            return
        if accident < 0.2:
            self.late.append((trial, slot.message))
        answers = [self._deliver(trial, slot.message) for _ in range(2 if accident > 0.9 else 1)]
        if 0.2 < accident < 0.3 or answers[-1] is DEAD:
            self.seen["answer lost"] += 1
            return
        self._compare(slot.message, answers)
        if isinstance(slot.message, Report) and answers[-1] is not REFUSED:
            assert trial is not None
            self.acknowledged.add((trial, slot.message.attempt, slot.message.epoch))
        slot.go_on(answers[-1])

    def _compare(self, message: Message, answers: list[Any]) -> None:
        """Hold that a repeated message got the same answer, but for a request that now finds work."""
        if len(answers) > 1 and DEAD not in answers and answers[0] != Answer():
            self.seen["repeated"] += 1
            assert answers[0] == answers[1], f"round {self.seed}: {message} was answered {answers}"

    def _deliver(self, trial: int | None, message: Message) -> Any:
        """Return the coordinator's answer, REFUSED, or DEAD where it died before it could reply."""
        coordinator = self.coordinator
        if isinstance(message, Ask):
            return self._act(lambda: coordinator.lease(message, self.now))
        assert trial is not None
        if isinstance(message, Report):
            return self._act(lambda: coordinator.report(trial, message, self.now))
        return self._act(lambda: coordinator.finish(trial, message, self.now))


def check(world: World) -> None:
    """Hold what must be true of every record, however it came about."""
    study, trials = world.coordinator.study, list(world.coordinator.study.trials.values())
    assert [trial.number for trial in trials] == list(range(TRIALS if world.seconds is None else len(trials)))
    replayed = rebuild([b"".join(world.record)], "loss", "minimize")
    # NaN is unlike itself, so reports are compared as texts.
    assert repr(replayed) == repr(study)
    check_record(world)
    if world.seconds is None:
        assert study.cause == "all trials have ended"
        assert all(trial.state.ended for trial in trials)
        for trial in trials:
            lost = sum(attempt.outcome == "lost" for attempt in trial.attempts)
            assert trial.state.value == outcome_of(trial.number)[0] or lost == 3


def check_record(world: World) -> None:
    """Go through a record and hold each event against what was before it."""
    current: dict[int, AttemptStarted | None] = {}
    attempts, epochs, told = Counter[int](), defaultdict[int, int](int), Counter[int]()
    reports = set()
    for event in replay([b"".join(world.record)]):
        match event:
            case TrialProposed():
                assert event.trial == len(current)
                current[event.trial] = None
            case AttemptStarted():
                assert current[event.trial] is None
                assert told[event.trial] == 0
                attempts[event.trial] += 1
                assert event.attempt == attempts[event.trial]
                current[event.trial], epochs[event.trial] = event, 0
            case Reported():
                running = current[event.trial]
                assert running is not None
                assert running.attempt == event.attempt
                assert event.epoch > epochs[event.trial]
                epochs[event.trial] = event.epoch
                reports.add((event.trial, event.attempt, event.epoch))
            case AttemptEnded():
                running = current[event.trial]
                assert running is not None
                assert running.attempt == event.attempt
                current[event.trial] = None
                told[event.trial] += event.outcome not in ("lost", "released")
                assert told[event.trial] <= 1
            case StudyEnded():
                assert not any(current.values())
    assert world.acknowledged <= reports


@pytest.mark.parametrize("tens", range(12))
def test_no_trial_is_lost_and_no_result_is_told_twice(tens: int) -> None:
    """Ten rounds each: attempts count up by one, old ones never write, and the record gives the same study."""
    for seed in range(tens * 10, tens * 10 + 10):
        world = World(seed)
        world.run()
        check(world)


def test_the_time_ends_a_study_among_accidents() -> None:
    """With a budget of time every round ends in time, trials that did not fit stay unstarted, and nothing runs on."""
    for seed in range(200, 220):
        world = World(seed, seconds=40.0)
        study = world.run()
        check(world)
        assert study.counts["running"] == 0  # type: ignore[index]  # a State is its text


def test_every_accident_happens() -> None:
    """The rounds are worth their name: each kind of accident is among the first twenty."""
    seen: Counter[str] = Counter()
    for seed in range(20):
        world = World(seed)
        world.run()
        seen += world.seen
    assert min(seen.values()) >= 5, seen
    assert set(seen) == {
        "driver", "torn", "slot", "frozen", "late", "message lost", "answer lost", "repeated", "refused",
    }  # fmt: skip
