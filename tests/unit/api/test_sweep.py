"""Runs and continues studies; here without Spark, which no study needs that has ended."""

from __future__ import annotations

import socket
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.api import ending, sweep
from tinderbox.api.driver import Door
from tinderbox.api.plan import Plan, make_plan
from tinderbox.api.result import open_study
from tinderbox.config import Constraint, SweepJob, check_sweep
from tinderbox.data import Dataset, from_arrays
from tinderbox.errors import BadInput, NoTrialSucceeded, TinderboxError
from tinderbox.metrics.exporter import Exporter
from tinderbox.metrics.own import PORT_VARIABLE
from tinderbox.run import digest_tree
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.events import AttemptEnded, StudyStarted, TrialProposed, encode


class Steps:
    """Keeps what a watcher is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def show(self, status: object, study: object) -> None:
        """Fail: nothing runs here."""
        raise AssertionError(status)

    def tell(self, step: str) -> None:
        """Keep a step."""
        self.told.append(step)


@pytest.fixture
def data() -> Dataset:
    """Forty examples."""
    return from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})


@pytest.fixture
def plan(recorded: StudyFolder, data: Dataset) -> Plan:
    """The plan of the recorded study."""
    plan = make_plan(check_sweep(recorded.read_job(), "test"), Path(), lambda trial: None, data)
    recorded.write_job(recorded.read_job(), plan.run)
    return plan


@pytest.fixture(autouse=True)
def _no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say what happens where Spark would be started."""

    def refuse(*arguments: Any) -> None:
        raise TinderboxError("Spark is started")

    monkeypatch.setattr(sweep, "session_for", refuse)


def test_a_study_that_has_ended_needs_no_spark(plan: Plan, recorded: StudyFolder) -> None:
    """It is returned at once, with what was missing of its report, and no driver is added to its record."""
    steps = Steps()
    result = sweep.run(plan, watcher=steps)
    assert result.best_parameters == {"x": 1.0}
    assert steps.told == ["scoring best and default on test data", "done"]
    assert recorded.has("report.html")
    assert result.record.generation == 1


def test_a_study_that_has_not_ended_needs_spark(plan: Plan, recorded: StudyFolder) -> None:
    """It is continued; where that cannot be, what there is is kept and the reason is told."""
    log = recorded.log()
    log.append(encode(StudyStarted(time=120, generation=2)))
    log.close()
    steps = Steps()
    with pytest.raises(TinderboxError, match="Spark is started"):
        sweep.run(plan, watcher=steps)
    assert steps.told == ["starting Spark", "keeping what there is", "stopped"]
    assert recorded.has("report.html")


def test_a_budget_that_was_raised_needs_spark(plan: Plan, recorded: StudyFolder) -> None:
    """A study that has ended goes on with it."""
    recorded.write_job({**recorded.read_job(), "budget": {"trials": 1, "time": 5.0}}, plan.run)
    with pytest.raises(TinderboxError, match="Spark is started"):
        sweep.run(plan)


@pytest.mark.parametrize(
    ("before", "refusal"),
    [
        ({"trials": 1}, "has trained its leaders again, so its search is over and budget.trials stays; give"),
        ({"time": 5.0}, "Spark is started"),
    ],
)
def test_a_budget_that_is_raised_when_leaders_were_trained_again(
    plan: Plan, recorded: StudyFolder, before: dict[str, float], refusal: str
) -> None:
    """More trials would be numbered among the repeats, and come too late; more time is for repeats cut short."""
    again = TrialProposed(time=121, trial=2, parameters={"x": 1.0}, seed=2, known=2, repeats=1)
    log = recorded.log()
    log.append(encode(StudyStarted(time=120, generation=2)) + encode(again))
    log.close()
    recorded.write_job({**recorded.read_job(), "budget": before}, plan.run)
    with pytest.raises(TinderboxError, match=refusal):
        sweep.run(plan)


def test_a_study_that_was_never_begun_leaves_nothing(plan: Plan, recorded: StudyFolder) -> None:
    """Where Spark does not start, no folder is made."""
    job = plan.job.model_copy(update={"name": "new"})
    with pytest.raises(TinderboxError, match="Spark is started"):
        sweep.run(make_plan(job, Path(), plan.function, plan.data))
    assert not Path(recorded.root).with_name("new").exists()


def test_a_fresh_study_sets_the_earlier_one_aside(plan: Plan, recorded: StudyFolder) -> None:
    """The earlier study keeps all it has under another name."""
    with pytest.raises(TinderboxError, match="Spark is started"):
        sweep.run(plan, fresh=True)
    assert not recorded.exists()
    assert Path(f"{recorded.root}-1", "events", "000001-000000.jsonl").exists()


def test_a_driver_that_is_started_again_begins_nothing_anew(plan: Plan, recorded: StudyFolder) -> None:
    """Its cluster gives it the same door, and `fresh` was for the study before this one."""
    door = Door("secret", 0.0)
    recorded.note(digest_tree({"token": door.token}))
    log = recorded.log()
    log.append(encode(StudyStarted(time=120, generation=2)))
    log.close()
    with pytest.raises(TinderboxError, match="Spark is started"):
        sweep.run(plan, fresh=True, door=door)
    assert recorded.exists()
    assert not Path(f"{recorded.root}-1").exists()


