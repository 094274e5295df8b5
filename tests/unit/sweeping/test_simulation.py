"""Coordinator and slots in a world of lost, repeated and late messages, dying slots, machines and drivers.

Slots are plain objects that send one message until it is answered, time is a number, and chance is seeded, so that
a round that fails can be run again: `World(seed).run()`. Trials have real curves, and a chain of checksums stands for
their state: a trial that goes on from any other state than the one it had reports another number.
"""

from __future__ import annotations

import functools
import json
import math
import random
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tinderbox.errors import StaleAttempt
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointFreed,
    CheckpointSaved,
    Event,
    NodeAvoided,
    Reported,
    RungDecided,
    StudyEnded,
    StudyStarted,
    TrialProposed,
    encode,
    replay,
)
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.journal import rebuild
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Heartbeat, Lease, Report, Resume
from tinderbox.sweeping.rules import Rules
from tinderbox.sweeping.rungs import Ladder
from tinderbox.sweeping.study import Study

DRIVERS = 250
"""Events after which no driver dies any more: a new one would find again what its predecessor had mislaid."""
PATIENCE = 20_000
"""Steps after which a round that has not ended is stuck."""
NODES, HOSTS, SLOTS = 3, 3, 2
"""How many machines there are, how many pods on them, and how many slots in each pod."""

REFUSED, DEAD, DAMAGED = "refused", "dead", "damaged"
"""What comes back in place of an answer."""

LOSSES = ("lost", "infrastructure")
GOES_ON = ("lost", "infrastructure", "released", "paused")
"""Outcomes after which a trial may run again."""


# What trials do


@dataclass(frozen=True)
class Task:
    """So many trials, the value that each reports after each epoch, and those that raise after their second one."""

    trials: int
    epochs: int
    direction: str
    value: Callable[[int, int], float]
    raises: frozenset[int] = frozenset()


def formula(trial: int, epoch: int) -> float:
    """Return a loss that falls; some learn quickly and not far, some slowly and farther, and some diverge."""
    if trial % 6 == 1 and epoch >= 3:
        return math.nan
    quick, floor = 0.2 + (trial * 5 % 7) / 7, (trial * 7 % 12) / 24
    return floor + math.exp(-quick * epoch)


CURVES = [
    curve["val_accuracy"]
    for curve in json.loads(Path(__file__).with_name("digits_curves.json").read_text(encoding="utf-8"))["curves"]
]
FORMULA = Task(12, 9, "minimize", formula, frozenset({2, 8}))
DIGITS = Task(len(CURVES), 5, "maximize", lambda trial, epoch: float(CURVES[trial][epoch - 1]))


def advance(state: int, epoch: int) -> int:
    """Return the state after one more epoch."""
    return zlib.crc32(f"{state} {epoch}".encode())


@functools.cache
def state_after(seed: int, epoch: int) -> int:
    """Return the state that a trial has after so many epochs without any accident."""
    return advance(state_after(seed, epoch - 1), epoch) if epoch else seed


# Slots


@dataclass(frozen=True)
class Fetch:
    """A slot wants the state that its attempt goes on from."""

    attempt: int
    slot: str
    resume: Resume


@dataclass(frozen=True)
class Save:
    """A slot brings the state of its trial's newest report."""

    attempt: int
    slot: str
    epoch: int
    content: bytes


Message = Ask | Report | Finish | Fetch | Save


