"""Trainings to report on, made of the events that a real run would have recorded."""

from __future__ import annotations

import math
import random
from typing import Any

from tinderbox.config import TrainJob, check_train
from tinderbox.training.history import Training, rebuild
from tinderbox.training.record import (
    AttemptBegan,
    AttemptEnded,
    EpochEnded,
    Event,
    Member,
    RunBegan,
    RunEnded,
    WorkerReplaced,
    encode,
)

START = 1_780_000_000.0
STEPS = 430


def make_train_job(**changes: Any) -> TrainJob:
    """Return a small, valid training."""
    tree = {"kind": "train", "name": "lenet", "model": "lenet5", "epochs": 15, "mode": "threshold"}
    return check_train(tree | changes, "test")


def members(*nodes: str) -> list[Member]:
    """Return a worker on each node, by rank."""
    return [Member(rank=rank, name=f"agent-{rank}", node=node) for rank, node in enumerate(nodes)]


def classified(epoch: int) -> dict[str, float]:
    """Return metrics that get better, those of validation only for a while."""
    fit = 1 - math.exp(-epoch / 3)
    over = 0.004 * max(0, epoch - 10)
    noise = random.Random(epoch).uniform(-0.004, 0.004)  # noqa: S311 - no secret
    return {
        "loss": 2.3 * (1 - 0.97 * fit),
        "top1": 0.1 + 0.89 * fit,
        "top5": 0.5 + 0.4995 * fit,
        "val_loss": 2.3 * (1 - 0.95 * fit) + 8 * over + noise,
        "val_top1": 0.1 + 0.88 * fit - over + noise,
        "val_top5": 0.5 + 0.498 * fit + noise / 8,
    }


def regressed(epoch: int) -> dict[str, float]:
    """Return metrics of a regression whose loss is the mean squared error."""
    loss = 3.0 / epoch
    return {
        "loss": loss,
        "mse": loss * (1 - 3e-8),
        "mae": math.sqrt(loss),
        "val_loss": loss + 0.1,
        "val_mse": loss + 0.1,
    }


class Story:
    """A training that goes on by events; `now` is its clock."""

    def __init__(self, workers: int = 2, epochs: int = 15) -> None:
        self.events: list[Event] = []
        self.now, self.step, self.attempt, self.workers = START, 0, 0, workers
        self.events.append(RunBegan(time=START, generation=1, workers=workers, epochs=epochs))

    def begin(self, *nodes: str, epoch: int = 0, examples: int = 0, scale: float = 1.0) -> None:
        """Begin an attempt."""
        self.now, self.attempt, self.workers = self.now + 2, self.attempt + 1, len(nodes)
        self.step = epoch * STEPS + examples // 128
        begun = {"epoch": epoch, "examples": examples, "step": self.step, "scale": scale}
        self.events.append(AttemptBegan(time=self.now, attempt=self.attempt, members=members(*nodes), **begun))

    def learn(self, first: int, last: int, metrics: Any = classified, **told: Any) -> None:
        """End epochs from the first to the last."""
        for epoch in range(first, last + 1):
            seconds = 6.0 + math.sin(epoch)
            self.now, self.step = self.now + seconds + 0.5, epoch * STEPS
            sent = {"sent": int(2.4e7 * (1 + 3 / epoch)), "dense": int(2.2e9)} if self.workers > 1 else {}
            common = {"examples": 55_000, "workers": self.workers, "seconds": seconds, "sync_seconds": 0.2 * seconds}
            row = {"metrics": metrics(epoch), **common, **sent, **told}
            self.events.append(EpochEnded(time=self.now, attempt=self.attempt, epoch=epoch, step=self.step, **row))

    def end(self, outcome: Any, cause: str = "", details: str = "", rank: int | None = None, node: str = "") -> None:
        """End the attempt."""
        self.now += 3
        member = None if rank is None else Member(rank=rank, name=f"agent-{rank}", node=node)
        ended = {"outcome": outcome, "cause": cause, "details": details, "member": member}
        self.events.append(AttemptEnded(time=self.now, attempt=self.attempt, **ended))

    def replace(self, rank: int, node: str, cause: str) -> None:
        """Put another worker into the place of a lost one."""
        member = Member(rank=rank, name="agent-9", node=node)
        self.events.append(WorkerReplaced(time=self.now, attempt=self.attempt, member=member, cause=cause))

    def finish(self, epoch: int, early: bool = False) -> None:
        """End the run."""
        self.now += 1
        self.events.append(RunEnded(time=self.now, epoch=epoch, early=early))

    @property
    def lines(self) -> bytes:
        """The record."""
        return b"".join(map(encode, self.events))

    @property
    def training(self) -> Training:
        """What the record adds up to."""
        return rebuild([self.lines])


EVIL = "</script><img src=x onerror=alert(1)>\"'"


def disturbed() -> Story:
    """Return a training of 15 epochs in which a worker was killed, another was out of memory, a third was replaced."""
    story = Story()
    story.begin("node-a", "node-b")
    story.learn(1, 5)
    story.end("killed", "its process was ended by signal 9", rank=1, node="node-b")
    story.begin("node-a", epoch=4, scale=0.5)
    story.learn(5, 8)
    traceback = f"Traceback (most recent call last):\n  {EVIL}\nMemoryError"
    story.end("out_of_memory", "it had 1.9 GiB, and its share of the limit is 1.5 GiB", traceback, 0, "node-a")
    story.begin("node-a", "node-c", epoch=8, examples=12_800)
    story.learn(9, 12)
    story.replace(1, "node-d", "its executor is gone: node-c was drained")
    story.learn(13, 15)
    story.end("complete")
    story.finish(15)
    return story
