"""A study in Optuna's words, in memory and as a journal."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from tinderbox.errors import BadInput
from tinderbox.report.export import export_journal, to_optuna
from tinderbox.sweeping.events import CheckpointSaved, RoundStarted, RungDecided

SPACE = {
    "optimizer": {"type": "choice", "choices": ["sgd", "adam"]},
    "momentum": {"type": "float", "low": 0.0, "high": 1.0, "when": {"optimizer": "sgd"}},
    "lr": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
    "width": {"type": "int", "low": 4, "high": 64, "log": True},
}
POINT = {"optimizer": "adam", "lr": 1e-2, "width": 8}


@pytest.fixture
def scene(make_scene: Any) -> Any:
    """A study with one trial in each state."""
    scene = make_scene(SPACE, search="random", budget={"trials": 9})
    scene.run(POINT | {"optimizer": "sgd", "momentum": 0.9}, [0.5, 0.7])
    scene.run(POINT, [0.4], "failed", "ValueError: no")
    scene.run(POINT, [0.4, math.nan], "diverged", "validation_accuracy was nan in epoch 2")
    scene.run(POINT, [0.3, 0.6], "stopped", "the study's time is used up")
    running = scene.propose(POINT)
    slot = scene.start(running)
    scene.report(running, [0.2], slot)
    scene.propose(POINT)
    return scene


def test_states_and_values(scene: Any) -> None:
    """Each state has its counterpart; only complete and stopped trials have a value."""
    trials = to_optuna(scene.study, scene.job).trials
    assert [(trial.number, trial.state.name, trial.value) for trial in trials] == [
        (0, "COMPLETE", 0.7),
        (1, "FAIL", None),
        (2, "PRUNED", None),
        (3, "PRUNED", 0.6),
        (4, "RUNNING", None),
        (5, "WAITING", None),
    ]


def test_curves(scene: Any) -> None:
    """Reports become intermediate values, the one that diverged included."""
    trials = to_optuna(scene.study, scene.job).trials
    assert trials[0].intermediate_values == {1: 0.5, 2: 0.7}
    assert math.isnan(trials[2].intermediate_values[2])
    assert trials[5].intermediate_values == {}


def test_several_objectives_and_constraints(choice_scene: Any, tmp_path: Path) -> None:
    """A direction and a value for each, how far each trial is beyond each bound, no intermediate values."""
    import optuna_dashboard

    path = tmp_path / "optuna.log"
    export_journal(choice_scene.study, choice_scene.job, path)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    (study,) = [optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["validation_accuracy", "latency<ms>"]
    assert [(trial.state.name, trial.values, trial.intermediate_values) for trial in study.trials] == [
        ("COMPLETE", [0.7, 9.0], {}),
        ("COMPLETE", [0.9, 40.0], {}),
        ("COMPLETE", [0.8, 41.0], {}),
        ("COMPLETE", [0.95, 60.0], {}),
        ("FAIL", None, {}),
    ]
    assert study.trials[3].constraints == {"latency<ms> at most 50": 10.0, "size at least 1": -63.0}
    assert sorted(trial.number for trial in study.best_trials) == [0, 1]
    app = optuna_dashboard.wsgi(storage)
    (summary,) = ask(app, "/api/studies")["study_summaries"]
    detail = ask(app, f"/api/studies/{summary['study_id']}")
    assert detail["objective_names"] == ["validation_accuracy", "latency<ms>"]


def test_parameters_and_distributions(scene: Any) -> None:
    """Scales and choices are kept, and a conditional parameter is absent where it does not exist."""
    first, second = to_optuna(scene.study, scene.job).trials[:2]
    assert first.params == {"optimizer": "sgd", "momentum": 0.9, "lr": 1e-2, "width": 8}
    assert "momentum" not in second.params
    assert first.distributions == {
        "optimizer": optuna.distributions.CategoricalDistribution(["sgd", "adam"]),
        "momentum": optuna.distributions.FloatDistribution(0.0, 1.0),
        "lr": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
        "width": optuna.distributions.IntDistribution(4, 64, log=True),
    }


def test_times_are_those_of_the_attempts(scene: Any) -> None:
    """A trial lasts from its first attempt to the end of its last, whenever it is exported."""
    trials = to_optuna(scene.study, scene.job).trials
    assert trials[0].datetime_start.timestamp() == scene.study.trials[0].attempts[0].started
    assert trials[0].duration.total_seconds() == scene.study.trials[0].seconds
    assert trials[4].datetime_complete is None
    assert trials[5].datetime_start is None


def test_a_paused_trial_is_shown_as_far_as_it_came(scene: Any) -> None:
    """Pruned for now, with its value there, and until its attempt ended, whenever it is exported."""
    number = scene.propose(POINT)
    slot = scene.start(number)
    scene.report(number, [0.45], slot)
    scene.study.apply(RungDecided(time=scene.clocks[slot], trial=number, rung=1, epoch=1, action="pause"))
    saved = {"attempt": 1, "epoch": 1, "path": "p", "sha256": "", "size": 1}
    scene.study.apply(CheckpointSaved(time=scene.clocks[slot], trial=number, **saved))
    scene.end(number, "paused", slot)
    shown = to_optuna(scene.study, scene.job).trials[number]
    assert (shown.state, shown.value, shown.intermediate_values) == (TrialState.PRUNED, 0.45, {1: 0.45})
    assert shown.datetime_complete.timestamp() == scene.study.trials[number].attempts[0].ended


def test_trials_beyond_the_bounds_are_shown_too(make_scene: Any) -> None:
    """A search that zooms may go outward; all trials have one range, or Optuna's plots would leave some out."""
    scene = make_scene(SPACE, search={"method": "random", "zoom": {}}, budget={"trials": 9})
    scene.run(POINT, [0.5])
    space = {**scene.job.parameters, "lr": scene.job.parameters["lr"].model_copy(update={"low": 0.1, "high": 10.0})}
    scene.study.apply(RoundStarted(time=scene.study.newest, round=2, trial=1, space=space, cause=""))
    scene.run(POINT | {"lr": 9.0}, [0.7])
    trials = to_optuna(scene.study, scene.job).trials
    assert [trial.params["lr"] for trial in trials] == [1e-2, 9.0]
    assert {str(trial.distributions["lr"]) for trial in trials} == {
        str(optuna.distributions.FloatDistribution(1e-4, 10.0, log=True))
    }


