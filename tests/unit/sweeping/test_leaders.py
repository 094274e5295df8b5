"""The best trials of a study, kept as trials end one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import Constraint
from tinderbox.sweeping.leaders import Leaders

Desk = Callable[..., Any]

VALUES = [5.0, 2.0, 9.0, 2.0, 7.0, 1.0, 8.0]
BESIDE = ((), (Constraint(name="size", max=10),))


def run(desk: Any, value: float, size: float = 1.0, outcome: str = "complete") -> Any:
    """Let the next trial run to its end, and return it."""
    lease = desk.take()
    desk.report(lease, 2, value, others={"size": size}, last=True)
    desk.finish(lease, outcome=outcome)
    desk.coordinator.leave("a", "its turn is over", desk.now)
    return desk.study.trials[lease.trial]


@pytest.mark.parametrize(
    ("direction", "best", "dropped"), [("minimize", [5, 1, 3, 0], [2, 4]), ("maximize", [2, 6, 4, 0], [3, 1])]
)
def test_the_best_come_first(desk: Desk, direction: str, best: list[int], dropped: list[int]) -> None:
    """The earlier of equals before the later one, whether they had ended before anybody asked or end now."""
    at = desk(len(VALUES), direction=direction)
    leaders = Leaders(at.study, 4)
    gone = [leaders.take(run(at, value)) for value in VALUES]
    assert [trial.number for trial in gone if trial is not None] == dropped
    for found in (leaders, Leaders(at.study, 4)):
        assert [trial.number for trial in found] == best
        assert [number for number in at.study.trials if at.study.trials[number] in found] == sorted(best)


def test_what_cannot_be_best_is_none_of_them(desk: Desk) -> None:
    """What breaks a constraint, has failed, or is no finite number, however much room there is."""
    at = desk(4, beside=BESIDE)
    leaders = Leaders(at.study, 100)
    large = run(at, 0.1, size=11)
    failed = run(at, 0.1, outcome="failed")
    diverged = run(at, float("inf"))
    good = run(at, 0.9)
    for trial in (large, failed, diverged):
        assert leaders.take(trial) is None
        assert trial not in leaders
    assert leaders.take(good) is None
    assert list(leaders) == [good]
