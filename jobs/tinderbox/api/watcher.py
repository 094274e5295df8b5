"""Who is shown a batch inference while it runs."""

from __future__ import annotations

from typing import Protocol

from tinderbox.inference.summary import Summary


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
