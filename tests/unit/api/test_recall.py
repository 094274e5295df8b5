"""What a study takes over from an earlier one, and that it keeps it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.api import recall as recalling
from tinderbox.api import sweep
from tinderbox.api.opening import opened_server
from tinderbox.api.plan import describe_job, make_plan
from tinderbox.api.recall import recall
from tinderbox.config import SweepJob, check_sweep
from tinderbox.data import from_arrays
from tinderbox.errors import BadInput
from tinderbox.run import identify
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    Event,
    PastTrial,
    Reported,
    RungDecided,
    StudyStarted,
    TrialProposed,
    encode,
)
from tinderbox.sweeping.journal import rebuild

MakeJob = Callable[..., SweepJob]

CURVES: list[tuple[float, str, list[float]]] = [
    (0.1, "complete", [0.9, 0.8, 0.7, 0.6]),
    (0.2, "failed", [0.1]),
    (0.3, "diverged", [0.5, float("nan")]),
    (0.4, "stopped", [0.3, 0.2]),
    (0.5, "paused", [0.4]),
    (0.9, "complete", [0.2, 0.2, 0.2, 0.2]),
    (0.6, "stopped", []),
]
"""Places, outcomes and curves of the earlier study's trials; another one runs, and one repeats the first."""


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Return a function that gives a job of four epochs, which starts from the study `earlier`."""
    tree = {
        "kind": "sweep",
        "name": "new",
        "objective": "module:train",
        "metric": {"name": "loss", "direction": "minimize"},
        "parameters": {"x": {"type": "float", "low": 0, "high": 1}},
        "search": {"method": "tpe", "startup": 3, "warm_start": {"study": "earlier"}},
        "budget": {"trials": 5},
        "epochs": 4,
        "storage": str(tmp_path / "studies"),
    }
    return lambda **changes: check_sweep({**tree, **changes}, "test")


@pytest.fixture
def earlier(make_job: MakeJob) -> StudyFolder:
    """Return a study of such trials."""
    job = make_job(name="earlier", search="random")
    folder = StudyFolder(job.storage, "earlier")
    folder.write_job(describe_job(job), identify("earlier", describe_job(job), "", ""))
    log = folder.log()
    log.append(b"".join(encode(event) for event in history()))
    log.close()
    return folder


def history() -> list[Event]:
    """Return the record of the earlier study."""
    events: list[Event] = [StudyStarted(time=1, generation=1)]
    for number, (x, outcome, curve) in enumerate([*CURVES, (0.7, "running", [0.1]), (0.1, "complete", [0.3] * 4)]):
        told: dict[str, Any] = {"time": 2.0, "trial": number}
        repeats = 0 if number == len(CURVES) + 1 else None
        events.append(TrialProposed(**told, parameters={"x": x}, seed=1, known=0, repeats=repeats))
        events.append(AttemptStarted(**told, attempt=1, slot="a", node="n"))
        events += [
            Reported(**told, attempt=1, epoch=epoch, metrics={"loss": value})
            for epoch, value in enumerate(curve, start=1)
        ]
        if outcome == "paused":
            events.append(RungDecided(**told, rung=1, epoch=1, action="pause"))
            events.append(CheckpointSaved(**told, attempt=1, epoch=1, path="p", sha256="", size=1))
        if outcome != "running":
            events.append(AttemptEnded(**told, attempt=1, outcome=outcome))  # type: ignore[arg-type]  # one of them
    return events


def told(trials: list[PastTrial]) -> list[tuple[Any, str, list[int]]]:
    """Return trials in short."""
    return [(trial.parameters["x"], trial.state, list(trial.curve)) for trial in trials]


@pytest.mark.usefixtures("earlier")
def test_what_an_earlier_study_knows(make_job: MakeJob) -> None:
    """Its trials that ended or wait, with their curves; one that failed, or is a repeat, says nothing."""
    assert told(recall(make_job())) == [
        (0.1, "complete", [1, 2, 3, 4]),
        (0.3, "diverged", []),
        (0.4, "stopped", [1, 2]),
        (0.9, "complete", [1, 2, 3, 4]),
        (0.5, "stopped", [1]),
    ]
    assert recall(make_job())[2].curve == {1: 0.3, 2: 0.2}
    assert recall(make_job(search="tpe")) == []


def test_a_trial_that_was_cut_short_tells_its_part(earlier: StudyFolder, make_job: MakeJob) -> None:
    """It waits for more time, which the earlier study may never get."""
    log = earlier.log()
    log.append(encode(AttemptEnded(time=3.0, trial=len(CURVES), attempt=1, outcome="released")))
    log.close()
    assert told(recall(make_job()))[-1] == (0.7, "stopped", [1])


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize(("epochs", "state", "seen"), [(2, "complete", [1, 2]), (8, "stopped", [1, 2, 3, 4])])
def test_values_are_compared_at_equal_epochs(make_job: MakeJob, epochs: int, state: str, seen: list[int]) -> None:
    """Of trials that were longer only the beginning counts; shorter ones are as if they had been stopped."""
    found = told(recall(make_job(epochs=epochs)))
    assert found[0] == (0.1, state, seen)
    assert found[2] == (0.4, "stopped", [1, 2])


@pytest.mark.usefixtures("earlier")
def test_only_points_of_the_space_are_taken_over(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of very many the newest."""
    narrow = {"x": {"type": "float", "low": 0.35, "high": 0.8}}
    assert [x for x, _, _ in told(recall(make_job(parameters=narrow)))] == [0.4, 0.5]
    monkeypatch.setattr(recalling, "MOST", 2)
    assert [x for x, _, _ in told(recall(make_job()))] == [0.9, 0.5]


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"search": {"method": "tpe", "warm_start": {"study": "other"}}},
            "there is no study 'other' in {storage}; it holds earlier",
        ),
        (
            {"search": {"method": "tpe", "warm_start": {"study": "earlier", "storage": "nowhere"}}},
            "there is no study 'earlier' in {nowhere}; it holds none",
        ),
        (
            {"metric": {"name": "loss", "direction": "maximize"}},
            "study 'earlier' minimizes loss, and this one maximizes loss; name another study",
        ),
        (
            {"metric": {"name": "accuracy", "direction": "maximize"}},
            "study 'earlier' minimizes loss, and this one maximizes accuracy; name another study",
        ),
        (
            {"parameters": {"y": {"type": "float", "low": 0, "high": 1}}},
            "of the 7 trials of study 'earlier' that have ended none has a value in this job's space; leave it out",
        ),
    ],
)
def test_a_study_that_teaches_nothing_is_refused(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], sentence: str
) -> None:
    """When the job is planned, before anything is started."""
    monkeypatch.chdir(tmp_path)
    data = from_arrays({"x": np.zeros((20, 1)), "y": np.arange(20) % 2})
    with pytest.raises(BadInput) as refusal:
        make_plan(make_job(**changes), tmp_path, lambda trial: None, data)
    places = {"storage": tmp_path / "studies", "nowhere": tmp_path / "nowhere"}
    assert str(refusal.value) == f"search.warm_start: {sentence.format(**places)}"


