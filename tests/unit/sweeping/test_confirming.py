"""When a search is over its leaders are trained again with other seeds, and the best mean wins."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.sweeping.confirming import Confirmed, confirmations
from tinderbox.sweeping.rungs import Ladder

Open = Callable[..., Any]

LUCK = {0: 0.10, 1: 0.20, 2: 0.30, 3: 0.90}
"""What each trial of the search reports."""

QUALITY = {0: 0.50, 1: 0.15, 2: 0.40}
"""What its repeats report: trial 0 was lucky."""


def play(opened: Any, kill_at: int | None = None) -> Any:
    """Let every trial run, with a driver that is replaced after so many, and return the desk."""
    for count in range(1_000):
        while opened.coordinator.repeat(opened.now):
            pass
        if count == kill_at:
            opened = opened.restart()
        answer = opened.lease("a")
        if answer.lease is None:
            break
        trial = opened.study.trials[answer.lease.trial]
        value = LUCK[trial.number] if trial.repeats is None else QUALITY[trial.repeats] + trial.seed / 2**40
        opened.report(answer.lease, 2, value, last=True, can_save=True)
        opened.finish(answer.lease)
    opened.pass_time(1)
    return opened


@pytest.mark.parametrize("kill_at", [None, *range(12)])
def test_the_leaders_are_repeated(desk: Open, kill_at: int | None) -> None:
    """Each as often as the others, with its parameters and seeds of its own, whichever driver does it."""
    study = play(desk(4, top=3, seeds=3), kill_at).study
    repeats = [trial for trial in study.trials.values() if trial.repeats is not None]
    assert [trial.repeats for trial in repeats] == [0, 1, 2] * 3
    assert all(trial.parameters == study.trials[trial.repeats].parameters for trial in repeats)
    assert len({trial.seed for trial in study.trials.values()}) == 13
    assert (study.cause, len(study.ended)) == ("all trials have ended", 13)


def test_the_best_mean_wins(desk: Open) -> None:
    """Not the luckiest trial; the ranking of the search stays as it was."""
    opened = play(desk(4, top=3, seeds=3))
    study = opened.study
    assert study.best is study.trials[1]
    assert [trial.number for trial in study.ranked()] == [0, 1, 2, 3]
    found = confirmations(study)
    assert [one.trial.number for one in found] == [1, 2, 0]
    assert [round(one.mean, 2) for one in found] == [0.15, 0.40, 0.50]
    assert opened.replay().best.number == 1


@pytest.mark.parametrize("outcome", ["diverged", "failed", "out_of_memory"])
def test_a_leader_whose_repeats_fail_does_not_win(desk: Open, outcome: str) -> None:
    """The seeds with which it went well are lucky ones; what stays of it is told with how many of them there are."""
    opened = desk(2, top=2, seeds=3)
    for value in (0.1, 0.2):
        opened.report(lease := opened.take(), 2, value, last=True)
        opened.finish(lease)
    while opened.coordinator.repeat(opened.now):
        pass
    while (lease := opened.lease().lease) is not None:
        leader = opened.study.trials[lease.trial].repeats
        broken = leader == 0 and lease.trial < 6  # the first two of its repeats
        if outcome == "diverged":
            opened.report(lease, 2, math.nan if broken else 0.1 + leader, last=True)
        else:
            opened.report(lease, 2, 0.1 + leader, last=True)
        opened.finish(lease, outcome=outcome if broken and outcome != "diverged" else "complete")
    opened.pass_time(1)
    found = [(one.trial.number, len(one.values), one.failed, one.repeats) for one in confirmations(opened.study)]
    assert found == [(1, 3, 0, 3), (0, 1, 2, 3)]
    assert opened.study.best.number == 1


def test_a_search_that_goes_on_is_not_confirmed(desk: Open) -> None:
    """Neither while trials run, nor while some may follow."""
    opened = desk(2, top=1, seeds=1)
    lease = opened.take("a")
    assert not opened.coordinator.repeat(opened.now)
    opened.report(lease, 2, 0.1, last=True)
    opened.finish(lease)
    assert not opened.coordinator.repeat(opened.now)


def test_without_it_nothing_is_repeated(desk: Open) -> None:
    """The best trial of the search is the winner."""
    study = play(desk(4)).study
    assert (len(study.trials), study.best.number) == (4, 0)


def test_a_study_whose_trials_all_failed_has_nothing_to_confirm(desk: Open) -> None:
    """It ends."""
    opened = desk(2, top=3, seeds=2)
    for _ in range(2):
        lease = opened.take("a")
        opened.finish(lease, outcome="failed")
    assert not opened.coordinator.repeat(opened.now)
    opened.pass_time(1)
    assert opened.study.finished is not None


def test_repeats_run_whole_and_stand_on_no_rung(desk: Open) -> None:
    """Values that were not searched for must not decide who goes on, nor be cut short."""
    opened = play_rungs(desk(4, epochs=9, ladder=Ladder(1, 3, 9), top=1, seeds=2))
    repeats = [trial for trial in opened.study.trials.values() if trial.repeats is not None]
    assert [trial.state.value for trial in repeats] == ["complete"] * 2
    assert all(trial.attempt == 1 for trial in repeats)


def play_rungs(opened: Any) -> Any:
    """Let every trial run to where it is told to stop."""
    answer = opened.lease("a")
    while answer.lease is not None:
        lease, epoch, action = answer.lease, answer.lease.resume.epoch if answer.lease.resume else 0, "go_on"
        while action == "go_on" and epoch < 9:
            epoch += 1
            last = epoch == 9
            decision = opened.report(lease, epoch, lease.trial + 1 / epoch, last=last, can_save=True)
            if decision.save:
                opened.save(lease, epoch)
            action = decision.action
        answer = opened.finish(lease, outcome="paused" if action == "pause" else "complete")
        if answer.lease is None and opened.coordinator.repeat(opened.now):
            answer = opened.lease("a")
    opened.pass_time(1)
    return opened


def test_what_is_kept_for_the_leaders(desk: Open) -> None:
    """The states of those that may win, and of nothing else."""
    opened = desk(4, top=2, seeds=1)
    for value in (0.4, 0.3, 0.2, 0.5):
        lease = opened.take("a")
        if opened.report(lease, 2, value, last=True, can_save=True).save:
            opened.save(lease, 2)
        opened.finish(lease)
    assert [trial.checkpoint is not None for trial in opened.study.trials.values()] == [False, True, True, False]
    assert len(opened.coordinator.clear_garbage()) == 1


def test_mean_and_deviation() -> None:
    """Of one value there is no deviation."""
    trial: Any = None
    assert Confirmed(trial, (1.0, 3.0)).mean == 2.0
    assert Confirmed(trial, (1.0, 3.0)).deviation == pytest.approx(statistics.stdev([1.0, 3.0]))
    assert Confirmed(trial, (1.0,)).deviation is None


def test_a_search_that_is_over_stays_over(desk: Open) -> None:
    """Trials that a raised limit would let follow are not mixed with the repeats."""
    opened = play(desk(4, top=1, seeds=1))
    opened.coordinator.allow(9, None)
    assert opened.coordinator.wanted() is None


def test_the_confirmed_winner_has_a_state_though_another_trial_ended_with_its_value_before_it(desk: Open) -> None:
    """Of equals the earlier trial leads and is repeated, so its state is the one that is kept."""
    opened = desk(2, top=1, seeds=1)
    leases = {slot: opened.take(slot) for slot in ("a", "b")}
    for slot in ("b", "a"):
        if opened.report(leases[slot], 2, 0.5, slot, last=True, can_save=True).save:
            opened.save(leases[slot], 2, slot)
        opened.finish(leases[slot], slot)
    assert opened.coordinator.repeat(opened.now)
    again = opened.take("a")
    opened.report(again, 2, 0.6, last=True)
    opened.finish(again)
    opened.pass_time(1)
    assert (opened.study.finished is not None, opened.study.best.number) == (True, 0)
    assert [trial.checkpoint is not None for trial in opened.study.trials.values()] == [True, False, False]
