"""A training at a glance, for the progress bar, the log and `curl`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tinderbox.training.history import Training


@dataclass(frozen=True)
class TrainStatus:
    """How far a training is; what is not known yet is None, and so is a metric that is no finite number.

    `epoch` epochs of `epochs` are done, and the part `share` of the next one. `workers` of `wanted` are at work in
    `attempt`, which is 0 before the first one, and `waiting` others are there to begin one. `rate` is examples a second
    of all workers together.
    """

    epoch: int
    epochs: int
    share: float
    step: int
    workers: int
    wanted: int
    attempt: int
    metrics: dict[str, float | None] = field(default_factory=dict)
    rate: float | None = None
    seconds: float = 0.0
    seconds_left: float | None = None
    waiting: int = 0
    cause: str = ""
    """Why the attempt before has ended."""
    over: bool = False

    @property
    def slots(self) -> int:
        """How many workers are there, for the guard of the executors."""
        return self.workers

    @property
    def ended(self) -> int:
        """How many epochs are done, for the guard of the executors."""
        return self.epoch


def take_status(
    training: Training,
    now: float,
    *,
    workers: int = 0,
    step: int | None = None,
    share: float = 0.0,
    rate: float | None = None,
    waiting: int = 0,
) -> TrainStatus:
    """Return where a training stands at the time `now`, with what only its driver knows of the epoch under way.

    Workers tell their `step` every two seconds, and epochs and checkpoints at once: the last of all counts.
    """
    last = training.history[-1] if training.history else None
    done = last.epoch if last else 0
    causes = [attempt.ended.cause for attempt in training.attempts if attempt.ended is not None]
    lengths = [row.seconds for row in training.history[-5:] if row.seconds > 0]
    over = training.ended is not None
    left = sum(lengths) / len(lengths) * max(training.epochs - done - share, 0.0) if lengths and not over else None
    metrics = {name: value if math.isfinite(value) else None for name, value in (last.metrics if last else {}).items()}
    return TrainStatus(
        epoch=done,
        epochs=training.epochs,
        share=share,
        step=max([step or 0, last.step if last else 0, *list(training.checkpoints)]),
        workers=workers,
        wanted=training.workers,
        attempt=len(training.attempts),
        metrics=metrics,
        rate=rate,
        seconds=training.running_time(training.ended.time if training.ended else now),
        seconds_left=left,
        waiting=waiting,
        cause=causes[-1] if causes else "",
        over=over,
    )
