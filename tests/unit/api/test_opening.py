"""A driver takes a record over whole, says so in it first, and only then changes what is beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.api import opening
from tinderbox.api.opening import CHOICE, opened_server, rules_for
from tinderbox.api.plan import Plan, make_plan
from tinderbox.api.result import open_study
from tinderbox.api.sweep import has_ended
from tinderbox.config import check_sweep
from tinderbox.data import from_arrays
from tinderbox.errors import Superseded, TinderboxError
from tinderbox.storage import StudyFolder
from tinderbox.storage.log import SegmentLog
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.costs import Costs
from tinderbox.sweeping.journal import rebuild
from tinderbox.sweeping.messages import Answer, Ask, Lease, Report
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.study import Study


@pytest.fixture
def plan(recorded: StudyFolder) -> Plan:
    """A plan."""
    data = from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})
    return make_plan(check_sweep(recorded.read_job(), "test"), Path(), lambda trial: None, data)


def test_two_drivers_that_are_alive(plan: Plan, recorded: StudyFolder) -> None:
    """What the old one acknowledged is known to the new one; it acknowledges nothing more, and the study is whole."""

    def lease(slot: str) -> Callable[[Coordinator], Answer]:
        return lambda coordinator: coordinator.lease(Ask(slot=slot, node="node", request=1), time.time())

    report = Report(slot="a", attempt=1, epoch=1, metrics={"loss": 0.5}, last=True)
    drivers = ExitStack()
    old = drivers.enter_context(opened_server(plan, recorded, "secret"))
    old.start("127.0.0.1")
    assert old.call(lease("a")).lease == Lease(trial=4, attempt=1, parameters={"x": 4.0}, seed=7, epochs=1)
    new = drivers.enter_context(opened_server(plan, recorded, "secret"))
    attempt = new.coordinator.study.trials[4].attempts[0]
    assert (attempt.slot, attempt.outcome) == ("a", "released")
    with pytest.raises(Superseded, match="a later driver has taken over"):
        old.call(lambda coordinator: coordinator.report(4, report, time.time()))
    new.start("127.0.0.1")
    leased = new.call(lease("b")).lease
    assert leased is not None
    assert (leased.trial, leased.attempt) == (4, 2)
    with pytest.raises(TinderboxError, match="the study stopped: a later driver has taken over"):
        drivers.close()
    record = open_study("small", recorded.root.rpartition("/")[0]).record
    assert [(one.slot, one.outcome) for one in record.trials[4].attempts] == [("a", "released"), ("b", None)]
    assert record.trials[4].reports == {}
    assert record.generation == 3


def test_a_driver_that_comes_too_late(plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two that start at once, one gets the record; the other reads nothing, and says so."""
    late = recorded.log()
    with opened_server(plan, recorded, "secret"):
        monkeypatch.setattr(recorded, "log", lambda: late)
        with (
            pytest.raises(Superseded, match="another driver has taken over"),
            opened_server(plan, recorded, "secret"),
        ):
            pass


def test_what_a_killed_driver_has_left_is_removed(
    plan: Plan, recorded: StudyFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """A state that was stored and never noted; the log says how many there were, once."""
    recorded.write("checkpoints/trial-00002/attempt-2-epoch-1", b"never noted")
    for _ in range(2):
        with opened_server(plan, recorded, "secret"):
            assert recorded.names("checkpoints") == ["checkpoints/trial-00001/attempt-1-epoch-1"]
    assert caplog.messages == ["removed checkpoints that an earlier driver has left and nothing needs: 1"]


def test_a_driver_that_was_taken_over_removes_nothing(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes to the record first, which a later driver has begun a segment of."""
    late = "checkpoints/trial-00002/attempt-2-epoch-1"
    recorded.write(late, b"never noted")

    def rebuild_late(*arguments: Any) -> Study:
        log = recorded.log()
        log.claim()
        log.close()
        return rebuild(*arguments)

    monkeypatch.setattr(opening, "rebuild", rebuild_late)
    with pytest.raises(Superseded, match="a later driver"), opened_server(plan, recorded, "secret"):
        pass
    assert recorded.has(late)


@pytest.mark.parametrize("place", ["rebuild", "Coordinator", "tidy"])
def test_a_budget_that_was_raised_outlives_a_driver_that_is_killed(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Wherever it is: a study that had ended goes on when the next driver asks whether it has."""
    job = plan.job.model_copy(update={"budget": plan.job.budget.model_copy(update={"time": 60.0})})
    recorded.write_job({**recorded.read_job(), "budget": {"time": 30.0}}, plan.run)

    def die(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, place, die)
    with pytest.raises(KeyboardInterrupt), opened_server(replace(plan, job=job), recorded, "secret"):
        pass
    assert not has_ended(recorded, job)


def test_a_record_that_cannot_be_written_is_told(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, and the study stays as it is."""

    def refuse(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SegmentLog, "append", refuse)
    with (
        pytest.raises(
            TinderboxError, match=r"^the record of study 'small' cannot be written: .*No space .* once it can$"
        ),
        opened_server(plan, recorded, "secret"),
    ):
        pass


def test_storage_that_cannot_be_tidied(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The study goes on all the same."""

    def refuse(*below: str) -> list[str]:
        raise PermissionError("may not be listed")

    monkeypatch.setattr(recorded, "names", refuse)
    with opened_server(plan, recorded, "secret") as server:
        assert server.coordinator.study.generation == 2
    assert caplog.messages == ["checkpoints that nothing needs may be left: may not be listed"]


def test_the_dearest_trial_of_a_grid_is_looked_for_among_many() -> None:
    """Its points cost nothing to propose; other searches know more the later they are asked."""
    tree = {
        "kind": "sweep",
        "name": "ruled",
        "objective": "module:train",
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {"x": {"type": "float", "low": 0, "high": 1, "grid": 2, "default": 0.5}},
        "budget": {"trials": 9},
        "epochs": 4,
    }
    grid, other = (check_sweep({**tree, "search": method}, "test") for method in ("grid", "tpe"))
    rules = rules_for(grid, Proposer(grid))
    assert (rules.limit, rules.ahead, rules.costs) == (3, CHOICE, Costs(grid.parameters, first=1))
    rules = rules_for(other, Proposer(other))
    assert (rules.limit, rules.ahead, rules.costs) == (10, 2, None)
