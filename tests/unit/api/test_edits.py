"""What people change in a job file reaches the study that runs, as far as it can."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from tinderbox.api import edits
from tinderbox.api.edits import JobFile
from tinderbox.config import SweepJob, read_sweep

BUDGET: dict[str, Any] = {"trials": 8, "trial_time": 60}

TREE: dict[str, Any] = {
    "kind": "sweep",
    "name": "edited",
    "objective": "module:train",
    "metric": {"name": "loss", "direction": "minimize"},
    "parameters": {"x": {"type": "float", "low": 0, "high": 1}},
    "search": "random",
    "budget": BUDGET,
    "epochs": 2,
    "slots": 2,
}


class Desk:
    """A job file, what runs from it, and an editor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write()
        self.job = read_sweep(path)
        self.file = JobFile(path, lambda: read_sweep(path))

    def write(self, **changes: Any) -> None:
        """Save the file with some keys replaced."""
        self.path.write_text(yaml.safe_dump({**TREE, **changes}))

    def look(self) -> SweepJob | None:
        """Look at the file."""
        return self.file.edited(self.job)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk on which every look counts."""
    monkeypatch.setattr(edits, "LOOK_SECONDS", 0.0)
    return Desk(tmp_path / "job.yaml")


@pytest.mark.parametrize(
    "changes",
    [{"slots": 5}, {"slots": 1}, {"budget": BUDGET | {"trials": 9}}, {"slots": 3, "budget": BUDGET | {"time": None}}],
)
def test_slots_and_a_raised_budget_are_taken_over(desk: Desk, changes: dict[str, Any]) -> None:
    """Once."""
    assert desk.look() is None
    desk.write(**changes)
    changed = desk.look()
    assert changed is not None
    assert (changed.slots, changed.budget.trials) == (
        changes.get("slots", 2),
        changes.get("budget", {}).get("trials", 8),
    )
    assert desk.look() is None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 3, "seed": 2}, "a running study takes over slots and budget only, got another epochs and seed; "),
        ({"budget": BUDGET | {"trials": 7}}, "the budget of a running study may only be raised, from {'trials': 8, "),
        (
            {"checkpoints": {"every": "5s"}, "slots": 3},
            "a running study keeps its checkpoints and its budget.trial_time, got checkpoints {'every': 5.0}; ",
        ),
        (
            {"budget": {"trials": 9, "trial_time": "600s"}},
            "got budget.trial_time 600.0; stop it, and run the changed job again to continue it with them",
        ),
        ({"slots": 0}, "slots: input should be greater than or equal to 1, got 0"),
    ],
)
def test_what_cannot_be_taken_over_is_told_once(
    desk: Desk, changes: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And the study goes on as it was."""
    desk.write(**changes)
    with caplog.at_level(logging.WARNING):
        assert [desk.look(), desk.look()] == [None, None]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("the job file has changed, and the study goes on as it was: ")
    assert sentence in caplog.messages[0]


def test_a_file_that_is_away_is_no_change(desk: Desk) -> None:
    """An editor may write a new one in its place."""
    desk.path.unlink()
    assert desk.look() is None
    desk.write(slots=4)
    changed = desk.look()
    assert changed is not None
    assert changed.slots == 4


def test_a_file_is_not_looked_at_all_the_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage may be slow, and a driver has more to do."""
    monkeypatch.setattr(edits, "LOOK_SECONDS", 60.0)
    desk.write(slots=4)
    assert desk.look() is None
