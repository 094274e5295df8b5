"""Everything that can happen in a study, as frozen records; a study's state is the sum of its events.

Each event is one JSON line of the study's record. Times are Unix seconds of the driver's clock.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from tinderbox.config import Value

_FROZEN = ConfigDict(extra="forbid", ser_json_inf_nan="strings")

Metrics = dict[str, float]
Parameters = dict[str, Value]

Outcome = Literal["complete", "failed", "diverged", "stopped", "lost", "released"]
"""How an attempt ended.

complete: the function returned; failed: it raised; diverged: it reported NaN or infinity; stopped: the
budget was used up; lost: its slot vanished; released: the driver shut down. The last two end an attempt
but not its trial, which waits for a slot again.
"""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class StudyStarted:
    """A driver took over the study: `generation` counts them from 1."""

    type: Literal["study_started"] = "study_started"
    time: float
    generation: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class TrialProposed:
    """The search chose parameters for a new trial, knowing the first `known` trials that had ended by then."""

    type: Literal["trial_proposed"] = "trial_proposed"
    time: float
    trial: int
    parameters: Parameters
    seed: int
    known: int
    baseline: bool = False


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class AttemptStarted:
    """A slot was given the lease of a trial; attempts count from 1."""

    type: Literal["attempt_started"] = "attempt_started"
    time: float
    trial: int
    attempt: int
    slot: str
    node: str


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class Reported:
    """The function reported the metrics of one epoch, counted from 1."""

    type: Literal["reported"] = "reported"
    time: float
    trial: int
    attempt: int
    epoch: int
    metrics: Metrics


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class CheckpointSaved:
    """The state that belongs to one report is safe in storage."""

    type: Literal["checkpoint_saved"] = "checkpoint_saved"
    time: float
    trial: int
    attempt: int
    epoch: int
    path: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class AttemptEnded:
    """An attempt is over; `cause` is a sentence and `details` a traceback, empty where nothing is to be explained."""

    type: Literal["attempt_ended"] = "attempt_ended"
    time: float
    trial: int
    attempt: int
    outcome: Outcome
    cause: str = ""
    details: str = ""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class SlotJoined:
    """A slot said hello."""

    type: Literal["slot_joined"] = "slot_joined"
    time: float
    slot: str
    node: str


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class SlotLeft:
    """A slot said goodbye, or was not heard of for longer than its lease lasts."""

    type: Literal["slot_left"] = "slot_left"
    time: float
    slot: str
    cause: str


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class StudyEnded:
    """Nothing is left to run: `cause` says whether the search or the budget is used up."""

    type: Literal["study_ended"] = "study_ended"
    time: float
    cause: str


Event = (
    StudyStarted
    | TrialProposed
    | AttemptStarted
    | Reported
    | CheckpointSaved
    | AttemptEnded
    | SlotJoined
    | SlotLeft
    | StudyEnded
)

# A union does not take over how its members write NaN: it would become null, which no reader takes back as a number.
_ADAPTER: TypeAdapter[Event] = TypeAdapter(
    Annotated[Event, Field(discriminator="type")], config=ConfigDict(ser_json_inf_nan="strings")
)


def encode(event: Event) -> bytes:
    """Return an event as one JSON line; NaN and infinities become texts, so that every JSON reader can read it."""
    return _ADAPTER.dump_json(event) + b"\n"


def decode(line: bytes) -> Event:
    """Return the event of one JSON line.

    Raises:
        ValueError: The line is not a whole, known event.
    """
    return _ADAPTER.validate_json(line)
