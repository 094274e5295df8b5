"""What the workers of a training do together: one protocol for the modes in which each runs `fit` by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinderbox.errors import TinderboxError
from tinderbox.training.records import Position
from tinderbox.training.sampling import Schedule

Gradients = Sequence[Any]
"""Tensors, in the order of the variables; None for a variable without influence."""


class PeerLost(TinderboxError):
    """Another worker of the attempt has gone, and this one cannot go on without it."""


@dataclass(frozen=True)
class Traffic:
    """What exchange has cost since it was asked last: seconds, bytes sent, and bytes of whole gradients instead."""

    seconds: float = 0.0
    sent: int = 0
    dense: int = 0


class Exchange(Protocol):
    """What is done with a worker's gradients or updates in each step, and what of it is left in a checkpoint.

    Calls come in this order. `restore` where the worker goes on from a checkpoint; `attach` once, with the model
    compiled, built and in the state it goes on from. `begin` before each epoch. For every step `apply`, which is traced
    into TensorFlow's graph, then `after_step`, in Python, between two steps. Before each checkpoint and each end of an
    epoch `settle`, with `total` and, for a checkpoint, `save` after it. In the end `close`, after an error too.
    """

    every_worker_saves: bool
    """Whether each worker leaves a part of a checkpoint; else rank 0 alone, whose part has the model."""

    def attach(self, model: Any, position: Position) -> Position:
        """Take the model that is trained, and return where training stands: further on for one that has caught up."""

    def begin(self, schedule: Schedule) -> None:
        """Take what this worker does in the rest of an epoch; a step's gradients are to count by its weight there."""

    def apply(self, update: Callable[[Gradients], None], gradients: Gradients, variables: Sequence[Any]) -> None:
        """Take a step inside the graph: `update` is what the optimizer does with gradients to the variables."""

    def after_step(self, position: Position) -> None:
        """Do what a step needs outside the graph; `position` is the one after it."""

    def settle(self, position: Position) -> None:
        """Bring in all that others have sent and that belongs before this position, the same one on all workers."""

    def total(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what a checkpoint part of this worker is to hold of metrics: its own, or those of all workers."""

    def save(self) -> dict[str, bytes]:
        """Return this worker's own state, besides the model, by names that become members of its part."""

    def restore(self, members: Mapping[str, bytes]) -> None:
        """Take the state that `save` returned on the worker of this rank; empty where that one left none."""

    def traffic(self) -> Traffic:
        """Return what exchange has cost since the last call."""

    def close(self) -> None:
        """End all that was started."""


class Alone:
    """One worker by itself: nothing is exchanged."""

    every_worker_saves = False

    def attach(self, model: Any, position: Position) -> Position:
        """Change nothing."""
        return position

    def begin(self, schedule: Schedule) -> None:
        """All weights are one."""

    def apply(self, update: Callable[[Gradients], None], gradients: Gradients, variables: Sequence[Any]) -> None:
        """Take the step as it is."""
        update(gradients)

    def after_step(self, position: Position) -> None:
        """Nothing is to be done."""

    def settle(self, position: Position) -> None:
        """Nobody has sent anything."""

    def total(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """All metrics are this worker's."""
        return sums

    def save(self) -> dict[str, bytes]:
        """There is no state."""
        return {}

    def restore(self, members: Mapping[str, bytes]) -> None:
        """There is no state."""

    def traffic(self) -> Traffic:
        """It costs nothing."""
        return Traffic()

    def close(self) -> None:
        """Nothing was started."""


def share_steps(optimizer: Any, exchange: Exchange) -> None:
    """Have every step of a compiled model's optimizer go through an exchange.

    The optimizer's own class stays, so a saved model names it. What it does with gradients, such as clipping, it does
    with those that the exchange hands to `update`; with float16 these are scaled, and it is the whole optimizer, which
    leaves out a step with infinite ones.
    """
    whole = optimizer.apply

    def apply(gradients: Gradients, trainable_variables: Sequence[Any] | None = None) -> None:
        variables = optimizer._trainable_variables if trainable_variables is None else trainable_variables
        exchange.apply(lambda shared: whole(shared, trainable_variables), gradients, variables)

    optimizer.apply = apply
