"""Who is shown a batch inference or a training while it runs."""

from __future__ import annotations

from typing import Protocol

from tinderbox.inference.summary import Summary
from tinderbox.training.status import TrainStatus


class InferWatcher(Protocol):
    """Is shown a batch inference while it runs."""

    def tell(self, step: str) -> None:
        """Say what happens before the first row and after the last one."""

    def show(self, done: Summary) -> None:
        """Show what this run has done so far; called for each micro-batch."""


class Quiet:
    """Shows nothing."""

    def tell(self, step: str) -> None:
        """Do nothing."""

    def show(self, done: Summary) -> None:
        """Do nothing."""


class TrainWatcher(Protocol):
    """Is shown a training while it runs."""

    def tell(self, step: str) -> None:
        """Say what happens before the first step and after the last one."""

    def show(self, status: TrainStatus) -> None:
        """Show where the training stands; called several times a second."""


class QuietTraining:
    """Shows nothing of a training."""

    def tell(self, step: str) -> None:
        """Do nothing."""

    def show(self, status: TrainStatus) -> None:
        """Do nothing."""
