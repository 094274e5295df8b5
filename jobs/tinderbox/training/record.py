"""A training's record: everything that can happen in it, as frozen events; `history` has what they add up to.

Each event is one JSON line of the run's record. Times are Unix seconds of the driver's clock.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tinderbox.journal import Events
from tinderbox.training.records import Position, Resume

_FROZEN = ConfigDict(extra="forbid", ser_json_inf_nan="strings")

Outcome = Literal[
    "complete", "failed", "killed", "out_of_memory", "frozen", "lost", "replaced", "released", "superseded"
]
"""How an attempt ended.

complete: training is over; failed: a worker raised; killed and out_of_memory: a worker's process was; frozen: a worker
was silent for too long; lost: an agent was, and its executor with it; replaced: more workers are there than it had, and
the next attempt has them; released: the driver was asked to end; superseded: the driver was killed, and a later one
goes on.
"""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Member:
    """A worker of an attempt: its rank, its agent's name, the node, and the pod or machine."""

    rank: int
    name: str
    node: str
    host: str = ""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class RunBegan:
    """A driver took over the run: `generation` counts them from 1; `workers` and `epochs` are those of its job."""

    type: Literal["run_began"] = "run_began"
    time: float
    generation: int
    workers: int
    epochs: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class AttemptBegan:
    """Workers begin, or go on from a position; attempts count from 1, and `scale` is of the learning rate."""

    type: Literal["attempt_began"] = "attempt_began"
    time: float
    attempt: int
    members: list[Member]
    epoch: int = 0
    examples: int = 0
    step: int = 0
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class WorkerReplaced:
    """A worker was lost and the others went on; another one takes its rank. `cause` says why the first one ended."""

    type: Literal["worker_replaced"] = "worker_replaced"
    time: float
    attempt: int
    member: Member
    cause: str


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class EpochEnded:
    """All workers have ended an epoch, counted from 1; `metrics` are means over all examples.

    `step` counts from the beginning of the run; `examples` are those that were trained on in this attempt's part of the
    epoch, `seconds` what it took, and `sync_seconds` the part of that in which the slowest worker waited for others.
    `sent` is how many bytes workers sent, and `dense` how many whole gradients had taken.
    """

    type: Literal["epoch_ended"] = "epoch_ended"
    time: float
    attempt: int
    epoch: int
    step: int
    examples: int
    seconds: float
    workers: int
    metrics: dict[str, float]
    sent: int = 0
    dense: int = 0
    sync_seconds: float = 0.0

    @property
    def row(self) -> dict[str, Any]:
        """The row of the history, metrics beside the rest."""
        return {
            "attempt": self.attempt,
            "epoch": self.epoch,
            "step": self.step,
            "examples": self.examples,
            "seconds": self.seconds,
            "workers": self.workers,
            **self.metrics,
            "sent": self.sent,
            "dense": self.dense,
            "sync_seconds": self.sync_seconds,
            "time": self.time,
        }


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class CheckpointKept:
    """All parts of a checkpoint are safe in storage: the SHA-256 of each by its rank, and their size in bytes."""

    type: Literal["checkpoint_kept"] = "checkpoint_kept"
    time: float
    attempt: int
    epoch: int
    examples: int
    step: int
    parts: dict[int, str]
    size: int

    @property
    def resume(self) -> Resume:
        """What an attempt goes on from."""
        return Resume(Position(self.epoch, self.examples, self.step), dict(self.parts))


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class AttemptEnded:
    """An attempt is over; `cause` is a sentence, and `member` the worker that it ended by, if it was one."""

    type: Literal["attempt_ended"] = "attempt_ended"
    time: float
    attempt: int
    outcome: Outcome
    cause: str = ""
    details: str = ""
    member: Member | None = None


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class RunEnded:
    """Training is over, and the model is there: of which epoch it is, and whether it has stopped early."""

    type: Literal["run_ended"] = "run_ended"
    time: float
    epoch: int
    early: bool = False


Event = RunBegan | AttemptBegan | WorkerReplaced | EpochEnded | CheckpointKept | AttemptEnded | RunEnded

EVENTS = Events[Event](Event)
encode, decode = EVENTS.encode, EVENTS.decode