def test_the_same_driver_after_the_end_of_its_study(plan: Plan, recorded: StudyFolder) -> None:
    """What was missing is added, and the study is not run again."""
    recorded.note(digest_tree({"token": "secret"}))
    assert sweep.run(plan, fresh=True, door=Door("secret", 0.0)).best_value == 0.25
    assert not Path(f"{recorded.root}-1").exists()


@pytest.mark.parametrize("door", [Door("other", 0.0), Door(), None])
def test_another_submission_begins_anew(plan: Plan, recorded: StudyFolder, door: Door | None) -> None:
    """As does a person here, whose driver has no door that is given to it."""
    recorded.note(digest_tree({"token": "secret"}))
    with pytest.raises(TinderboxError, match="Spark is started"):
        sweep.run(plan, fresh=True, door=door)
    assert not recorded.exists()
    assert StudyFolder(recorded.root.rpartition("/")[0], "small-1").exists()


def test_a_fresh_study_is_of_its_submission(plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first moment: a driver that dies before its first trial, and is started again, sets nothing aside."""

    def crash(*arguments: Any) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(sweep, "session_for", lambda *arguments: nullcontext())
    monkeypatch.setattr(sweep, "run_sweep", crash)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="killed"):
            sweep.run(plan, fresh=True, door=Door("secret", 0.0))
    assert not Path(f"{recorded.root}-2").exists()
    assert StudyFolder(recorded.root.rpartition("/")[0], "small-1").has("logs/trial-00002/attempt-1.log")
    assert recorded.log().generation == 3


def test_a_study_that_goes_on_is_of_the_submission_that_continues_it(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token itself is not kept with it."""
    log = recorded.log()
    log.append(encode(StudyStarted(time=120, generation=2)))
    log.close()
    recorded.note("earlier")
    monkeypatch.setattr(sweep, "session_for", lambda *arguments: nullcontext())
    monkeypatch.setattr(sweep, "run_sweep", lambda *arguments: None)
    sweep.run(plan, door=Door("secret", 0.0))
    assert recorded.is_of(digest_tree({"token": "secret"}))
    assert b"secret" not in recorded.read("submission")


@pytest.mark.parametrize(("end", "waits"), [(None, 1), (KeyboardInterrupt(), 0), (TinderboxError("no slots"), 0)])
def test_prometheus_is_waited_for_at_the_end_of_a_study(
    end: BaseException | None, waits: int, plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where it was stopped: whoever pressed Ctrl-C does not wait, and the next driver tells it all again."""
    log = recorded.log()
    log.append(encode(StudyStarted(time=120, generation=2)))
    log.close()
    waited = list[Exporter]()

    def run_sweep(*arguments: Any) -> None:
        if end is not None:
            raise end

    monkeypatch.setattr(sweep, "session_for", lambda *arguments: nullcontext())
    monkeypatch.setattr(sweep, "run_sweep", run_sweep)
    monkeypatch.setattr(Exporter, "linger", lambda exporter: waited.append(exporter))
    with nullcontext() if end is None else pytest.raises(type(end)):
        sweep.run(plan)
    assert len(waited) == waits


def test_a_port_that_is_taken_starts_nothing(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two drivers on one machine: the second one says which port it wants."""
    log = recorded.log()
    log.append(encode(StudyStarted(time=120, generation=2)))
    log.close()
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))  # noqa: S104 - as the exporter does
        taken.listen()
        monkeypatch.setenv(PORT_VARIABLE, str(taken.getsockname()[1]))
        with pytest.raises(
            BadInput, match=r"the port of the metrics must be a free one, got \d+: Address already in use"
        ):
            sweep.run(plan)
    assert recorded.log().generation == 3


def test_another_job_under_the_same_name_is_refused(plan: Plan, recorded: StudyFolder) -> None:
    """The study stays as it is."""
    job = plan.job.model_copy(update={"epochs": 9})
    with pytest.raises(BadInput, match="was begun with another epochs; give this one another name"):
        sweep.run(make_plan(job, Path(), plan.function, plan.data))
    assert not recorded.has("report.html")


def test_another_function_under_the_same_name_is_refused(plan: Plan, recorded: StudyFolder) -> None:
    """A cell that was edited gives the same job, and is another study; one that was only run again is not."""
    again = make_plan(plan.job, Path(), plan.function, plan.data)
    edited = make_plan(plan.job, Path(), lambda trial: trial.seed, plan.data)
    with pytest.raises(BadInput, match=r"^study 'small' exists and was begun with another code; give this one"):
        sweep.run(edited)
    assert not recorded.has("report.html")
    assert sweep.run(again).best_parameters == {"x": 1.0}