@dataclass
class FakeSlot:
    """A slot: what it runs, and the one message that it repeats until it is answered."""

    name: str
    host: str
    node: str
    task: Task
    can_save: bool
    requests: int = 0
    lease: Lease | None = None
    epoch: int = 0
    state: int = 0
    pausing: bool = False
    message: Message | None = None
    frozen_until: float = 0.0
    leaving: bool = False
    done: bool = False

    def __post_init__(self) -> None:
        """Begin by asking for work."""
        self.message = self.ask()

    def ask(self) -> Ask:
        """Return the next request for work."""
        self.requests += 1
        return Ask(slot=self.name, node=self.node, host=self.host, request=self.requests)

    def give_back(self) -> None:
        """End the trial without a word from it."""
        self.message = self._finish("paused")

    def go_on(self, answer: Any) -> None:
        """Take an answer, or REFUSED, and prepare the next message."""
        match answer:
            case "refused":
                self.lease, self.message = None, self.ask()
            case "damaged":
                self.message = self._finish("infrastructure")
            case Answer():
                self._begin(answer)
            case bytes():
                self._resume(answer)
            case Decision(action="stop"):
                self.message = self._finish("stopped")
            case Decision(save=True):
                self.pausing, self.message = answer.action == "pause", self._save()
            case _:
                self.message = self._finish("paused") if self.pausing else self._train()

    def _begin(self, answer: Answer) -> None:
        self.lease, self.done, self.pausing = answer.lease, answer.done, False
        if self.lease is None:
            self.message = self.ask()
            return
        self.epoch, self.state = 0, self.lease.seed
        if self.lease.resume is not None:
            self.message = Fetch(self.lease.attempt, self.name, self.lease.resume)
        else:
            self.message = self._train()

    def _resume(self, content: bytes) -> None:
        """Go on from a state, which must be the one that the attempt in its path has saved of this trial."""
        assert self.lease is not None
        assert self.lease.resume is not None
        trial, attempt, epoch, state = map(int, content.split())
        assert self.lease.resume.path == f"{trial}-{attempt}-{epoch}"
        assert (trial, epoch) == (self.lease.trial, self.lease.resume.epoch)
        self.epoch, self.state = epoch, state
        self.message = self._train()

    def _train(self) -> Message:
        """Train one more epoch, if there is one, and report it."""
        assert self.lease is not None
        if self.epoch >= self.task.epochs:
            return self._finish("complete")
        if self.epoch == 2 and self.lease.trial in self.task.raises:
            return self._finish("failed")
        self.epoch += 1
        self.state = advance(self.state, self.epoch)
        return Report(
            slot=self.name,
            attempt=self.lease.attempt,
            epoch=self.epoch,
            metrics={"loss": self.task.value(self.lease.trial, self.epoch), "state": float(self.state)},
            last=self.epoch == self.task.epochs,
            can_save=self.can_save,
        )

    def _save(self) -> Save:
        assert self.lease is not None
        content = f"{self.lease.trial} {self.lease.attempt} {self.epoch} {self.state}".encode()
        return Save(self.lease.attempt, self.name, self.epoch, content)

    def _finish(self, outcome: Any) -> Finish:
        assert self.lease is not None
        return Finish(ask=self.ask(), attempt=self.lease.attempt, outcome=outcome)


# The world


