"""What the user's function sees of its trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol

from tinderbox.checkpoint import Save
from tinderbox.data.dataset import Dataset
from tinderbox.errors import BadInput
from tinderbox.sweeping.messages import Decision, Lease
from tinderbox.sweeping.tally import Tally


class TrialStopped(BaseException):
    """Ends the user's function after its last wanted report; no Exception, or an `except Exception` would stop it."""


class TrialPaused(TrialStopped):
    """Ends the user's function after a report whose state is safe, from which the trial may go on elsewhere."""


class Channel(Protocol):
    """Where a trial's reports go: to the slot in a study, to the terminal in `tinderbox try`."""

    def report(self, epoch: int, metrics: dict[str, float], last: bool, can_save: bool) -> Decision:
        """Deliver a report and return what the trial does next."""

    def save(self, epoch: int, save: Save) -> None:
        """Bring the state that belongs to the newest report to safety."""

    def count(self, examples: float, steps: list[float]) -> None:
        """Tell of examples trained on, and of the times of steps as sums of `STEP_SECONDS`."""


class Trial:
    """One trial, as the user's function gets it.

    `params` holds one value for each active parameter, `data` the training and validation examples (memory-mapped,
    read-only), `seed` a number that is this trial's own, and `epochs` how many epochs a whole trial has.

    A trial that was cut short goes on from its last checkpoint: `epoch` epochs are done, and `checkpoint` is the file
    with what `report` was given to write after them; without one they are 0 and None. A function that does not look
    there trains those epochs again.
    """

    def __init__(
        self, lease: Lease, data: Dataset, metrics: Sequence[str], channel: Channel, checkpoint: Path | None = None
    ) -> None:
        self.number, self.params, self.seed, self.epochs = lease.trial, lease.parameters, lease.seed, lease.epochs
        self.epoch = lease.resume.epoch if lease.resume is not None and checkpoint is not None else 0
        self.data, self.checkpoint = data, checkpoint
        self._metrics, self._channel = metrics, channel
        self._newest: tuple[int, dict[str, float], Save | None] | None = None
        self._done = False
        self._tally = Tally()

    def report(self, epoch: int, checkpoint: Save | None = None, **metrics: float) -> None:
        """Report the metrics of one epoch, counted from 1, with the state that produced them.

        `checkpoint` writes that state into the open binary file it is given; it is called only when the state is
        wanted, before this call returns. The function may be ended here, when its trial need not go on.

        Raises:
            BadInput: The epoch does not follow the last one, a metric is no number, or one of the study's is missing.
        """
        numbers = self._check(epoch, metrics)
        self._newest = (int(epoch), numbers, checkpoint)  # it may be NumPy's
        if int(epoch) > self.epoch:  # what is in the record already was decided then
            self._deliver(last=int(epoch) >= self.epochs)

    def count(self, examples: float, seconds: float, steps: int = 1) -> None:
        """Tell that so many examples were trained on in a step, or in several together, which took so many seconds.

        That is for the dashboards alone. It costs a microsecond; what is told goes on once a second.

        Raises:
            BadInput: One of them is no number from 0.
        """
        if not all(0 <= number < math.inf for number in (examples, seconds, steps)):
            raise BadInput(f"count takes numbers from 0, got {examples!r} examples in {seconds!r} s, {steps!r} steps")
        self._tally.add(float(examples), float(seconds), int(steps))  # they may be NumPy's
        if self._tally.is_due():
            self.tell_counts()

    def tell_counts(self) -> None:
        """Pass on what was counted since the last time; reports do so, and what runs the trial when it has ended."""
        if not self._tally.is_empty:
            self._channel.count(*self._tally.empty())

    def close(self) -> None:
        """Say that the function has returned; its newest report is its last.

        Raises:
            BadInput: There was no report at all.
        """
        if self._newest is None and self.epoch == 0:  # what goes on from its last epoch has nothing left to report
            call = ", ".join(["epoch", *(f"{name}=..." for name in self._metrics)])
            raise BadInput(f"the function returned without a report; call trial.report({call})")
        if not self._done:
            self._deliver(last=True)

    def _deliver(self, last: bool) -> None:
        if self._newest is None:
            return
        epoch, metrics, checkpoint = self._newest
        self._done = last
        self.tell_counts()
        decision = self._channel.report(epoch, metrics, last, checkpoint is not None)
        if decision.save and checkpoint is not None:
            self._channel.save(epoch, checkpoint)
        if decision.action == "pause":
            raise TrialPaused
        if decision.action == "stop":
            raise TrialStopped

    def _check(self, epoch: Any, metrics: dict[str, float]) -> dict[str, float]:
        newest = self._newest[0] if self._newest else 0
        if not isinstance(epoch, Integral) or epoch <= newest:
            raise BadInput(f"report takes whole epochs that go up, from 1; after {newest} it got {epoch!r}")
        missing = [name for name in self._metrics if name not in metrics]
        if missing:
            count = len(self._metrics)
            named = "the study's metric" if count == 1 else f"one of the study's {count} metrics"
            raise BadInput(f"report needs {missing[0]}, {named}; it got {', '.join(metrics) or 'none'}")
        return {name: _number(name, value) for name, value in metrics.items()}


def _number(name: str, value: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise BadInput(f"report takes numbers, and {name} is {value!r}") from error
