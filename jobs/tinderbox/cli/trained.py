"""What a training looks like on a terminal: a line for each epoch and each attempt, and what it has left."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinderbox.api.trained import TrainResult
from tinderbox.cli.screen import clock, number, say
from tinderbox.report.wording import count
from tinderbox.training.history import Attempt
from tinderbox.training.record import EpochEnded
from tinderbox.training.status import TrainStatus

EVERY_SECONDS = 30.0
"""In an epoch that takes longer, a line says so often how far it is."""

SHOWN_EPOCHS = 10


class Epochs:
    """Prints a line for each epoch that ends and for each attempt that begins, with why the one before has ended."""

    def __init__(self, console: Console, every: float = EVERY_SECONDS) -> None:
        self._console, self._every, self._last = console, every, time.monotonic()
        self._epoch: int | None = None
        self._attempt = 0
        self._told = ""

    def tell(self, step: str) -> None:
        """Print what happens, once."""
        if step != self._told:
            self._told = step
            say(self._console, step)

    def show(self, status: TrainStatus) -> None:
        """Print what is new."""
        if status.attempt > self._attempt:
            self._attempt = status.attempt
            self._say(describe_attempt(status))
        if self._epoch is None or status.epoch < self._epoch:  # it goes back to a checkpoint
            self._epoch = status.epoch
        if status.epoch > self._epoch:
            self._epoch = status.epoch
            self._say(describe(status))
        elif status.attempt and not status.over and time.monotonic() - self._last >= self._every:
            self._say(describe(status))

    def _say(self, line: str) -> None:
        self._last = time.monotonic()
        say(self._console, line)


def describe_attempt(status: TrainStatus) -> str:
    """Return which attempt begins, with how many workers and where, and why the one before has ended."""
    workers = f"with {count(status.workers, 'worker')}" if status.workers == status.wanted else "with fewer workers"
    if 0 < status.workers < status.wanted:
        workers = f"with {status.workers} of {status.wanted} workers"
    place = f", from step {status.step:,} in epoch {status.epoch + 1}" if status.step else ""
    cause = f"; the one before ended: {status.cause}" if status.attempt > 1 and status.cause else ""
    return f"attempt {status.attempt} {workers}{place}{cause}"


def describe(status: TrainStatus) -> str:
    """Return where a training stands, in one line."""
    begun = f" and {status.share:.0%} of the next" if status.share and not status.over else ""
    parts = (
        f"epoch {status.epoch}/{status.epochs}{begun}",
        describe_metrics(status.metrics),
        f"{status.rate:,.0f} examples/s" if status.rate else "",
        f"{status.workers} of {status.wanted} workers" if status.workers < status.wanted and not status.over else "",
        f"{clock(status.seconds_left)} left" if status.seconds_left and not status.over else "",
        "done" if status.over else "",
    )
    return ", ".join(part for part in parts if part)


def describe_metrics(metrics: Mapping[str, float | None]) -> str:
    """Return metrics in words; one that is no finite number is said to be none."""
    return ", ".join(f"{name} {'no number' if value is None else number(value)}" for name, value in metrics.items())


def print_training(console: Console, result: TrainResult) -> None:
    """Print the last epochs, the score on test data, how attempts were cut short, and where everything is."""
    if result.record.history:
        console.print(last_epochs(result))
    if result.test:
        say(console, f"test: {describe_metrics(result.test)}")
    for attempt in result.record.attempts:
        if attempt.ended is not None and attempt.ended.outcome != "complete":
            say(console, describe_end(attempt))
    for what, path in result.files().items():
        console.print(Text.assemble((f"{what:<10}", "bold"), " ", path), soft_wrap=True)


def last_epochs(result: TrainResult) -> Table:
    """Return a table of the last epochs, and of the one whose model is kept, which is marked."""
    history, kept = result.record.history, result.model_epoch
    shown = [row for row in history if row.epoch == kept or row in history[-SHOWN_EPOCHS:]]
    # A terminal is narrow; the history has all.
    names = list(dict.fromkeys(name for row in history for name in row.metrics if not name.endswith("top5")))
    same = len({row.workers for row in history}) == 1
    title = f"training {result.job.name}: {count(len(history), 'epoch')}, mode {result.job.mode.name}"
    if len(shown) < len(history):
        title += f", the last {min(SHOWN_EPOCHS, len(history))}"
    table = Table(title=title, title_justify="left")
    for column in ("epoch", *names, *([] if same else ["workers"]), "examples/s", "seconds"):
        table.add_column(column, justify="right")
    for row in shown:
        workers = [] if same else [str(row.workers)]
        table.add_row(*_cells(row, names, workers), style="bold green" if row.epoch == kept else "")
    return table


def _cells(row: EpochEnded, names: list[str], workers: list[str]) -> list[str]:
    rate = f"{row.examples / row.seconds:,.0f}" if row.seconds else ""
    values = [number(row.metrics[name]) if name in row.metrics else "" for name in names]
    return [str(row.epoch), *values, *workers, rate, f"{row.seconds:.1f}"]


def describe_end(attempt: Attempt) -> str:
    """Return how an attempt ended, in one line."""
    assert attempt.ended is not None  # noqa: S101 - as the caller has seen
    outcome, cause = attempt.ended.outcome.replace("_", " "), attempt.ended.cause
    return (
        f"attempt {attempt.number}, {count(len(attempt.members), 'worker')}: {outcome}{f': {cause}' if cause else ''}"
    )
