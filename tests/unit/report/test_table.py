"""Trials as rows, and failures gathered by cause."""

from __future__ import annotations

import math
from typing import Any

from tinderbox.report.table import Failure, failures, head, rows


def test_rows_are_ranked(grid_scene: Any) -> None:
    """The best trial comes first; what is not complete comes last, by number and without a rank."""
    found = rows(grid_scene.study, grid_scene.job)
    assert [row[0].key for row in found] == [*range(1, 34), None, None]
    assert found[0][1].key == grid_scene.study.best.number
    assert [row[1].key for row in found[-2:]] == [7, 34]


def test_a_row_tells_all(grid_scene: Any) -> None:
    """Each column of a trial that was lost once shows what its title says."""
    found = rows(grid_scene.study, grid_scene.job)
    (row,) = [row for row in found if row[1].key == 18]
    assert dict(zip(head(grid_scene.job), [cell.text for cell in row], strict=True)) == {
        "rank": "2",
        "trial": "18",
        "state": "complete",
        "lr": "0.003162",
        "width": "64",
        "validation_accuracy": "0.9832",
        "epochs": "3",
        "seconds": "17.0",
        "node": "node-1",
        "attempts": "2",
        "cause": "—",
    }


def test_the_baseline_is_named(grid_scene: Any) -> None:
    """The trial with the default parameters is told apart."""
    (state,) = [row[2].text for row in rows(grid_scene.study, grid_scene.job) if row[1].key == 0]
    assert state == "complete (default)"


def test_what_is_missing_is_sorted_last(make_scene: Any) -> None:
    """A waiting trial, a conditional parameter and NaN have no key to sort by."""
    space = {
        "optimizer": {"type": "choice", "choices": ["sgd", "adam"]},
        "momentum": {"type": "float", "low": 0, "high": 1, "when": {"optimizer": "sgd"}},
    }
    scene = make_scene(space, search="random", budget={"trials": 3})
    scene.propose({"optimizer": "adam"})
    scene.run({"optimizer": "sgd", "momentum": 0.5}, [math.nan], "diverged", "it was nan")
    waiting, diverged = rows(scene.study, scene.job)
    assert [cell.text for cell in waiting] == ["—", "0", "waiting", "adam", "—", "—", "0", "—", "—", "0", "—"]
    assert (diverged[5].text, diverged[5].key) == ("NaN", None)


def test_failures_are_gathered_by_cause(make_scene: Any) -> None:
    """Trials that failed alike are one failure with one traceback, the most frequent first."""
    scene = make_scene()
    point = {"lr": 1e-3, "width": 8}
    scene.run(point, [math.nan], "diverged", "it was nan")
    for _ in range(2):
        scene.run(point, [], "failed", "ValueError: no", f"traceback {len(scene.study.trials)}")
    scene.run(point, [0.5], "stopped", "the study's time is used up")
    assert failures(scene.study) == [
        Failure("failed", "ValueError: no", [1, 2], "traceback 1"),
        Failure("diverged", "it was nan", [0], ""),
    ]


def test_a_lost_attempt_is_told_although_its_trial_is_complete(grid_scene: Any) -> None:
    """A lost attempt is no failure of its trial, and a reader of the report still wants to know."""
    assert [(failure.outcome, failure.trials) for failure in failures(grid_scene.study)] == [
        ("failed", [7]),
        ("lost", [18]),
        ("diverged", [34]),
    ]
