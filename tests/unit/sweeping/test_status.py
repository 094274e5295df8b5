"""A study at a glance, and the time it will still take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.sweeping.status import take_status

Open = Callable[..., Any]


def run(opened: Any, seconds: float, value: float = 0.5) -> None:
    """Run one whole trial that takes so long."""
    lease = opened.take()
    opened.now += seconds
    opened.report(lease, 2, value, last=True)
    opened.finish(lease)


def test_an_empty_study(desk: Open) -> None:
    """Nothing is known yet, and that is said with None."""
    opened = desk(3)
    status = take_status(opened.study, 3, None, 0, opened.now)
    assert (status.trials["waiting"], status.trials["complete"], status.ended, status.total) == (3, 0, 0, 3)
    assert (status.best_trial, status.best_value, status.best_parameters, status.seconds_left) == (None,) * 4
    assert (status.metric, status.seconds, status.over) == ("loss", 0.0, False)


def test_a_running_study(desk: Open) -> None:
    """The best so far, and the rest at the mean length of what has ended, less what the running one has done."""
    opened = desk(4)
    run(opened, 10, 0.5)  # its finish leases the next one, which the next request drops
    opened.finish(opened.take(), outcome="failed")
    opened.now += 4
    status = take_status(opened.study, 4, None, 1, opened.now)
    assert (status.ended, status.best_trial, status.best_value, status.best_parameters) == (2, 0, 0.5, {"x": 0.0})
    assert status.seconds == 14
    assert status.seconds_left == pytest.approx(2 * 5 - 4)
    assert take_status(opened.study, 4, None, 2, opened.now).seconds_left == pytest.approx(3)


def test_a_trial_that_takes_long_does_not_make_time_run_backwards(desk: Open) -> None:
    """A running trial counts at most as a whole one."""
    opened = desk(2)
    run(opened, 10)
    opened.now += 1000
    assert take_status(opened.study, 2, None, 1, opened.now).seconds_left == 0.0


def test_a_budget_of_time(desk: Open) -> None:
    """Without a number of trials only the clock tells; with both, what comes first."""
    opened = desk(100, seconds=60.0)
    opened.now += 20
    assert take_status(opened.study, None, 60.0, 1, opened.now).seconds_left == 40.0
    run(opened, 10)
    assert take_status(opened.study, 100, 60.0, 1, opened.now).seconds_left == 30.0
    assert take_status(opened.study, 2, 60.0, 1, opened.now).seconds_left == 10.0
    assert take_status(opened.study, None, 60.0, 1, opened.now + 100).seconds_left == 0.0


def test_a_study_that_is_over(desk: Open) -> None:
    """Its clock stands still."""
    opened = desk(1)
    run(opened, 10)
    opened.pass_time(0)
    status = take_status(opened.study, 1, None, 1, opened.now + 500)
    assert (status.over, status.seconds, status.ended, status.seconds_left) == (True, 10.0, 1, 0.0)
