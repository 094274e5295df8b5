"""Which trials are on the front, and which are not."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from tinderbox.config import Constraint, Metric
from tinderbox.sweeping.front import Front, front
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.study import Study

SPEED = Metric(name="latency_ms", direction="minimize")


def trial(
    number: int, told: Sequence[float], names: Sequence[str] = ("accuracy", "latency_ms"), state: State = State.COMPLETE
) -> Trial:
    """Return a trial that reported these metrics, last of all."""
    made = Trial(number, {}, 0, baseline=False, state=state)
    made.reports = {1: dict.fromkeys(names, 0.0), 3: dict(zip(names, told, strict=True))}
    return made


def study_of(*trials: Trial, most: float = 100) -> Study:
    """Return a study that wants accuracy, speed, and at most so much latency."""
    bound = Constraint(name="latency_ms", max=most)
    return Study("accuracy", "maximize", [SPEED], [bound], trials={one.number: one for one in trials})


def numbers(trials: Sequence[Trial]) -> list[int]:
    """Return the trials' numbers."""
    return [trial.number for trial in trials]


def test_who_is_beaten_by_nobody_is_on_it() -> None:
    """As good in every objective and better in one beats; the metric's best is first, and equals stay together."""
    study = study_of(
        trial(0, (0.9, 30)),
        trial(1, (0.8, 10)),
        trial(2, (0.8, 11)),  # as right as trial 1, and slower
        trial(3, (0.7, 10)),  # as fast as trial 1, and less right
        trial(4, (0.95, 99)),
        trial(5, (0.9, 30)),
        trial(6, (0.5, 50)),
    )
    assert numbers(front(study)) == [4, 0, 5, 1]


def test_only_feasible_complete_trials_are_on_it() -> None:
    """What broke a bound, failed, still runs, or repeats another one is worth no choice."""
    study = study_of(
        trial(0, (0.9, 30)),
        trial(1, (0.99, 101)),
        trial(2, (0.99, 1), state=State.FAILED),
        trial(3, (0.99, 1), state=State.RUNNING),
        trial(4, (0.99, 1)),
        trial(5, (0.8, 100)),
    )
    study.trials[4].repeats = 0
    assert numbers(front(study)) == [0]
    assert front(study_of(most=1)) == []


def test_of_a_single_objective_it_is_the_best() -> None:
    """And whoever is as good."""
    study = Study("loss", "minimize")
    study.trials = {number: trial(number, (loss,), ("loss",)) for number, loss in enumerate((0.5, 0.2, 0.3, 0.2))}
    assert numbers(front(study)) == [1, 3]


@pytest.mark.parametrize("count", [2, 3])
def test_it_is_what_comparing_all_with_all_finds(count: int) -> None:
    """In whatever order the trials come, few values, so that many are equal, or many."""
    names = ["a", "b", "c"][:count]
    signs = dict(zip(names, (1, -1, 1), strict=False))
    for seed in range(20):
        chance = random.Random(seed)  # noqa: S311 - no secret
        trials = [trial(n, [chance.randrange(3 + seed) for _ in names], names) for n in range(40)]

        def beats(one: Trial, other: Trial) -> bool:
            pairs = [(signs[name] * one.last[name], signs[name] * other.last[name]) for name in names]
            return all(left <= right for left, right in pairs) and any(left < right for left, right in pairs)

        expected = {one.number for one in trials if not any(beats(other, one) for other in trials)}
        found = Front(signs)
        for one in trials:
            found.take(one)
        assert set(numbers(found.trials)) == expected
        assert numbers(found.newest(3)) == sorted(expected)[-3:]
