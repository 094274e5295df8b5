"""What slots and the coordinator tell each other: closed, frozen records as JSON.

Every message of a slot names the attempt it speaks for, so that a slot thought dead cannot write into a trial
that has gone on elsewhere, and may be sent again, because a repeated message changes nothing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from tinderbox.sweeping.events import Metrics, Parameters

_FROZEN = ConfigDict(extra="forbid", ser_json_inf_nan="strings")


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Ask:
    """A slot asks for work; `request` counts its requests for work, so that a repeated one gets the same answer.

    `host` is the machine's own name, a pod's name on Kubernetes, and `node` the machine below it.
    """

    slot: str
    node: str
    request: int
    host: str = ""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Resume:
    """The state that an attempt goes on from: after how many epochs, and where it is kept."""

    epoch: int
    path: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Lease:
    """The right to run one attempt of a trial, from a state or anew, for as long as the slot is heard of."""

    trial: int
    attempt: int
    parameters: Parameters
    seed: int
    epochs: int
    resume: Resume | None = None


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Answer:
    """A lease; or, without one, whether the study is over (`done`) or the slot should ask again."""

    lease: Lease | None = None
    done: bool = False


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Report:
    """Metrics of one epoch; `last` marks a trial's final report and `can_save` that its state can be had."""

    slot: str
    attempt: int
    epoch: int
    metrics: Metrics
    last: bool = False
    can_save: bool = False


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Decision:
    """What a trial does after a report: first `save` its state, then go on, pause or stop."""

    action: Literal["go_on", "pause", "stop"] = "go_on"
    save: bool = False


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Finish:
    """An attempt is over; the answer is the slot's next lease, so `ask` travels with it."""

    ask: Ask
    attempt: int
    outcome: Literal["complete", "failed", "stopped", "paused", "out_of_memory", "infrastructure"]
    cause: str = ""
    details: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Heartbeat:
    """A slot is alive and runs this attempt (`trial` None: it is idle); `log` is what the trial printed, if new.

    `memory` is what the trial's processes hold, in bytes; `leaving` says that the slot's machine is being taken away.
    """

    slot: str
    trial: int | None = None
    attempt: int = 0
    log: str | None = None
    memory: int = 0
    leaving: bool = False


ASK, ANSWER = TypeAdapter(Ask), TypeAdapter(Answer)
REPORT, DECISION = TypeAdapter(Report), TypeAdapter(Decision)
FINISH, HEARTBEAT = TypeAdapter(Finish), TypeAdapter(Heartbeat)