@dataclass
class World:
    """One study among accidents, or none where it is `calm`; its seed also chooses task and rules.

    `acknowledged` holds every report that a slot knows to be safe, `storage` the states that are kept, and `uploaded`
    all that ever were.
    """

    seed: int
    seconds: float | None = None
    calm: bool = False
    task: Task | None = None
    record: list[bytes] = field(default_factory=list)
    storage: dict[str, bytes] = field(default_factory=dict)
    uploaded: dict[str, bytes] = field(default_factory=dict)
    acknowledged: set[tuple[int, int, int]] = field(default_factory=set)
    late: list[tuple[int | None, Message]] = field(default_factory=list)
    doomed: dict[str, float] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        """Start a driver and all slots."""
        self.chance = random.Random(self.seed)  # noqa: S311 - accidents, not secrets
        self.task, self.can_save = self.task or (FORMULA, DIGITS)[self.seed % 3 == 0], self.seed % 5 != 4
        epochs = self.task.epochs
        ladders = (None, Ladder(1, 3, epochs), Ladder(1, 2, epochs), Ladder(2, 2, epochs, pauses=False))
        self.rules = Rules(
            seed=self.seed,
            epochs=epochs,
            limit=self.task.trials,
            seconds=self.seconds,
            ladder=ladders[self.seed % 4],
            checkpoint_epochs=1 + self.seed % 3,
            avoid_seconds=4.0,
        )
        self.events: list[Event] = []
        self.names = iter(range(10**6))
        self.coordinator = self._drive()
        self.slots = [slot for _ in range(HOSTS) for slot in self._boot()]

    def run(self) -> Study:
        """Let things happen until the study has ended, and return it."""
        for _ in range(PATIENCE):
            if self.coordinator.study.finished is not None:
                return self.coordinator.study
            self._happen()
        raise AssertionError(f"round {self.seed} is stuck: {self.coordinator.study.counts}")

    def _happen(self) -> None:
        self.now += self.chance.random()
        if not self.calm:
            self._meet_accident(self.chance.random())
        self._act(lambda: self.coordinator.tick(self.now))
        while (number := self.coordinator.wanted()) is not None:
            parameters, known = {"x": number}, len(self.coordinator.study.ended)
            propose = functools.partial(self.coordinator.propose, parameters, known, number == 0, self.now)
            self._act(propose)
        awake = [slot for slot in self.slots if slot.frozen_until <= self.now]
        for slot in awake:
            if not slot.done and self.chance.random() < 0.3:
                self._beat(slot)
        awake = [slot for slot in awake if not slot.done]
        if awake:
            self._send(self.chance.choice(awake))

    def _meet_accident(self, dice: float) -> None:
        for host in [host for host, end in self.doomed.items() if end <= self.now]:
            self._kill_host(host)
        slot = self.chance.choice(self.slots)
        if dice < 0.004 and len(self.record) < DRIVERS:
            self._kill_driver()
        elif dice < 0.014:
            self._kill_slot(slot)
        elif dice < 0.02:
            self._kill_host(slot.host)
        elif dice < 0.026:
            self._give_notice(slot.host)
        elif dice < 0.04:
            self.seen["frozen"] += 1
            slot.frozen_until = self.now + self.chance.uniform(5, 60)
        elif dice < 0.06 and self.seed % 4 == 1:  # a machine that ends what it is given
            for lost in [slot for slot in self.slots if slot.node == "node-0" and slot.lease is not None][:1]:
                self._kill_slot(lost)
        elif dice < 0.14 and self.late:
            self.seen["late"] += 1
            self._deliver(*self.late.pop(self.chance.randrange(len(self.late))))

    # Drivers

    def _drive(self) -> Coordinator:
        study = rebuild([b"".join(self.record)], "loss", self.task.direction)
        coordinator = Coordinator(study, self.rules, self.events.append, self.now)
        self._write()
        self._discard(coordinator)
        return coordinator

    def _write(self, count: int | None = None) -> None:
        """Bring the first events that wait for it, or all, to the record."""
        self.record += map(encode, self.events[:count])
        self.events.clear()

    def _discard(self, coordinator: Coordinator) -> None:
        """Throw away what the record says is not needed any more."""
        for path in coordinator.clear_garbage():
            kept = (trial.checkpoint for trial in coordinator.study.trials.values())
            assert all(checkpoint is None or checkpoint.path != path for checkpoint in kept)
            del self.storage[path]

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
        if self.events and not self.calm and len(self.record) < DRIVERS and self.chance.random() < 0.02:
            self.seen["torn"] += 1
            self._write(self.chance.randrange(len(self.events) + 1))
            self.coordinator = self._drive()
            return DEAD
        if self.events:
            self._write()
            self._discard(self.coordinator)
        return answer

    # Machines

    def _boot(self) -> list[FakeSlot]:
        """Return the slots of a new pod on some machine."""
        host, node = f"pod-{next(self.names)}", f"node-{self.chance.randrange(NODES)}"
        return [self._open(host, node) for _ in range(SLOTS)]

    def _open(self, host: str, node: str) -> FakeSlot:
        return FakeSlot(f"slot-{next(self.names)}", host, node, self.task, self.can_save)

    def _kill_slot(self, dead: FakeSlot) -> None:
        self.seen["slot"] += 1
        self.slots[self.slots.index(dead)] = self._open(dead.host, dead.node)
        if self.chance.random() < 0.5:
            self._act(lambda: self.coordinator.leave(dead.name, "killed", self.now))

    def _kill_host(self, host: str) -> None:
        """Let a pod die, of too much memory now and then, and another one take its place."""
        self.seen["host"] += 1
        self.doomed.pop(host, None)
        self.slots = [slot for slot in self.slots if slot.host != host] + self._boot()
        dice = self.chance.random()
        if dice < 0.6:
            self._act(lambda: self.coordinator.lose_host(host, "killed", self.now, out_of_memory=dice < 0.05))

    def _give_notice(self, host: str) -> None:
        """Let a pod's slots learn that it ends within half a minute."""
        self.seen["notice"] += 1
        self.doomed.setdefault(host, self.now + 30)
        for slot in self.slots:
            slot.leaving |= slot.host == host

    # Messages

    def _beat(self, slot: FakeSlot) -> None:
        beat = Heartbeat(slot=slot.name, leaving=slot.leaving)
        if slot.lease is not None:
            attempt, memory = slot.lease.attempt, slot.lease.trial
            beat = Heartbeat(
                slot=slot.name, trial=slot.lease.trial, attempt=attempt, memory=memory, leaving=slot.leaving
            )
        try:
            decision = self.coordinator.heartbeat(beat, self.now)
        except StaleAttempt:
            if slot.lease is not None:
                slot.go_on(REFUSED)
        else:
            if decision.action == "stop" and slot.lease is not None and not isinstance(slot.message, Finish):
                slot.give_back()

    def _send(self, slot: FakeSlot) -> None:
        """Send a slot's message, which may be lost, or its answer; then it is sent again when the slot's turn comes."""
        assert slot.message is not None
        trial = slot.lease.trial if slot.lease else None
        accident = 0.5 if self.calm else self.chance.random()
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
        if isinstance(slot.message, Fetch) and answers[-1] is not REFUSED:
            answers[-1] = self._transport(slot.message, answers[-1])
        slot.go_on(answers[-1])

    def _transport(self, fetch: Fetch, content: bytes) -> bytes | str:
        """Return what arrives of a state: all of it, or something that its receiver knows is not what was saved."""
        assert sha256(content).hexdigest() == fetch.resume.sha256
        if self.calm or self.chance.random() > 0.05:
            return content
        self.seen["damaged"] += 1
        return DAMAGED

    def _compare(self, message: Message, answers: list[Any]) -> None:
        """Hold that a repeated message got the same answer, but for a request that now finds work."""
        if len(answers) > 1 and DEAD not in answers and answers[0] != Answer():
            self.seen["repeated"] += 1
            assert answers[0] == answers[1], f"round {self.seed}: {message} was answered {answers}"

    def _deliver(self, trial: int | None, message: Message) -> Any:
        """Return the coordinator's answer, REFUSED, or DEAD where it died before it could reply."""
        coordinator = self.coordinator
        if isinstance(message, Ask):
            return self._act(lambda: self._lease(coordinator, message))
        assert trial is not None
        match message:
            case Report():
                return self._act(lambda: coordinator.report(trial, message, self.now))
            case Fetch():
                return self._act(lambda: self.storage[coordinator.resume(trial, message.attempt, message.slot)])
            case Save():
                return self._act(lambda: self._keep(coordinator, trial, message))
            case Finish():
                return self._act(lambda: coordinator.finish(trial, message, self.now))

    def _lease(self, coordinator: Coordinator, ask: Ask) -> Answer:
        """Return a lease, which must not be of a node that is avoided while there is another.

        Nor of one that has just lost the trial, while another one is free or there is something else to run.
        """
        before = {number: (trial.attempt, trial.state) for number, trial in coordinator.study.trials.items()}
        answer = coordinator.lease(ask, self.now)
        attempt, state = before[answer.lease.trial] if answer.lease is not None else (0, None)
        if answer.lease is not None and answer.lease.attempt > attempt:
            slots, avoided = coordinator.roster.slots.values(), coordinator.study.avoided
            elsewhere = {slot.node for slot in slots if not slot.leaving} - set(avoided)
            if ask.node in avoided and elsewhere:  # it is tried again, with one trial
                assert self.now >= avoided[ask.node].time + self.rules.avoid_seconds
                assert [slot.name for slot in slots if slot.node == ask.node and slot.trial is not None] == [ask.slot]
            earlier = coordinator.study.trials[answer.lease.trial].attempts[:-1]
            if state is State.WAITING and earlier and earlier[-1].outcome in LOSSES and earlier[-1].node == ask.node:
                free = {slot.node for slot in slots if not slot.leaving and slot.trial is None} - set(avoided)
                is_idle = free <= {ask.node} and not coordinator._attempts.turns.fresh
                assert elsewhere <= {ask.node} or is_idle
        return answer

    def _keep(self, coordinator: Coordinator, trial: int, save: Save) -> None:
        """Store a state, then tell; in between the attempt may have been given up."""
        coordinator.check(trial, save.attempt, save.slot)
        path, now = f"{trial}-{save.attempt}-{save.epoch}", self.now
        self.storage[path] = self.uploaded[path] = save.content
        told = {"attempt": save.attempt, "epoch": save.epoch, "path": path, "size": len(save.content)}
        digest = sha256(save.content).hexdigest()
        coordinator.saved(CheckpointSaved(time=now, trial=trial, sha256=digest, **told), save.slot)  # type: ignore[arg-type]  # they are what it takes


