"""Studies as one of Optuna's storages, that is only read."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage

from tinderbox.report.export import fill
from tinderbox.report.shelf import Shelf, new_shelf


@pytest.fixture
def stored(scene: Any) -> BaseStorage:
    """A study in a storage of its own."""
    storage = InMemoryStorage()
    fill(storage, scene.study, scene.job)
    return storage


@pytest.fixture
def scene(make_scene: Any) -> Any:
    """A study of two trials."""
    scene = make_scene()
    scene.run({"lr": 1e-3, "width": 8}, [0.7])
    scene.run({"lr": 1e-2, "width": 8}, [0.9])
    return scene


@pytest.fixture
def shelf(stored: BaseStorage, choice_scene: Any) -> Shelf:
    """A shelf with that study, and one with two objectives."""
    other = InMemoryStorage()
    fill(other, choice_scene.study, choice_scene.job.model_copy(update={"name": "choice"}))
    shelf = new_shelf()
    shelf.show({"first": stored, "second": other})
    return shelf


def test_optuna_reads_each_study(shelf: Any) -> None:
    """By name, as from any storage: trials, directions, metrics, the best trial."""
    assert optuna.get_all_study_names(shelf) == ["digits-lr-width", "choice"]
    study = optuna.load_study(study_name="digits-lr-width", storage=shelf)
    assert (len(study.trials), study.best_trial.number, study.best_value) == (2, 1, 0.9)
    assert (study.metric_names, study.user_attrs) == (["validation_accuracy"], {})
    other = optuna.load_study(study_name="choice", storage=shelf)
    assert [direction.name for direction in other.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert len(other.get_trials(states=[optuna.trial.TrialState.FAIL])) == 1


def test_a_study_keeps_its_number(shelf: Shelf, stored: BaseStorage) -> None:
    """Whatever comes before it or goes; and a number is not given twice."""
    second = shelf.get_all_studies()[1]
    shelf.show({"third": stored})
    assert [study._study_id for study in shelf.get_all_studies()] == [2]
    shelf.show({"third": stored, "first": stored})
    assert [study._study_id for study in shelf.get_all_studies()] == [0, 2]
    with pytest.raises(KeyError):
        shelf.get_study_name_from_id(second._study_id)


def test_what_is_not_there_is_an_error_that_optuna_knows(shelf: Shelf) -> None:
    """A name, a number, and a trial by a number over all studies."""
    with pytest.raises(KeyError, match="missing"):
        shelf.get_study_id_from_name("missing")
    with pytest.raises(KeyError):
        shelf.get_all_trials(7)
    with pytest.raises(KeyError):
        shelf.get_trial(0)


def test_nothing_can_be_changed(shelf: Any) -> None:
    """Neither studies nor trials."""
    study = optuna.load_study(study_name="digits-lr-width", storage=shelf)
    with pytest.raises(PermissionError, match="studies are only shown here"):
        study.ask()
    with pytest.raises(PermissionError, match="studies are only shown here"):
        optuna.delete_study(study_name="choice", storage=shelf)
    with pytest.raises(PermissionError, match="studies are only shown here"):
        optuna.create_study(storage=shelf)
