"""A study at a glance, for the progress bar, the log and `curl`."""

from __future__ import annotations

from dataclasses import dataclass

from tinderbox.sweeping.events import Parameters
from tinderbox.sweeping.history import State
from tinderbox.sweeping.study import Study


@dataclass(frozen=True)
class Status:
    """How far a study is; `total` is None where only time ends it, `seconds_left` None where it cannot be told yet."""

    trials: dict[str, int]
    total: int | None
    slots: int
    metric: str
    best_trial: int | None
    best_value: float | None
    best_parameters: Parameters | None
    seconds: float
    seconds_left: float | None
    over: bool

    @property
    def ended(self) -> int:
        """How many trials have ended, in whatever way."""
        return sum(count for state, count in self.trials.items() if State(state).ended)


def take_status(study: Study, total: int | None, seconds_budget: float | None, slots: int, now: float) -> Status:
    """Return where a study stands at the time `now`."""
    best = study.best
    return Status(
        trials={state.value: study.counts[state] for state in State},
        total=total,
        slots=slots,
        metric=study.metric,
        best_trial=best.number if best else None,
        best_value=study.best_value,
        best_parameters=best.parameters if best else None,
        seconds=study.running_time(study.finished or now),
        seconds_left=_seconds_left(study, total, seconds_budget, slots, now),
        over=study.finished is not None,
    )


def _seconds_left(study: Study, total: int | None, budget: float | None, slots: int, now: float) -> float | None:
    """Estimate from the mean length of the trials that have ended, each slot taking its share of the rest."""
    by_time = None if budget is None else max(budget - study.running_time(now), 0.0)
    lengths = [trial.seconds for trial in study.ended[-100:]]
    if total is None or not lengths or not slots:
        return by_time
    mean = sum(lengths) / len(lengths)
    spent = sum(
        min(now - trial.attempts[-1].started, mean) for trial in study.open.values() if trial.state is State.RUNNING
    )
    open_ends = total - len(study.ended) - study.counts[State.PAUSED]  # few of those that are paused will go on
    by_trials = max(open_ends * mean - spent, 0.0) / slots
    return by_trials if by_time is None else min(by_trials, by_time)
