"""What a trial that breaks a constraint cannot be, and what it can."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import Constraint, Metric, SweepJob
from tinderbox.errors import BadInput
from tinderbox.sweeping.confirming import confirmations
from tinderbox.sweeping.events import CheckpointSaved
from tinderbox.sweeping.history import State, Trial
from tinderbox.sweeping.leaders import Leaders
from tinderbox.sweeping.narrowing import weigh
from tinderbox.sweeping.search import Proposer
from tinderbox.sweeping.study import Study

Open = Callable[..., Any]

FAST = Constraint(name="latency_ms", max=20)
BESIDE = ((), (FAST,))


def run(opened: Any, value: float, latency: float) -> Trial:
    """Let the next trial run to its end, and return it; its state is saved where that is wanted."""
    lease = opened.take()
    told = opened.report(lease, 2, value, others={"latency_ms": latency}, last=True, can_save=True)
    if told.save:
        opened.save(lease, 2)
    opened.finish(lease)
    trial: Trial = opened.study.trials[lease.trial]
    return trial


def test_a_trial_that_breaks_one_is_complete_and_cannot_be_best(desk: Open) -> None:
    """Neither leads it nor is it ranked; why is told with it, and a resumed study says the same."""
    opened = desk(3, beside=BESIDE)
    slow, fast, worse = run(opened, 0.1, 20.5), run(opened, 0.5, 20), run(opened, 0.9, 1)
    assert [one.state for one in (slow, fast, worse)] == [State.COMPLETE] * 3
    assert [one.cause for one in (slow, fast, worse)] == ["not feasible: latency_ms is 20.5, not at most 20", "", ""]
    for study in (opened.study, opened.replay()):
        assert (study.best.number, study.best_value) == (1, 0.5)
        assert [one.number for one in study.ranked()] == [1, 2]


def test_its_state_is_not_kept(desk: Open) -> None:
    """Unless it is the baseline, with which the best one is compared."""
    opened = desk(0, beside=BESIDE, limit=9)
    opened.propose(baseline=True)
    opened.propose()
    opened.propose()
    baseline, slow, fast = run(opened, 0.1, 30), run(opened, 0.1, 30), run(opened, 0.5, 3)
    assert [one.checkpoint is not None for one in (baseline, slow, fast)] == [True, False, True]
    saved = [event.trial for event in opened.record if isinstance(event, CheckpointSaved)]
    assert saved == [0, 2]  # it was not even asked for
    leaders = Leaders(opened.study, 1)
    assert (fast in leaders, slow in leaders, baseline in leaders) == (True, False, False)


def test_the_last_report_decides(desk: Open) -> None:
    """What a trial broke on its way is forgotten."""
    opened = desk(1, beside=BESIDE)
    lease = opened.take()
    opened.report(lease, 1, 0.5, others={"latency_ms": 90})
    opened.report(lease, 2, 0.5, others={"latency_ms": 9}, last=True)
    opened.finish(lease)
    assert opened.study.best.number == 0


def test_where_none_is_feasible_there_is_no_best(desk: Open) -> None:
    """The study ends all the same, also where its leaders would be trained again."""
    opened = desk(2, beside=BESIDE, top=2, seeds=2)
    run(opened, 0.1, 30)
    run(opened, 0.2, 40)
    assert not opened.coordinator.repeat(opened.now)
    opened.pass_time(1)
    assert opened.study.finished is not None
    assert (opened.study.best, opened.study.best_value, opened.study.ranked()) == (None, None, [])


def test_several_are_told_together() -> None:
    """Each with its value and its bound."""
    study = Study("loss", "minimize", (), [FAST, Constraint(name="accuracy", min=0.9)])
    assert study.reported == ("loss", "latency_ms", "accuracy")
    assert study.broken({"latency_ms": 31, "accuracy": 0.5}) == (
        "latency_ms is 31, not at most 20 and accuracy is 0.5, not at least 0.9"
    )
    assert study.broken({"latency_ms": 20, "accuracy": 0.9}) == ""


def test_only_feasible_leaders_are_confirmed(desk: Open) -> None:
    """And of those, one that keeps the constraints on average goes before one that does not, whatever its mean."""
    opened = desk(3, beside=BESIDE, top=2, seeds=2)
    for value, latency in ((0.1, 30), (0.2, 10), (0.3, 10)):
        run(opened, value, latency)
    while opened.coordinator.repeat(opened.now):
        pass
    for value, latency in ((0.2, 19), (0.3, 1), (0.2, 22), (0.3, 1)):
        run(opened, value, latency)
    opened.pass_time(1)
    found = confirmations(opened.study)
    assert [(one.trial.number, one.broken) for one in found] == [(2, ""), (1, "latency_ms is 20.5, not at most 20")]
    assert opened.study.best.number == 2


@pytest.mark.parametrize("name", ["latency_ms", "accuracy"])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_what_is_compared_must_be_finite(desk: Open, name: str, value: float) -> None:
    """An objective or a bounded metric that is not ends its trial, as the metric itself does."""
    opened = desk(1, beside=((Metric(name="accuracy", direction="maximize"),), (FAST,)))
    lease = opened.take()
    told = {"latency_ms": 1.0, "accuracy": 1.0, name: value, "ignored": math.nan}
    assert opened.report(lease, 1, 0.5, others=told).action == "stop"
    assert opened.study.trials[0].state is State.DIVERGED
    assert opened.study.trials[0].cause == f"{name} was {value} in epoch 1"


def test_what_is_compared_must_be_there(desk: Open) -> None:
    """A slot of another version, or a stranger, is told what is missing, and nothing is recorded."""
    opened = desk(1, beside=((Metric(name="accuracy", direction="maximize"),), (FAST,)))
    lease = opened.take()
    with pytest.raises(BadInput, match=r"^a report needs accuracy and latency_ms, got loss$"):
        opened.report(lease)
    assert opened.study.trials[0].reports == {}


def test_zoom_goes_where_trials_are_feasible(make_job: Callable[..., SweepJob]) -> None:
    """Those that break a constraint are as bad as diverged ones; one that still runs is neither."""
    zoom = {"method": "random", "zoom": {"rounds": 2}}
    job = make_job(search=zoom, budget={"trials": 40}, constraints=[{"name": "latency_ms", "max": 20}])
    study = Study(*job.aims)
    for number in range(20):
        trial = Trial(number, {"x": number / 20}, 0, False, state=State.COMPLETE)
        # The less the better, and below 0.5 all are too slow.
        trial.reports = {2: {"loss": number / 20, "latency_ms": 30.0 if number < 10 else 10.0}}
        study.trials[number] = trial
        study.ended.append(trial)
    study.trials[9].state = State.RUNNING
    evidence = weigh(study, job)
    assert [one.number for one in evidence.ranked] == list(range(10, 20))
    assert [one.number for one in evidence.diverged] == list(range(9))
    rounds = Proposer(job).rounds
    assert rounds is not None
    narrowed = rounds.narrow(study)
    assert narrowed.space["x"].low > 0.3  # type: ignore[union-attr]  # a number
    assert narrowed.cause.startswith("narrowed to the best 3 of 19 trials, of which trial 10 leads")
    for trial in study.trials.values():
        trial.reports[2]["latency_ms"] = 30.0
    assert rounds.narrow(study).cause == "no trial is feasible, so nothing is narrowed"
