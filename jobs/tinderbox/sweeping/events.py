"""Everything that can happen in a study, as frozen records; a study's state is the sum of its events.

Each event is one JSON line of the study's record. Times are Unix seconds of the driver's clock.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from tinderbox.config import AnyParameter, Value
from tinderbox.journal import Events

_FROZEN = ConfigDict(extra="forbid", ser_json_inf_nan="strings")

Metrics = dict[str, float]
Parameters = dict[str, Value]

Outcome = Literal[
    "complete",
    "failed",
    "diverged",
    "stopped",
    "timed_out",
    "out_of_memory",
    "paused",
    "released",
    "lost",
    "infrastructure",
]
"""How an attempt ended.

complete: the function returned; failed: it raised; diverged: it reported NaN or infinity; stopped: a rung ended it;
timed_out and out_of_memory: it took more than it may. The others end an attempt but not its trial, which goes on from
its last checkpoint. paused: it waits on a rung; released: the driver or its slot was asked to end, or time is used up;
lost: its slot vanished; infrastructure: the slot could not do its part, such as fetch a checkpoint. Only the last two
are counted, for a trial that is lost again and again has failed.
"""

LOSSES: tuple[Outcome, ...] = ("lost", "infrastructure")
"""Those that are nobody's wish, and counted."""


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class StudyStarted:
    """A driver took over the study: `generation` counts them from 1."""

    type: Literal["study_started"] = "study_started"
    time: float
    generation: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class TrialProposed:
    """The search chose parameters for a new trial, knowing the first `known` trials that had ended by then.

    A trial that `repeats` an earlier one has its parameters and another seed.
    """

    type: Literal["trial_proposed"] = "trial_proposed"
    time: float
    trial: int
    parameters: Parameters
    seed: int
    known: int
    baseline: bool = False
    repeats: int | None = None


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class PastTrial:
    """A trial of an earlier study, with its values of the metric by epoch."""

    parameters: Parameters
    state: Literal["complete", "stopped", "diverged"]
    curve: dict[int, float]


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class TrialsRecalled:
    """What an earlier study knew when this one began, the oldest trial first."""

    type: Literal["trials_recalled"] = "trials_recalled"
    time: float
    study: str
    trials: list[PastTrial]


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class RoundStarted:
    """The search goes on in a `space` that was narrowed, from this trial on; `round` counts from 1, which has no event.

    `cause` says what was narrowed, and by which trials.
    """

    type: Literal["round_started"] = "round_started"
    time: float
    round: int
    trial: int
    space: dict[str, AnyParameter]
    cause: str


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
class CheckpointFreed:
    """A state that nothing needs any more was thrown away."""

    type: Literal["checkpoint_freed"] = "checkpoint_freed"
    time: float
    trial: int
    path: str
    size: int


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class RungDecided:
    """A trial that has reached a rung, at `epoch`, goes on, waits there, or is stopped; one that waits may go on later.

    `rung` is the rung's own epoch, which a function that reports every few epochs may skip.
    """

    type: Literal["rung_decided"] = "rung_decided"
    time: float
    trial: int
    rung: int
    epoch: int
    action: Literal["go_on", "pause", "stop"]


@dataclass(frozen=True, kw_only=True, config=_FROZEN)
class NodeAvoided:
    """Attempts on a node were lost one after the other: it gets no trials for a time, while there is another one.

    Then it gets one, to try, and is avoided again if that is lost. An attempt that gets on there ends all this.
    """

    type: Literal["node_avoided"] = "node_avoided"
    time: float
    node: str
    cause: str


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
    """Nothing is left to run: `cause` says whether the search or the budget is used up.

    `best` is the winner where that is not the best complete trial: the one whose repeats were the best, or, where time
    was too short for any trial to become complete, the one that leads the highest rung.
    """

    type: Literal["study_ended"] = "study_ended"
    time: float
    cause: str
    best: int | None = None


Event = (
    StudyStarted
    | TrialsRecalled
    | TrialProposed
    | RoundStarted
    | AttemptStarted
    | Reported
    | CheckpointSaved
    | CheckpointFreed
    | RungDecided
    | NodeAvoided
    | AttemptEnded
    | SlotJoined
    | SlotLeft
    | StudyEnded
)

EVENTS = Events[Event](Event)
encode, decode, replay = EVENTS.encode, EVENTS.decode, EVENTS.replay