def test_attributes(grid_scene: Any) -> None:
    """Seed, attempts, node, cause and baseline travel along."""
    trials = to_optuna(grid_scene.study, grid_scene.job).trials
    assert trials[0].user_attrs == {"seed": 1000, "attempts": 1, "node": "node-0", "cause": "", "baseline": True}
    assert trials[18].user_attrs["attempts"] == 2
    assert trials[34].user_attrs["cause"] == "validation_accuracy was nan in epoch 2"


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf]])
def test_a_complete_trial_without_a_number_is_pruned(make_scene: Any, values: list[float]) -> None:
    """Optuna refuses a complete trial without a finite value, so it is shown pruned."""
    scene = make_scene()
    scene.run({"lr": 1e-3, "width": 8}, values)
    (trial,) = to_optuna(scene.study, scene.job).trials
    assert (trial.state, trial.value) == (TrialState.PRUNED, None)


def test_the_verbosity_of_optuna_is_left_alone(grid_scene: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed, and a user's own Optuna stays as talkative as it was."""
    optuna.logging.set_verbosity(optuna.logging.INFO)
    to_optuna(grid_scene.study, grid_scene.job)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert capfd.readouterr().err == ""


def test_a_second_export_replaces_the_first(scene: Any, tmp_path: Path) -> None:
    """The journal holds the study once, as it is now, and nothing else is left beside it."""
    path = tmp_path / "optuna.log"
    export_journal(scene.study, scene.job, path)
    scene.run(POINT, [0.9])
    export_journal(scene.study, scene.job, path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["optuna.log"]
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    (study,) = optuna.get_all_study_summaries(storage)
    assert (study.study_name, study.n_trials, study.best_trial.value) == ("digits-lr-width", 7, 0.9)


def test_a_failed_export_keeps_the_old_journal(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing breaks off, the journal that was there is untouched and no half file is left."""
    path = tmp_path / "optuna.log"
    path.write_text("old")

    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tinderbox.report.export.fill", fill)
    with pytest.raises(BadInput, match=r"optuna.log: the journal cannot be written: No space left on device; give a"):
        export_journal(scene.study, scene.job, path)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("optuna.log", "old")]


def test_a_folder_that_is_missing(scene: Any, tmp_path: Path) -> None:
    """A path into nowhere is told in one sentence."""
    with pytest.raises(BadInput, match=r"missing/optuna.log: the journal cannot be written: No such file"):
        export_journal(scene.study, scene.job, tmp_path / "missing" / "optuna.log")


def test_optuna_dashboard_opens_the_journal(scene: Any, tmp_path: Path) -> None:
    """optuna-dashboard serves the study from the journal, with metric, curves and attributes."""
    import optuna_dashboard

    path = tmp_path / "optuna.log"
    export_journal(scene.study, scene.job, path)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    app = optuna_dashboard.wsgi(storage)
    (summary,) = ask(app, "/api/studies")["study_summaries"]
    detail = ask(app, f"/api/studies/{summary['study_id']}")
    assert (summary["study_name"], detail["objective_names"]) == ("digits-lr-width", ["validation_accuracy"])
    states = [trial["state"] for trial in detail["trials"]]
    assert states == ["Complete", "Fail", "Pruned", "Pruned", "Running", "Waiting"]
    assert len(detail["trials"][0]["intermediate_values"]) == 2
    assert {"key": "cause", "value": "ValueError: no"} in detail["trials"][1]["user_attrs"]


def ask(app: Any, path: str) -> Any:
    """Return what a WSGI application answers to one GET."""
    begun: list[str] = []
    environment = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "test",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    body = b"".join(app(environment, lambda status, *_: begun.append(status)))
    assert begun == ["200 OK"], body
    return json.loads(body, parse_constant=pytest.fail)
