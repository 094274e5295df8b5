"""The trials of a study as rows of a table, and its failures, gathered by cause."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tinderbox.config import Number, SweepJob
from tinderbox.report.wording import NOTHING, number, plain
from tinderbox.sweeping.history import Trial
from tinderbox.sweeping.study import Study

_FAILURES = ("failed", "diverged", "timed_out", "out_of_memory", "lost", "infrastructure")


@dataclass(frozen=True)
class Cell:
    """What a cell shows, by what its column is sorted (None: last), and the trial state that its dot stands for."""

    text: str
    key: float | str | None
    kind: Literal["number", "text", "wide"] = "text"
    dot: str = ""


@dataclass(frozen=True)
class Failure:
    """One cause and the trials whose attempts it ended; `details` is the traceback of the first of them."""

    outcome: str
    cause: str
    trials: list[int]
    details: str


def head(job: SweepJob) -> list[str]:
    """Return the titles of the columns."""
    return [
        "rank",
        "trial",
        "state",
        *job.parameters,
        *job.reported,
        "epochs",
        "seconds",
        "node",
        "attempts",
        "cause",
    ]


def rows(study: Study, job: SweepJob) -> list[list[Cell]]:
    """Return one row per trial: the complete ones that are feasible, best first, then the others by number."""
    ranked = study.ranked()
    ranks = {trial.number: rank for rank, trial in enumerate(ranked, start=1)}
    others = [trial for _, trial in sorted(study.trials.items()) if trial.number not in ranks]
    return [_row(trial, ranks.get(trial.number), job) for trial in [*ranked, *others]]


def _row(trial: Trial, rank: int | None, job: SweepJob) -> list[Cell]:
    seconds = trial.seconds or None  # of attempts that have ended
    state = f"{trial.state} (default)" if trial.baseline else str(trial.state)
    return [
        _count(rank),
        _count(trial.number),
        Cell(state, state, dot=trial.state),
        *(_parameter(trial, name, job) for name in job.parameters),
        *(_count(trial.value(name)) for name in job.reported),
        _count(trial.epoch),
        Cell(NOTHING if seconds is None else f"{seconds:.1f}", seconds, "number"),
        _text(trial.attempts[-1].node if trial.attempts else ""),
        _count(trial.attempt),
        Cell(trial.cause or NOTHING, trial.cause or None, "wide"),
    ]


def _parameter(trial: Trial, name: str, job: SweepJob) -> Cell:
    value = trial.parameters.get(name)
    if isinstance(job.parameters[name], Number) and not isinstance(value, str):
        return _count(value)
    return _text(plain(value) if name in trial.parameters else "")


def _count(value: float | None) -> Cell:
    return Cell(number(value), value if value is not None and math.isfinite(value) else None, "number")


def _text(text: str) -> Cell:
    return Cell(text or NOTHING, text or None)


def failures(study: Study) -> list[Failure]:
    """Return the causes for which attempts failed, diverged or were lost, the most frequent first."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for _, trial in sorted(study.trials.items()):
        for attempt in trial.attempts:
            if attempt.outcome in _FAILURES:
                found.setdefault((attempt.outcome, attempt.cause), []).append((trial.number, attempt.details))
    gathered = [
        Failure(outcome, cause, [number for number, _ in members], members[0][1])
        for (outcome, cause), members in found.items()
    ]
    return sorted(gathered, key=lambda failure: -len(failure.trials))
