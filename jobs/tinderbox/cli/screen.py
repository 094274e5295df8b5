"""What a running study looks like: a live bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.status import Status
from tinderbox.sweeping.study import Study

SUMMARY_SECONDS = 60.0
LONGEST_SENTENCE = 500


class Screen(Protocol):
    """Shows a study while it runs."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show no more."""

    def show(self, status: Status, study: Study | None = None) -> None:
        """Show where the study stands."""

    def tell(self, step: str) -> None:
        """Say what happens before the study begins or after it has ended."""


class Bar:
    """One line that is drawn again and again: trials done, running, best so far, time left."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[done]}", markup=False),
            TextColumn("{task.fields[running]}", style="cyan", markup=False),
            TextColumn("{task.fields[best]}", style="green", markup=False),
            TextColumn("{task.fields[left]}", style="dim", markup=False),
        )
        self._progress = Progress(*columns, console=console, transient=False)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        self._task = self._progress.add_task("", total=None, done="", running="", best="", left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, step: str) -> None:
        """Put what happens in front of the line."""
        if self._task is not None:
            self._progress.update(self._task, description=step)

    def show(self, status: Status, study: Study | None = None) -> None:
        """Draw the line anew."""
        if self._task is not None and status.slots:
            self._progress.update(
                self._task,
                description="sweep",
                completed=status.ended + status.trials["paused"],
                total=status.total,
                done=f"{status.ended}/{status.total or '?'} trials",
                running=running(status),
                best=best(status),
                left=left(status),
            )


class Lines:
    """A line for each trial that ends, where the study itself is at hand, and a summary now and then: for logs."""

    def __init__(self, console: Console, every: float = SUMMARY_SECONDS) -> None:
        self._console, self._every = console, every
        self._shown: int | None = None
        self._told = ""
        self._summary = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def tell(self, step: str) -> None:
        """Print what happens, once."""
        if step != self._told:
            self._told = step
            say(self._console, step)

    def show(self, status: Status, study: Study | None = None) -> None:
        """Print what is new."""
        if study is not None:
            self._show_endings(status, study)
        if time.monotonic() - self._summary >= self._every:
            self._summary = time.monotonic()
            say(self._console, summary(status))

    def _show_endings(self, status: Status, study: Study) -> None:
        if self._shown is None:
            self._shown = sum((trial.attempts[-1].ended or 0.0) < study.resumed for trial in study.ended)
            if self._shown:
                say(self._console, f"continuing a study in which {self._shown} trials have ended")
        for trial in study.ended[self._shown :]:
            self._shown += 1
            say(self._console, f"[{self._shown}/{status.total or '?'}] {ending(trial, status.metric)}")


def open_console(**options: Any) -> Console:
    """Return a console that prints texts of users as they are: Rich takes `[red]` for a colour and `:train:` for 🚋."""
    return Console(emoji=False, markup=False, **options)


def say(console: Console, line: str) -> None:
    """Print a line as it is, on one line whatever the width: it may be read by a program."""
    console.print(one_line(line), highlight=False, soft_wrap=True)


def one_line(text: str) -> str:
    """Return a text without its line breaks: what a stranger's code raises may have any number of lines."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def sentence(error: Exception) -> str:
    """Return what an error says on one line of at most 500 characters; its end, which says what to do, is kept."""
    line = one_line(str(error))
    return line if len(line) <= LONGEST_SENTENCE else f"{line[: LONGEST_SENTENCE - 105]} ... {line[-100:]}"


def summary(status: Status) -> str:
    """Return where a study stands, in one line."""
    parts = (f"{status.ended}/{status.total or '?'} trials", running(status), best(status), left(status))
    return ", ".join(part for part in parts if part)


def ending(trial: Trial, metric: str) -> str:
    """Return how a trial ended, in one line."""
    value = trial.value(metric)
    shown = ", ".join(f"{name}={number(v)}" for name, v in trial.parameters.items())
    told = f" {metric}={number(value)}" if value is not None else ""
    cause = f": {trial.cause}" if trial.cause else ""
    return f"trial {trial.number} {trial.state}{told} in {trial.seconds:.1f} s ({shown}){cause}"


def running(status: Status) -> str:
    """Return how many trials run, and how many wait on a rung."""
    paused = status.trials["paused"]
    return f"{status.trials['running']} running{f', {paused} paused' if paused else ''}"


def best(status: Status) -> str:
    """Return the best value so far."""
    return (
        ""
        if status.best_value is None
        else f"best {status.metric} {number(status.best_value)} (trial {status.best_trial})"
    )


def left(status: Status) -> str:
    """Return the time that is left."""
    return "" if status.seconds_left is None or status.over else f"{clock(status.seconds_left)} left"


def number(value: object) -> str:
    """Return a value with four significant digits where it is a real number."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def clock(seconds: float) -> str:
    """Return a length of time as h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
