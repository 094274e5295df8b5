"""What Prometheus is told of a study, beside what its record says."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import SweepJob
from tinderbox.metrics.catalogue import MOST_TRIALS, Sample
from tinderbox.sweeping.events import NodeAvoided, RoundStarted, SlotJoined, SlotLeft
from tinderbox.sweeping.history import State
from tinderbox.sweeping.measures import Measures
from tinderbox.sweeping.rungs import Ladder
from tinderbox.sweeping.status import take_status
from tinderbox.sweeping.study import UNWANTED

Job = Callable[..., SweepJob]
Desk = Callable[..., Any]


def told(samples: Any) -> dict[str, float]:
    """Return samples by name and labels without the study's, such as `trials running`; each is there once."""
    found: dict[str, float] = {}
    for sample in samples:
        assert isinstance(sample, Sample)
        name = " ".join([sample.metric.name.removeprefix("tinderbox_"), *sample.labels[1:]])
        assert name not in found
        found[name] = sample.value
    return found


def take(measures: Measures, desk: Any, wanted: int | None = None) -> dict[str, float]:
    """Return what is told of a desk's study; where it runs so many slots are wanted."""
    status = take_status(desk.study, desk.trials, None, len(desk.coordinator.roster.slots), desk.now)
    return told(measures.take(status) if wanted is None else measures.take(status, desk.coordinator.roster, wanted))


def test_a_study_from_its_first_trial_to_its_end(desk: Desk, make_job: Job) -> None:
    """States, epochs, values and slots are those of the record at each moment."""
    at, job = desk(trials=2), make_job()
    measures = Measures(at.study, job)
    found = take(measures, at, wanted=3)
    assert found["study_info loss minimize random"] == 1
    assert (found["study_over"], found["trials_wanted"], found["reports_total"]) == (0, 2, 0)
    assert (found["trials waiting"], found["trials running"]) == (2, 0)
    assert (found["slots_wanted"], found["slots busy"], found["slots idle"], found["slots leaving"]) == (3, 0, 0, 0)
    assert not {name for name in found if name.startswith(("trial_", "best", "baseline", "slot_", "study_left"))}

    lease = at.take("a@n1")
    at.coordinator.roster.slots["a@n1"].memory = 1 << 20
    at.pass_time(5)
    at.report(lease, 1, 0.5, slot="a@n1")
    found = take(measures, at, wanted=3)
    assert (found["slot_trial a@n1 n1"], found["slot_memory_bytes a@n1 n1"]) == (0, 1 << 20)
    assert (found["slots busy"], found["trials running"], found["reports_total"]) == (1, 1, 1)
    assert (found["trial_value 0"], found["trial_epoch 0"], found["trial_parameter 0 x"]) == (0.5, 1, 0.0)
    assert found["study_seconds"] == 5
    assert "trial_rung 0" not in found

    at.report(lease, 2, 0.25, slot="a@n1", last=True)
    second = at.finish(lease, "a@n1").lease
    found = take(measures, at, wanted=3)
    assert (found["best_value"], found["trial_value 0"], found["trial_epoch 0"]) == (0.25, 0.25, 2)
    assert (found["trial_attempts_total complete"], found["slot_trial a@n1 n1"]) == (1, 1)
    assert "study_left_seconds" in found

    at.report(second, 2, 0.75, slot="a@n1", last=True)
    at.finish(second, "a@n1")
    at.coordinator.leave("a@n1", "the study is over", at.now)
    at.pass_time(0)
    found = take(measures, at)
    assert (found["study_over"], found["trials complete"], found["best_value"]) == (1, 2, 0.25)
    assert (found["trial_value 0"], found["trial_value 1"]) == (0.25, 0.75)
    assert not {name for name in found if name.startswith(("slot_", "slots_wanted", "slots ", "study_left"))}


def test_counters_go_on_under_the_next_driver(desk: Desk, make_job: Job) -> None:
    """From the record, so that none falls; what another attempt does again counts again."""
    at = desk(trials=2)
    lease = at.take("a@n1")
    at.report(lease, 1, slot="a@n1")
    at.coordinator.leave("a@n1", "its pod was deleted", at.now)
    before = take(Measures(at.study, make_job()), at, wanted=1)
    again = at.restart()
    measures = Measures(again.study, make_job())
    after = take(measures, again, wanted=1)
    for name in ("reports_total", "trial_attempts_total lost", "slots_lost_total n1"):
        assert (before[name], after[name]) == (1, 1)
    lease = again.take("a@n1")
    again.report(lease, 1, slot="a@n1")
    assert take(measures, again, wanted=1)["reports_total"] == 2


