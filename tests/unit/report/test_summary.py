"""The headline, and the gain in words."""

from __future__ import annotations

from typing import Any

import pytest

from tinderbox.models.gain import Gain
from tinderbox.report.page import render
from tinderbox.report.summary import Leader, compare, confirmed, missing_gain, standing, states, tiles
from tinderbox.sweeping.events import StudyStarted
from tinderbox.sweeping.study import Study

POINT = {"lr": 1e-3, "width": 32}


def test_standing(make_scene: Any) -> None:
    """A study waits for a driver, runs, and ends for a reason."""
    assert standing(Study("loss", "minimize"))[0] == "waiting"
    scene = make_scene()
    assert standing(scene.study) == (
        "running",
        "Not ended yet: this page shows the study as it was on 2026-05-28 20:26 UTC.",
    )
    scene.finish("the search is used up")
    assert standing(scene.study) == ("finished", "Ended on 2026-05-28 20:26 UTC: the search is used up.")


def test_tiles(grid_scene: Any) -> None:
    """The headline tells best value, trials, duration and slots."""
    best, trials, duration, slots = tiles(grid_scene.study, grid_scene.job)
    assert (best.label, best.value) == ("highest validation_accuracy", "0.985")
    assert best.note == "trial 14: lr = 0.001, width = 128"
    assert (trials.value, trials.note) == ("35", "33 complete, by grid search")
    assert (duration.value, duration.note) == ("3 min 38 s", "since 2026-05-28 20:26 UTC")
    assert (slots.value, slots.note) == ("2", "on 2 nodes")


def test_tiles_before_anything_happened(job: Any) -> None:
    """A study that nobody has started has no best value and no time."""
    best, trials, duration, _ = tiles(Study("validation_accuracy", "maximize"), job)
    assert (best.value, best.note) == ("—", "no trial is complete yet")
    assert (trials.value, duration.value, duration.note) == ("0", "0.0 s", "not started")


def test_time_between_drivers_does_not_count(make_scene: Any) -> None:
    """A resumed study tells its drivers, and the time in which none worked is left out."""
    scene = make_scene()
    scene.run(POINT, [0.5])
    scene.study.apply(StudyStarted(time=scene.study.newest + 9999, generation=2))
    duration = tiles(scene.study, scene.job)[2]
    assert (duration.value, duration.note) == ("5.5 s", "since 2026-05-28 20:26 UTC, 2 drivers")


def test_states_leave_out_empty_ones(grid_scene: Any) -> None:
    """Only states that trials are in are shown, and they add up."""
    assert states(grid_scene.study) == [("complete", 33), ("failed", 1), ("diverged", 1)]


def test_a_gain_in_accuracy() -> None:
    """Accuracies are told in percent, and their difference in points."""
    told = compare(Gain("accuracy", 360, 0.9806, 0.9583, 0.0222, 0.0056, 0.0389))
    assert (told.best, told.baseline, told.difference) == ("98.06 %", "95.83 %", "+2.22 points")
    assert told.interval == "+0.56 to +3.89 points"
    assert told.verdict.endswith("the best trial beats the default parameters.")
    assert told.examples == "360 test examples"
    assert 0 < told.zero < told.low < told.middle < told.high < 100


@pytest.mark.parametrize(
    ("measure", "difference", "low", "high", "words"),
    [
        ("accuracy", 0.01, -0.01, 0.03, "contains 0"),
        ("accuracy", 0.01, 0.0, 0.03, "contains 0"),
        ("accuracy", -0.02, -0.03, -0.01, "is worse than"),
        ("mean squared error", -0.02, -0.03, -0.01, "beats"),
        ("mean squared error", 0.02, 0.01, 0.03, "is worse than"),
    ],
)
def test_the_verdict_follows_the_interval(measure: str, difference: float, low: float, high: float, words: str) -> None:
    """Only an interval on one side of 0 allows a verdict, and for errors less is better."""
    assert words in compare(Gain(measure, 100, 0.5, 0.5, difference, low, high)).verdict


def test_no_difference_at_all() -> None:
    """Two equal models have an interval without a length, which still has a place on the scale."""
    told = compare(Gain("mean squared error", 1, 0.25, 0.25, 0.0, 0.0, 0.0))
    assert (told.difference, told.interval, told.examples) == ("+0", "+0 to +0", "1 test example")
    assert told.zero == told.middle == 0


def test_why_there_is_no_gain(make_scene: Any) -> None:
    """Each reason for a missing gain has its sentence, from the job file to the test data."""
    without = make_scene({"lr": {"type": "float", "low": 0, "high": 1, "grid": 2}})
    assert missing_gain(without.study, without.job).endswith("give a default to lr.")
    scene = make_scene()
    assert missing_gain(scene.study, scene.job).startswith("The trial with the default parameters has not been")
    number = scene.propose(POINT, baseline=True)
    assert "the default parameters is waiting" in missing_gain(scene.study, scene.job)
    slot = scene.start(number)
    scene.report(number, [0.5], slot)
    scene.end(number, "complete", slot)
    assert missing_gain(scene.study, scene.job).startswith("The default parameters are the best found so far")
    scene.run({"lr": 1e-2, "width": 8}, [0.6])
    assert missing_gain(scene.study, scene.job) == "The test set is scored once, when the study has ended."
    scene.finish()
    assert missing_gain(scene.study, scene.job).startswith("The test set was not scored")


def test_leaders_that_were_trained_again(make_scene: Any, run: Any) -> None:
    """The winner first, with what it reached in the search, the mean of its repeats and their deviation."""
    scene = make_scene()
    for width, value in ((8, 0.9), (16, 0.8)):
        scene.run({"lr": 1e-3, "width": width}, [value])
    for number, values in ((0, [0.6, 0.7]), (1, [0.85])):
        for value in values:
            scene.repeat(number, value)
    scene.finish()
    assert confirmed(scene.study) == [
        Leader(1, "lr = 0.001, width = 16", "0.8", "0.85", "-", "1"),
        Leader(0, "lr = 0.001, width = 8", "0.9", "0.65", "0.07071", "2"),
    ]
    page = render(scene.study, scene.job, run, None)
    assert "The leaders, trained again" in page
    assert "<td>0.07071</td>" in page


def test_a_study_without_repeats_says_nothing_of_them(grid_scene: Any, run: Any) -> None:
    """Neither in figures nor on the page."""
    assert confirmed(grid_scene.study) == []
    assert "trained again" not in render(grid_scene.study, grid_scene.job, run, None)