def test_a_study_keeps_what_it_started_from(make_job: MakeJob, earlier: StudyFolder, tmp_path: Path) -> None:
    """The search knows it from its first trial on, and still does when the earlier study is gone."""
    job, data = make_job(), from_arrays({"x": np.zeros((20, 1)), "y": np.arange(20) % 2})
    plan = make_plan(job, tmp_path, lambda trial: None, data)
    folder = StudyFolder(job.storage, job.name)
    proposed = []
    for _ in range(2):
        with opened_server(plan, folder, "secret") as server:
            recalled = server.coordinator.study.recalled
            assert [(trial.number, trial.parameters["x"]) for trial in recalled] == [
                (-5, 0.1), (-4, 0.3), (-3, 0.4), (-2, 0.9), (-1, 0.5),
            ]  # fmt: skip
            # The first driver may have come to propose a trial before it was closed, which waits then.
            past = replace(server.coordinator.look(), proposed={}, running=())
            assert past.recalled == recalled
            proposed.append(plan.proposer.propose(0, past))
            server.start("127.0.0.1")
            server.call(lambda coordinator: coordinator.close(time.time()))
        shutil.rmtree(earlier.root, ignore_errors=True)
        plan = make_plan(job, tmp_path, lambda trial: None, data)
    assert proposed[0] == proposed[1]
    assert proposed[0] != make_plan(make_job(search="tpe"), tmp_path, lambda trial: None, data).proposer.propose(
        0, past
    )
    assert len(rebuild(folder.log().read(), "loss", "minimize").recalled) == 5


def test_nothing_is_moved_for_a_study_that_cannot_start(
    make_job: MakeJob, earlier: StudyFolder, tmp_path: Path
) -> None:
    """A fresh one wants the earlier study, which the one in its place does not need any more."""
    job, data = make_job(), from_arrays({"x": np.zeros((20, 1)), "y": np.arange(20) % 2})
    plan = make_plan(job, tmp_path, lambda trial: None, data)
    folder = StudyFolder(job.storage, job.name)
    folder.write_job(describe_job(job), plan.run)
    shutil.rmtree(earlier.root)
    with pytest.raises(BadInput, match=r"^search\.warm_start: there is no study 'earlier' in "):
        sweep.run(plan, fresh=True)
    assert folder.exists()
