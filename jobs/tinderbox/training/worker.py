"""The process in which one worker trains, for one attempt: started by its agent, which tells it what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tinderbox.failure import NO_FAILURE, Failure
from tinderbox.training.channel import Channel
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment

Outcome = Literal["complete", "failed", "diverged", "stale", "peer_lost"]


@dataclass(frozen=True)
class Work:
    """What a worker process needs, the same for all attempts of an agent; `code` and `data` are folders it has filled.

    `door` returns the way to the driver of an assignment's worker; it must pickle.
    """

    recipe: Recipe
    code: Path
    data: Path
    door: Callable[[Assignment], Channel]


@dataclass(frozen=True)
class Over:
    """How a worker's part in an attempt has ended, told over its connection as the last thing it says.

    `complete`: trained to the end. `failed` and `diverged` (a loss that is no number) end the run, for another attempt
    would end likewise. `stale`: the driver has given up the attempt. `peer_lost`: another worker went away, so the
    attempt is over and the next may do. A process that ends without an `Over` was killed or crashed.
    """

    outcome: Outcome
    failure: Failure = NO_FAILURE
