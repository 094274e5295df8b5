"""What a search is shown of a study that goes on while it thinks."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tinderbox.sweeping.events import AttemptEnded, AttemptStarted, CheckpointSaved, Reported, RungDecided
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.past import KNOWN_TRIALS, Beginning, glance, look
from tinderbox.sweeping.rungs import Ladder, Rungs
from tinderbox.sweeping.study import Study


def paused_study(study: Study, count: int) -> Study:
    """Let trials of a study that has proposed them wait on a rung, each better than the one before."""
    for number in range(count):
        told: dict[str, Any] = {"time": float(number), "trial": number}
        study.apply(AttemptStarted(**told, attempt=1, slot="a", node="n"))
        study.apply(Reported(**told, attempt=1, epoch=1, metrics={"loss": -float(number)}))
        study.apply(RungDecided(**told, rung=1, epoch=1, action="pause"))
        study.apply(CheckpointSaved(**told, attempt=1, epoch=1, path=f"p{number}", sha256="", size=1))
        study.apply(AttemptEnded(**told, attempt=1, outcome="paused"))
    return study


def test_a_picture_stays_as_it_was(desk: Any) -> None:
    """A paused trial that is promoted, and reports, still waits; nothing is added to those that ended."""
    study = paused_study(desk(3).study, 2)
    past = look(study, ())
    told: dict[str, Any] = {"time": 9.0, "trial": 0}
    study.apply(RungDecided(**told, rung=1, epoch=1, action="go_on"))
    study.apply(AttemptStarted(**told, attempt=2, slot="a", node="n"))
    study.apply(Reported(**told, attempt=2, epoch=2, metrics={"loss": 7.0}))
    study.apply(AttemptEnded(**told, attempt=2, outcome="complete"))
    assert [(trial.number, trial.state, trial.curve("loss")) for trial in past.paused] == [
        (0, State.PAUSED, [(1, 0.0)]),
        (1, State.PAUSED, [(1, -1.0)]),
    ]
    assert ([trial.number for trial in past.running], list(past.ended)) == ([2], [])
    assert [trial.number for trial in look(study, ()).paused] == [1]
    assert [trial.number for trial in glance(study).ended] == [0]


def test_of_thousands_that_wait_the_best_and_the_newest_are_shown(desk: Any) -> None:
    """However many there are, a look takes hardly longer."""
    study = paused_study(desk(3000).study, 2900)
    best = iter([5, 3, 1, *range(200, 2000)])
    began = time.perf_counter()
    past = look(study, best)
    assert time.perf_counter() - began < 0.5
    numbers = {trial.number for trial in past.paused}
    quarter = {5, 3, 1, *range(200, 200 + KNOWN_TRIALS // 4 - 3)}
    assert numbers == quarter | set(range(2900 - KNOWN_TRIALS * 3 // 4, 2900))
    assert [trial.number for trial in past.running] == list(range(2900, 3000))


def test_what_had_ended_is_a_part_of_a_list_that_grows() -> None:
    """It is no copy, which would cost more with every trial, and reads like one."""
    trials = [Trial(number, {}, 0, False) for number in range(3)]
    ended = Beginning(trials)
    trials += [Trial(number, {}, 0, False) for number in range(3, 6)]
    assert [trial.number for trial in ended] == [0, 1, 2]
    assert (len(ended), ended[-1].number, [trial.number for trial in ended[1:]]) == (3, 2, [1, 2])
    assert [trial.number for trial in ended[-2:9]] == [1, 2]
    with pytest.raises(IndexError):
        ended[3]


@pytest.mark.parametrize(("minimize", "order"), [(True, [4, 3, 2, 0, 1]), (False, [3, 4, 1, 0, 2])])
def test_those_on_the_highest_rung_come_first(minimize: bool, order: list[int]) -> None:
    """And on each rung the best value."""
    trials = [Trial(number, {}, 0, False, state=State.PAUSED) for number in range(5)]
    curves = [{1: 0.5}, {1: 0.7}, {1: 0.2}, {1: 0.6, 3: 0.9}, {1: 0.1, 3: 0.8}]
    for trial, curve in zip(trials, curves, strict=True):
        trial.reports = {epoch: {"loss": value} for epoch, value in curve.items()}
    assert list(Rungs(Ladder(1, 3, 9), "loss", minimize, trials).waiting()) == order


def test_a_coordinator_shows_its_study(desk: Any) -> None:
    """With rungs and without."""
    for ladder in (None, Ladder(1, 3, 9)):
        opened = desk(3, ladder=ladder)
        opened.take()
        assert [trial.number for trial in opened.coordinator.look().running] == [0, 1, 2]
