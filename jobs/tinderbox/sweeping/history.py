"""What happened to one trial: its attempts, its reports, its newest checkpoint, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tinderbox.sweeping.events import Metrics, Outcome, Parameters


class State(StrEnum):
    """Where a trial stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETE = "complete"
    FAILED = "failed"
    DIVERGED = "diverged"
    STOPPED = "stopped"

    @property
    def ended(self) -> bool:
        """Whether the trial will never run again; one that is paused may be promoted."""
        return self not in (State.WAITING, State.RUNNING, State.PAUSED)


_ENDS: dict[Outcome, State] = {
    "complete": State.COMPLETE,
    "failed": State.FAILED,
    "diverged": State.DIVERGED,
    "stopped": State.STOPPED,
    "timed_out": State.FAILED,
    "out_of_memory": State.FAILED,
}
"""Where an attempt's end is its trial's."""


@dataclass
class Attempt:
    """One lease of a trial: who ran it, when, how it ended, and whether it saved a state."""

    number: int
    slot: str
    node: str
    started: float
    ended: float | None = None
    outcome: Outcome | None = None
    cause: str = ""
    details: str = ""
    saved: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """The state of a trial after one epoch; `path` is relative to the study's folder."""

    attempt: int
    epoch: int
    path: str
    sha256: str
    size: int


@dataclass
class Trial:
    """One point of the space and all that happened to it; `reports` maps epochs to metrics.

    One that `repeats` another has its parameters and another seed. `passed` is the epoch of the last rung that it was
    let go beyond, and `halted` that of the one it is to wait on.
    """

    number: int
    parameters: Parameters
    seed: int
    baseline: bool
    repeats: int | None = None
    state: State = State.WAITING
    attempts: list[Attempt] = field(default_factory=list)
    reports: dict[int, Metrics] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None
    passed: int = 0
    halted: int | None = None

    @property
    def attempt(self) -> int:
        """The number of the newest attempt, 0 before the first."""
        return len(self.attempts)

    @property
    def epoch(self) -> int:
        """The last epoch reported, 0 before the first."""
        return max(self.reports, default=0)

    @property
    def kept(self) -> int:
        """The epoch that its newest checkpoint holds, 0 where there is none."""
        return self.checkpoint.epoch if self.checkpoint else 0

    @property
    def is_held(self) -> bool:
        """Whether it is to wait on a rung, and can: the state it had there is safe."""
        return self.halted is not None and self.halted == self.kept

    @property
    def cause(self) -> str:
        """Why the newest attempt ended, empty where there is nothing to explain."""
        return self.attempts[-1].cause if self.attempts else ""

    @property
    def seconds(self) -> float:
        """How long the attempts that ended ran, in seconds."""
        return sum(attempt.ended - attempt.started for attempt in self.attempts if attempt.ended is not None)

    def state_after(self, outcome: Outcome) -> State:
        """Return where the trial stands once its attempt has ended this way."""
        return _ENDS.get(outcome) or (State.PAUSED if self.is_held else State.WAITING)

    @property
    def last(self) -> Metrics:
        """The metrics of its last report, empty before the first."""
        return self.reports.get(self.epoch, {})

    def value(self, metric: str) -> float | None:
        """Return the metric's last report, None where there is none."""
        return self.last.get(metric)

    def curve(self, metric: str) -> list[tuple[int, float]]:
        """Return epochs and values of a metric in order."""
        return [(epoch, metrics[metric]) for epoch, metrics in sorted(self.reports.items()) if metric in metrics]
