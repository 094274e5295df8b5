"""A slot whose process is asked to end, on a real Spark: its trial goes on where it was, on the slot's successor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinderbox.api.plan import make_plan
from tinderbox.api.sweep import run
from tinderbox.config import check_sweep

FUNCTION = """
import os, signal, time
from pathlib import Path


def train(trial):
    begun = int(trial.checkpoint.read_text()) if trial.checkpoint else 0
    for epoch in range(begun + 1, 21):
        if epoch == 3:
            os.kill(parent_of(os.getppid()), signal.SIGTERM)  # the parent is the slot's fork server
        time.sleep(0.2)
        trial.report(epoch, checkpoint=lambda file, epoch=epoch: file.write(str(epoch).encode()), loss=0.5)


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
"""


@pytest.mark.timeout(240)
def test_sigterm_pauses_a_trial_and_its_slot_comes_back(tmp_path: Path) -> None:
    """Nothing that was reported is done again, and the slot's end is no loss."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "leaving_objective.py").write_text(FUNCTION)
    tree = {
        "kind": "sweep",
        "name": "leaving",
        "objective": "leaving_objective:train",
        "code": "code",
        "preload": [],
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {"x": {"type": "float", "low": 0, "high": 1, "grid": [0]}},
        "search": "grid",
        "epochs": 20,
        "slots": 1,
        "storage": str(tmp_path / "studies"),
    }
    record = run(make_plan(check_sweep(tree, "test"), tmp_path)).record
    trial = record.trials[0]
    assert [(attempt.slot, attempt.outcome) for attempt in trial.attempts] == [
        ("slot-0", "released"),
        ("slot-0.1", "complete"),
    ]
    assert trial.attempts[0].cause == "its slot is being taken away"
    assert sorted(trial.reports) == list(range(1, 21))
    first = [life for life in record.slots if life.slot == "slot-0"]
    assert [life.cause for life in first] == ["its executor is being taken away"]
