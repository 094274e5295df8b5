"""What agents and workers tell the driver, and what it answers: frozen records that travel as JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from tinderbox.training.records import Assignment, Counts, EpochReport, Position, Verdict

_FROZEN = ConfigDict(extra="forbid", ser_json_inf_nan="strings")

End = Literal["complete", "failed", "diverged", "stale", "peer_lost", "lost", "killed", "crashed", "out_of_memory"]
"""How a worker process ended: as it says itself, or killed by a signal, gone with an exit code, or out of memory."""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Sender:
    """Who speaks: the worker of a rank in an attempt, by the name of its agent."""

    agent: str
    attempt: int
    rank: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Join:
    """An agent is there and has no worker; `request` counts its requests, so that a repeated one is known.

    `host` is the machine's own name, a pod's on Kubernetes, and `node` the machine below it; other workers reach its
    worker at `address`, host:port.
    """

    agent: str
    node: str
    host: str
    address: str
    request: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Answer:
    """An assignment; or, without one, whether training is over (`done`) or the agent should ask again."""

    assignment: Assignment | None = None
    done: bool = False


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Watch:
    """An agent's worker runs; `log` is what it has printed, if that is new. Held back until there is news."""

    sender: Sender
    log: str | None = None


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Ended:
    """A worker's process has ended; `log` is what it has printed."""

    sender: Sender
    outcome: End
    cause: str = ""
    details: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Beat:
    """A worker lives: where it is, and what it has done since it was heard last."""

    sender: Sender
    position: Position
    done: Counts


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Told:
    """A worker has ended an epoch; held back until all have."""

    sender: Sender
    report: EpochReport


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Ruling:
    """What follows an epoch, None while others are still in it: then the worker tells of it again."""

    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Finish:
    """A worker has come to the end of training; what it took its validation examples for, if it has counted that."""

    sender: Sender
    confusion: list[list[int]] | None = Field(default=None)


JOIN, ANSWER = TypeAdapter(Join), TypeAdapter(Answer)
WATCH, ENDED, BEAT = TypeAdapter(Watch), TypeAdapter(Ended), TypeAdapter(Beat)
TOLD, RULING = TypeAdapter(Told), TypeAdapter(Ruling)
FINISH, SENDER, ASSIGNMENT = TypeAdapter(Finish), TypeAdapter(Sender), TypeAdapter(Assignment)
