"""A rendezvous whose clock stands still, with checkpoints in memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from tinderbox.config import check_train
from tinderbox.training.driver.messages import Answer, Beat, Ended, Join, Sender, Told
from tinderbox.training.driver.rendezvous import Rendezvous
from tinderbox.training.history import rebuild
from tinderbox.training.record import CheckpointKept, Event, encode
from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Resume, Sums, Verdict


@dataclass
class Scene:
    """A rendezvous, its record, its checkpoints, and a clock that only `pass_time` moves."""

    job: dict[str, Any] = field(default_factory=dict)
    record: list[Event] = field(default_factory=list)
    kept: dict[int, Resume] = field(default_factory=dict)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        """Begin, or go on where a record ends."""
        tree = {"kind": "train", "name": "small", "model": "lenet5", "epochs": 3, "workers": 2, **self.job}
        training = rebuild([b"".join(map(encode, self.record))])
        self.rendezvous = Rendezvous(check_train(tree, "test"), training, self, self.record.append, self.now)
        self._requests = itertools.count(1)

    def newest(self) -> Resume | None:
        """Return the newest checkpoint."""
        return self.kept[max(self.kept)] if self.kept else None

    def at_epoch(self, epoch: int) -> Resume | None:
        """Return the checkpoint at the end of an epoch."""
        return next((one for one in self.kept.values() if one.position == Position(epoch, 0, 10 * epoch)), None)

    def pass_time(self, seconds: float) -> None:
        """Move the clock on, a second at a time, as the server does."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + 1.0, end)
            self.rendezvous.tick(self.now)

    # Agents and workers

    def join(self, agent: str, request: int | None = None) -> Answer:
        """Let an agent ask; its name tells its node, as in `agent-1@b`."""
        node = agent.partition("@")[2] or "node"
        number = request or next(self._requests)
        ask = Join(agent=agent, node=node, host=f"pod-{node}", address=f"{agent}:7100", request=number)
        return self.rendezvous.join(ask, self.now)

    def begin(self, *agents: str) -> list[Assignment]:
        """Let agents join until an attempt begins, and return their assignments, by rank."""
        for agent in agents:
            self.join(agent)
        found = [self.join(agent).assignment for agent in agents]
        given = [assignment for assignment in found if assignment is not None]
        assert len(given) == len(agents)
        for agent, assignment in zip(agents, given, strict=True):
            self.beat(agent, assignment)
        return sorted(given, key=lambda assignment: assignment.rank)

    def sender(self, agent: str, assignment: Assignment) -> Sender:
        """Return who speaks."""
        return Sender(agent=agent, attempt=assignment.attempt, rank=assignment.rank)

    def beat(self, agent: str, assignment: Assignment, step: int = 0) -> None:
        """Let a worker and its agent live."""
        sender = self.sender(agent, assignment)
        self.rendezvous.beat(Beat(sender=sender, position=Position(0, 0, step), done=Counts()), self.now)
        self.rendezvous.watch(sender, self.now)

    def tell(self, agent: str, assignment: Assignment, epoch: int, loss: float = 0.5, **more: float) -> Verdict | None:
        """Let a worker tell of an epoch of ten examples and ten steps."""
        sums, counts = Sums(10, {"loss": 10 * loss}), Counts(10, 10, 1.0)
        validation = Sums(10, {name: 10 * value for name, value in more.items()})
        report = EpochReport(assignment.rank, epoch, sums, validation, counts, 10 * epoch)
        return self.rendezvous.tell(Told(sender=self.sender(agent, assignment), report=report), self.now)

    def save(self, agent: str, assignment: Assignment, epoch: int, examples: int = 0, step: int | None = None) -> None:
        """Let a worker save its part of a checkpoint, and let those count that are whole."""
        at = Position(epoch, examples, 10 * epoch if step is None else step)
        sender = self.sender(agent, assignment)
        self.rendezvous.take_part(sender, at, f"{assignment.attempt}-{assignment.rank}", 100, self.now)
        self.count()

    def count(self) -> list[CheckpointKept]:
        """Do what the server does with whole checkpoints."""
        found = list(self.rendezvous.wholes)
        for whole in found:
            self.kept[whole.step] = whole.resume
            self.rendezvous.keep(whole, self.now)
        return found

    def end(self, agent: str, assignment: Assignment, outcome: Any, cause: str = "") -> None:
        """Let an agent tell how its worker has ended."""
        ended = Ended(sender=self.sender(agent, assignment), outcome=outcome, cause=cause or outcome)
        self.rendezvous.end(ended, self.now)

    def finish(self, agent: str, assignment: Assignment, confusion: list[list[int]] | None = None) -> bool:
        """Let a worker finish; rank 0 brings the model."""
        sender = self.sender(agent, assignment)
        if assignment.rank == 0:
            self.rendezvous.take_model(sender)
        if self.rendezvous.finish(sender, confusion):
            self.rendezvous.complete(self.now)
            return True
        return False