def test_the_best_the_newest_and_those_that_run_are_told_one_by_one(desk: Desk, make_job: Job) -> None:
    """However many there are, also where the study was long before anybody asked, and in the order of the record."""
    trials = 4 * MOST_TRIALS
    at = desk(trials=trials + 1)
    early, lease = Measures(at.study, make_job()), at.take()
    values = [float((37 * number) % trials) for number in range(trials)]
    for number, value in enumerate(values):
        at.report(lease, 2, value=value, last=True)
        lease = at.finish(lease).lease
        if number % 50 == 0:
            take(early, at)
    best, newest = set(range(MOST_TRIALS)), set(values[-MOST_TRIALS:])
    for measures in (early, Measures(at.study, make_job())):
        found = take(measures, at, wanted=1)
        told = [value for name, value in found.items() if name.startswith("trial_value")]
        assert sorted(told) == sorted(best | newest)
        epochs = Counter(value for name, value in found.items() if name.startswith("trial_epoch"))
        assert epochs == {2: len(best | newest), 0: 1}


def test_trials_that_wait_on_a_rung_are_told(desk: Desk, make_job: Job) -> None:
    """The newest of them: with rungs most trials end there, and how a metric depends on a parameter is in them."""
    at = desk(trials=1)
    measures, lease = Measures(at.study, make_job()), at.take()
    at.report(lease, 1, 0.5)
    for number in range(2 * MOST_TRIALS):
        paused = dataclasses.replace(at.study.trials[0], number=number, state=State.PAUSED)
        at.study.paused[number] = paused
    found = take(measures, at, wanted=1)
    told = {int(name.split()[1]) for name in found if name.startswith("trial_value")}
    assert told == {0, *range(MOST_TRIALS, 2 * MOST_TRIALS)}


def test_trials_that_failed_or_diverged_are_told(desk: Desk, make_job: Job) -> None:
    """A value that is no number, too; they are none of the best."""
    at = desk(trials=3)
    measures, lease = Measures(at.study, make_job()), at.take()
    at.study.trials[0].reports[1] = {"loss": math.nan}
    assert math.isnan(take(measures, at)["trial_value 0"])
    at.report(lease, 2, math.nan)
    lease = at.take()
    at.report(lease, 1, 0.5)
    at.finish(lease, outcome="failed", cause="ValueError: no")
    found = take(measures, at)
    assert (found["trials diverged"], found["trials failed"], found["trials running"]) == (1, 1, 1)
    assert math.isnan(found["trial_value 0"])
    assert found["trial_value 1"] == 0.5
    assert "best_value" not in found


def test_every_state_is_told(desk: Desk, make_job: Job) -> None:
    """Those that no trial is in, too, and no other ones."""
    at = desk()
    states = {name for name in take(Measures(at.study, make_job()), at) if name.startswith("trials ")}
    assert states == {f"trials {state.value}" for state in State}


SPACE = {
    "rate": {"type": "float", "low": 0.1, "high": 1, "log": True},
    "layers": {"type": "int", "low": 1, "high": 4},
    "width": {"type": "choice", "choices": [16, 64.5, 256]},
    "kind": {"type": "choice", "choices": ["sgd", "adam", 3]},
    "flag": {"type": "choice", "choices": [True, False]},
    "beta": {"type": "float", "low": 0, "high": 1, "when": {"kind": "adam"}},
}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (
            {"rate": 0.5, "layers": 3, "width": 64.5, "kind": "sgd", "flag": True},
            {"rate": 0.5, "layers": 3, "width": 64.5, "kind": 0, "flag": 0},
        ),
        (
            {"rate": 0.1, "layers": 1, "width": 256, "kind": "adam", "flag": False, "beta": 0.25},
            {"rate": 0.1, "layers": 1, "width": 256, "kind": 1, "flag": 1, "beta": 0.25},
        ),
        ({"rate": 0.1, "layers": 1, "width": 16, "kind": 3, "flag": 1}, {"kind": 2, "flag": 0}),
    ],
)
def test_parameters_are_numbers(desk: Desk, make_job: Job, chosen: dict[str, Any], expected: dict[str, float]) -> None:
    """Choices that are none count by their place; a parameter whose condition is not met is absent."""
    at = desk(trials=1, proposed=False)
    at.coordinator.propose(chosen, 0, False, at.now)
    at.take()
    found = take(Measures(at.study, make_job(parameters=SPACE)), at)
    parameters = {
        name.rpartition(" ")[2]: value for name, value in found.items() if name.startswith("trial_parameter 0 ")
    }
    assert {name: parameters[name] for name in expected} == expected
    assert set(parameters) == set(chosen)