# What must be true of every record


@dataclass
class Audit:
    """Goes through a record with a study of its own, and holds each event against what was before it.

    Rungs are sorted anew for every question: `values` has what trials did on each of them, `waiting` who is paused.
    """

    world: World
    reports: set[tuple[int, int, int]] = field(default_factory=set)
    freed: set[str] = field(default_factory=set)
    redone: int = 0
    due: int | None = None

    def __post_init__(self) -> None:
        """Begin with nothing."""
        ladder = self.world.rules.ladder
        self.study = Study("loss", self.world.task.direction)
        self.values: dict[int, dict[int, float]] = {level: {} for level in (ladder.levels if ladder else [])}
        self.waiting: dict[int, set[int]] = {level: set() for level in self.values}

    def run(self) -> Audit:
        """Go through the record."""
        for event in replay([b"".join(self.world.record)]):
            if self.due is not None:
                self._check_promptness(event)
            self._check(event)
            self.study.apply(event)
            if isinstance(event, AttemptEnded) and self._trial(event).state is State.PAUSED:
                self._pause(self._trial(event))
        return self

    def _check(self, event: Event) -> None:
        match event:
            case TrialProposed():
                assert event.trial == len(self.study.trials)
            case AttemptStarted():
                self._check_start(event, self._trial(event))
            case Reported():
                self._check_report(event, self._trial(event))
            case RungDecided():
                self._check_rung(event, self._trial(event))
            case CheckpointSaved():
                trial = self._running(event)
                assert event.epoch == trial.epoch > trial.kept
            case CheckpointFreed():
                self._check_freed(event, self._trial(event))
            case AttemptEnded():
                self._running(event)
            case NodeAvoided():
                before = self.study.avoided.get(event.node)
                assert before is None or event.time >= before.time + self.world.rules.avoid_seconds
            case StudyEnded():
                assert self.study.counts[State.RUNNING] == 0

    def _trial(self, event: Any) -> Trial:
        return self.study.trials[event.trial]

    def _running(self, event: Any) -> Trial:
        """Return the trial of an event that only its newest attempt may bring about, while it runs."""
        trial = self._trial(event)
        assert (trial.state, trial.attempt) == (State.RUNNING, event.attempt)
        return trial

    def _check_promptness(self, event: Event) -> None:
        """Hold that a trial that reaches a rung is decided about at once, unless its driver dies or its time is up."""
        late = isinstance(event, AttemptEnded) and self.world.seconds is not None
        assert isinstance(event, StudyStarted) or late or getattr(event, "trial", None) == self.due
        assert isinstance(event, StudyStarted | RungDecided) or late
        self.due = None

    def _check_start(self, event: AttemptStarted, trial: Trial) -> None:
        """Hold that only a trial that waits is leased, that little is redone, and that promotions come first."""
        assert (trial.state, event.attempt) == (State.WAITING, trial.attempt + 1)
        assert trial.attempts or self._candidate() is None
        if self.world.can_save and self.world.rules.checkpoint_epochs is not None:
            assert trial.epoch - trial.kept <= self.world.rules.checkpoint_epochs
        self.redone += trial.epoch - trial.kept
        for level, values in self.values.items():
            if level > trial.kept:
                values.pop(trial.number, None)

    def _check_report(self, event: Reported, trial: Trial) -> None:
        """Hold that no epoch is left out or told twice, and that it is what it would be without any accident."""
        self._running(event)
        assert event.epoch == trial.epoch + 1
        value, state = self.world.task.value(trial.number, event.epoch), state_after(trial.seed, event.epoch)
        assert repr(event.metrics) == repr({"loss": value, "state": float(state)})
        self.reports.add((event.trial, event.attempt, event.epoch))
        if event.epoch in self.values and math.isfinite(value):
            self.values[event.epoch][trial.number] = value
            self.due = trial.number if event.epoch > trial.passed else None

    def _check_rung(self, event: RungDecided, trial: Trial) -> None:
        """Hold a decision against the rule: the best 1/reduction go on; a promotion is of the best who waits."""
        assert (event.rung, event.epoch) == (trial.epoch, trial.epoch)
        if trial.state is State.PAUSED:
            assert (event.action, trial.number) == ("go_on", self._next())
            self.waiting[event.rung].remove(trial.number)
            return
        assert trial.state is State.RUNNING
        ladder = self.world.rules.ladder
        assert ladder is not None
        pauses = ladder.pauses and self.world.can_save
        leads = trial.number in self._top(event.rung) or (not pauses and self._ranked(event.rung)[0] == trial.number)
        assert event.action == ("go_on" if leads or trial.baseline else "pause" if pauses else "stop")

    def _check_freed(self, event: CheckpointFreed, trial: Trial) -> None:
        """Hold that a state is thrown away once, and never one that is needed."""
        assert event.path not in self.freed
        self.freed.add(event.path)
        if trial.checkpoint is not None and trial.checkpoint.path == event.path:
            assert trial.state.ended
            assert trial not in (self.study.best, self.study.baseline)

    def _pause(self, trial: Trial) -> None:
        assert trial.kept == trial.epoch
        self.waiting[trial.epoch].add(trial.number)

    def _ranked(self, level: int) -> list[int]:
        sign = 1 if self.world.task.direction == "minimize" else -1
        return sorted(self.values[level], key=lambda trial: (sign * self.values[level][trial], trial))

    def _top(self, level: int) -> list[int]:
        assert self.world.rules.ladder is not None
        return self._ranked(level)[: len(self.values[level]) // self.world.rules.ladder.reduction]

    def _candidate(self) -> int | None:
        """Return who is to be promoted next: from the highest rung that has one, the best."""
        waiting = (
            trial for level in reversed(self.values) for trial in self._top(level) if trial in self.waiting[level]
        )
        return next(waiting, None)

    def _next(self) -> int | None:
        """Return who is to be promoted next: where nothing else is left, whoever leads the highest rung, to its end."""
        candidate = self._candidate()
        if candidate is not None:
            return candidate
        counts, lost = self.study.counts, (State.FAILED, State.DIVERGED)
        assert counts[State.RUNNING] == counts[State.WAITING] == 0
        assert len(self.study.trials) == self.world.task.trials
        for level in reversed(self.values):
            for number in self._ranked(level):
                if self.study.trials[number].state not in lost and not self.study.trials[number].baseline:
                    return number
        return None


def check(world: World) -> Audit:
    """Hold what must be true of every study, however it came about."""
    study, trials = world.coordinator.study, list(world.coordinator.study.trials.values())
    assert [trial.number for trial in trials] == list(
        range(world.task.trials if world.seconds is None else len(trials))
    )
    # NaN is unlike itself, so studies are compared as texts.
    assert repr(rebuild([b"".join(world.record)], "loss", world.task.direction)) == repr(study)
    audit = Audit(world).run()
    assert world.acknowledged <= audit.reports
    for trial in trials:
        assert trial.checkpoint is None or trial.checkpoint.path in world.storage
        assert trial.checkpoint is None or not trial.state.ended or trial in (study.best, study.baseline)
        assert sum(attempt.outcome not in GOES_ON for attempt in trial.attempts) == trial.state.ended
        if world.seconds is None:
            check_end(world, trial)
    if world.seconds is None:
        assert study.cause == "all trials have ended"
        assert audit._candidate() is None
        states = {trial.state for trial in trials if not trial.baseline}  # one that was stopped cannot win any more
        assert State.COMPLETE in states or State.PAUSED not in states, "a search has a winner"
    return audit


def check_end(world: World, trial: Trial) -> None:
    """Hold that a trial ended as it would have without any accident, or was lost, or is out of memory."""
    ladder, task, outcome = world.rules.ladder, world.task, trial.attempts[-1].outcome
    if trial.state is State.COMPLETE:
        values = [task.value(trial.number, epoch) for epoch in range(1, task.epochs + 1)]
        assert trial.curve("loss") == list(enumerate(values, start=1))
    elif trial.state is State.PAUSED:
        assert ladder is not None
        assert ladder.pauses
        assert world.can_save
    elif trial.state is State.STOPPED:
        assert ladder is not None
        assert not (ladder.pauses and world.can_save)
    elif trial.state is State.DIVERGED:
        assert not math.isfinite(task.value(trial.number, trial.epoch))
    else:
        may_raise = trial.number in task.raises and trial.epoch == 2
        assert trial.state is State.FAILED
        assert may_raise or outcome == "out_of_memory" or trial.cause.startswith("lost 4 times")


def play(seed: int, **rules: Any) -> tuple[World, Audit]:
    """Run a round to its end and check it; what fails says how to run it again."""
    world = World(seed, **rules)
    try:
        world.run()
        return world, check(world)
    except (AssertionError, LookupError) as error:
        told = ", ".join(f"{name}={value}" for name, value in rules.items() if name in ("seconds", "calm"))
        error.add_note(f"in the round of World({seed}, {told})")
        raise


@pytest.mark.parametrize("tens", range(20))
def test_no_trial_is_lost_and_no_result_is_told_twice(tens: int) -> None:
    """Ten rounds each: what a trial reports is what it would be undisturbed, whatever happened on the way."""
    for seed in range(tens * 10, tens * 10 + 10):
        play(seed)


def test_the_time_ends_a_study_among_accidents() -> None:
    """With a budget of time every round ends in time, trials that did not fit stay unstarted, and nothing runs on."""
    for seed in range(200, 220):
        world, _ = play(seed, seconds=60.0)
        assert world.coordinator.study.counts[State.RUNNING] == 0


def test_without_accidents_nothing_is_done_twice() -> None:
    """Each trial has one attempt and those that it was promoted for, and only the states that are needed are left."""
    for seed in range(24):
        world, audit = play(seed, calm=True)
        assert audit.redone == 0
        for trial in world.coordinator.study.trials.values():
            promoted = sum(attempt.outcome == "paused" for attempt in trial.attempts[:-1])
            assert trial.attempt == 1 + promoted
        assert set(world.storage) == {trial.checkpoint.path for trial in kept(world) if trial.checkpoint is not None}


def kept(world: World) -> list[Trial]:
    """Return the trials whose state is worth keeping at the end."""
    study = world.coordinator.study
    paused = [trial for trial in study.trials.values() if trial.state is State.PAUSED]
    return [*paused, *(trial for trial in (study.best, study.baseline) if trial is not None)]


@pytest.mark.parametrize("calm", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_driver_may_die_after_any_event(seed: int, calm: bool) -> None:
    """Each beginning of a record is one that a driver can go on from, and nothing is told twice or left undone."""
    short = Task(6, 4, "minimize", formula, frozenset({2}))
    whole = World(seed, calm=calm, task=short)
    whole.run()
    for count in range(1, len(whole.record)):
        play(seed, calm=True, task=short, record=whole.record[:count], storage=dict(whole.uploaded), now=2e3)


def test_every_accident_happens() -> None:
    """The rounds are worth their name: each kind of accident is among the first forty, and so is each rule."""
    seen: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for seed in range(40):
        world, _ = play(seed)
        seen += world.seen
        study = world.coordinator.study
        outcomes += Counter(str(attempt.outcome) for trial in study.trials.values() for attempt in trial.attempts)
        outcomes += Counter(attempt.cause for trial in study.trials.values() for attempt in trial.attempts)
        events = replay([b"".join(world.record)])
        outcomes += Counter(event.cause.split(",")[0] for event in events if isinstance(event, NodeAvoided))
    assert min(seen.values()) >= 5, seen
    assert set(seen) == {
        "driver", "torn", "slot", "host", "notice", "frozen", "late", "message lost", "answer lost", "repeated",
        "refused", "damaged",
    }  # fmt: skip
    assert set(outcomes) >= {
        "complete", "failed", "diverged", "stopped", "out_of_memory", *GOES_ON,
        "3 attempts in a row were lost there",
        "its slot is being taken away", "the driver that leased it is gone",
    }, outcomes  # fmt: skip