def test_a_model_that_cannot_be_scored_costs_no_report(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The study is whole, the report is written, and the reason is told."""

    def refuse(*arguments: Any) -> None:
        raise TinderboxError("two outputs")

    monkeypatch.setattr(ending, "measure_gain", refuse)
    steps = Steps()
    assert sweep.run(plan, watcher=steps).best_value == 0.25
    assert steps.told[-1] == "not scored: two outputs"
    assert recorded.has("report.html")


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written any more."""

    def refuse(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StudyFolder, "write", refuse)


def test_why_a_study_stopped_is_told_though_nothing_can_be_kept(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full stops the study, and its report does not fit either."""
    log = recorded.log()
    log.append(encode(StudyStarted(time=120, generation=2)))
    log.close()
    fill_disk(monkeypatch)
    steps = Steps()
    with pytest.raises(TinderboxError, match=r"^Spark is started$"):
        sweep.run(plan, watcher=steps)
    assert steps.told[-1].startswith("stopped: what study 'small' leaves behind cannot be kept: [Errno 28] No space")


def test_a_whole_study_whose_report_does_not_fit(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has not succeeded, for its model may be missing; once there is room the same command writes the rest."""
    with monkeypatch.context() as full:
        fill_disk(full)
        with pytest.raises(
            TinderboxError, match=r"cannot be kept: .*No space left.*; mend that and run the same"
        ) as no:
            sweep.run(plan)
    assert no.value.exit_code == 1
    assert sweep.run(plan).best_value == 0.25
    assert recorded.has("report.html")


def test_a_study_without_a_value_names_the_first_cause(plan: Plan, recorded: StudyFolder) -> None:
    """Exit code 4, the number of trials by state, and the first cause."""
    segment = Path(recorded.path("events", "000001-000000.jsonl"))
    lines = [line for line in segment.read_bytes().splitlines(keepends=True) if b'"complete"' not in line]
    ended = [
        encode(AttemptEnded(time=105, trial=number, attempt=1, outcome="failed", cause="OSError: full"))
        for number in (0, 1)
    ]
    segment.write_bytes(b"".join([*lines[:-1], *ended, lines[-1]]))
    with pytest.raises(NoTrialSucceeded) as failed:
        sweep.run(plan)
    assert failed.value.exit_code == 4
    assert "3 failed" in str(failed.value)
    assert "1 diverged" in str(failed.value)
    assert str(failed.value).endswith("; trial 2 failed because ValueError: no")


def begun(monkeypatch: pytest.MonkeyPatch, **options: Any) -> SweepJob:
    """Return the job that a notebook's call begins."""
    plans: list[Plan] = []
    monkeypatch.setattr(sweep, "run", lambda plan, **_: plans.append(plan))
    given = {"metric": "loss", "direction": "minimize", "epochs": 1, "preload": [], **options}
    sweep.sweep(lambda trial: None, {"x": {"type": "float", "low": 0, "high": 1}}, **given)
    return plans[0].job


def test_a_budget_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials and the rest of the budget are put together."""
    job = begun(monkeypatch, trials=7, budget={"time": "1h"})
    assert (job.budget.trials, job.budget.time) == (7, 3600)
    assert begun(monkeypatch, budget={"trials": 8}).budget.trials == 8
    assert begun(monkeypatch, trials=9).budget.time is None


def test_numbers_of_numpy_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken wherever a number is, and kept as Python's own."""
    job = begun(monkeypatch, trials=np.int64(7), seed=np.uint32(5), epochs=np.int64(3), budget={"time": np.float64(9)})
    assert repr((job.budget.trials, job.seed, job.epochs, job.budget.time)) == "(7, 5, 3, 9.0)"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"trials": 7, "budget": {"trials": 7}}, "budget must be a mapping without trials beside trials=7, got {'tri"),
        ({"trials": 7, "budget": "1h"}, "budget must be a mapping without trials beside trials=7, got '1h'"),
        ({"objective": "lab:train"}, "objective is the function given; leave it out, got 'lab:train'"),
        ({"parameters": {}}, "parameters is the space given; leave it out, got {}"),
        ({"kind": "train"}, "kind is always sweep; leave it out, got 'train'"),
    ],
)
def test_options_that_contradict_the_call(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], sentence: str
) -> None:
    """Nothing that was given is dropped without a word."""
    with pytest.raises(BadInput) as refused:
        begun(monkeypatch, **{"trials": 3, **options})
    assert str(refused.value).startswith(f"tinderbox.sweep: {sentence}")


def test_why_nothing_is_feasible(recorded: StudyFolder) -> None:
    """How many complete trials broke which constraint is told, and what to do."""
    record = open_study("small", recorded.root.rpartition("/")[0]).record
    record.constraints = (
        Constraint(name="size", max=2),
        Constraint(name="speed", min=1),
        Constraint(name="loss", max=0.3),
    )
    for number, size in ((0, 3.0), (1, 4.0)):
        record.trials[number].last.update(size=size, speed=1.0)
    assert sweep.explain_nothing(record) == (
        "no trial is feasible (1 waiting, 2 complete, 1 failed, 1 diverged): 2 with size not at most 2, "
        "1 with loss not at most 0.3; loosen the constraints or search elsewhere"
    )