def test_a_choice_that_a_round_has_narrowed_keeps_its_number(desk: Desk, make_job: Job) -> None:
    """It counts among all choices of the job, not among those that are left."""
    parameters = {"kind": {"type": "choice", "choices": ["a", "b", "c"]}, "x": {"type": "float", "low": 0, "high": 1}}
    at, job = desk(trials=1, proposed=False), make_job(parameters=parameters)
    left = make_job(parameters={**parameters, "kind": {"type": "choice", "choices": ["c"]}}).parameters
    at.study.apply(RoundStarted(time=at.now, round=2, trial=0, space=left, cause="b is worse"))
    at.coordinator.propose({"kind": "c", "x": 0.5}, 0, False, at.now)
    at.take()
    assert take(Measures(at.study, job), at)["trial_parameter 0 kind"] == 2


def test_rungs_are_told_where_there_are_some(desk: Desk, make_job: Job) -> None:
    """The last one that a trial went beyond."""
    job = make_job(rungs={"min_epochs": 1, "reduction": 2}, epochs=4)
    at = desk(trials=3, epochs=4, ladder=Ladder(1, 2, 4))
    measures = Measures(at.study, job)
    lease = at.take()
    at.report(lease, 1, 0.5)
    assert take(measures, at)["trial_rung 0"] == at.study.trials[0].passed
    at.study.trials[0].passed = 2
    assert take(measures, at)["trial_rung 0"] == 2


def test_slots_by_what_they_do(desk: Desk, make_job: Job) -> None:
    """One that leaves counts as leaving, though it still runs a trial."""
    at = desk(trials=2)
    for slot in ("a@n", "b@n", "c@n"):
        at.lease(slot)
    at.coordinator.dismiss(["b@n"])
    found = take(Measures(at.study, make_job()), at, wanted=2)
    assert (found["slots busy"], found["slots idle"], found["slots leaving"]) == (1, 1, 1)
    assert {name for name in found if name.startswith("slot_trial")} == {"slot_trial a@n n", "slot_trial b@n n"}


def test_nodes_and_what_they_lost(desk: Desk, make_job: Job) -> None:
    """Those that get no trials any more, and lost slots by node; a slot that was not wanted is no loss."""
    at = desk()
    for event in (
        SlotJoined(time=at.now, slot="a", node="n1"),
        SlotLeft(time=at.now, slot="a", cause="its pod was deleted"),
        SlotJoined(time=at.now, slot="b", node="n2"),
        SlotLeft(time=at.now, slot="b", cause=UNWANTED),
        NodeAvoided(time=at.now, node="n1", cause="it loses what it gets"),
    ):
        at.study.apply(event)
    found = take(Measures(at.study, make_job()), at)
    assert (found["slots_lost_total n1"], found["slots_lost_total n2"]) == (1, 0)
    assert {name for name in found if name.startswith("node_avoided")} == {"node_avoided n1"}


@pytest.mark.parametrize(("direction", "best"), [("minimize", 0.25), ("maximize", 0.5)])
def test_best_and_baseline(desk: Desk, make_job: Job, direction: str, best: float) -> None:
    """In the study's direction; a baseline has a value once it has reported, and only complete trials are best."""
    at = desk(trials=2, proposed=False, direction=direction)
    at.propose(baseline=True)
    at.propose()
    measures = Measures(at.study, make_job(metric={"name": "loss", "direction": direction}))
    assert "baseline_value" not in take(measures, at)
    lease = at.take()
    at.report(lease, 2, 0.5, last=True)
    found = take(measures, at)
    assert (found["baseline_value"], "best_value" in found) == (0.5, False)
    lease = at.finish(lease).lease
    at.report(lease, 2, 0.25, last=True)
    assert take(measures, at)["best_value"] == 0.5
    at.finish(lease)
    assert take(measures, at)["best_value"] == best


def test_a_study_that_only_time_ends(desk: Desk, make_job: Job) -> None:
    """It has no number of trials, and the time that is left."""
    at = desk()
    status = take_status(at.study, None, 60.0, 1, at.now + 10)
    found = told(Measures(at.study, make_job()).take(status))
    assert "trials_wanted" not in found
    assert found["study_left_seconds"] == 50
