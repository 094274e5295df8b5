"""A study as a notebook sees it, read from its record alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tinderbox.api.ending import PARAMETERS, export_best, leave_behind
from tinderbox.api.plan import describe_job
from tinderbox.api.result import SweepResult, open_study
from tinderbox.config import COLUMNS, Constraint, Metric
from tinderbox.errors import BadInput
from tinderbox.run import identify
from tinderbox.storage import StudyFolder


@pytest.fixture
def result(recorded: StudyFolder) -> SweepResult:
    """The study, opened again."""
    return open_study("small", recorded.root.rpartition("/")[0])


def test_trials_are_rows(result: SweepResult) -> None:
    """One row for each trial, with its value, its parameters and how it went."""
    trials = result.trials
    assert trials.index.name == "trial"
    assert trials.index.tolist() == [0, 1, 2, 3, 4]
    assert trials["state"].tolist() == ["complete", "complete", "failed", "diverged", "waiting"]
    assert trials["x"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert trials["loss"].tolist()[:2] == [0.5, 0.25]
    assert trials["attempts"].tolist() == [1, 1, 2, 1, 0]
    assert trials["baseline"].tolist() == [True, False, False, False, False]
    assert trials["cause"][2] == "ValueError: no"
    assert "<table" in result._repr_html_()


def test_no_column_hides_another(result: SweepResult) -> None:
    """The table has the columns whose names metric and parameters cannot have, these two, and no other."""
    assert sorted([result.trials.index.name, *result.trials.columns]) == sorted([*COLUMNS, "loss", "x"])


def test_the_best_is_the_best_complete_trial(result: SweepResult) -> None:
    """Its parameters and its value are at hand."""
    assert (result.best_parameters, result.best_value) == ({"x": 1.0}, 0.25)


def test_the_front_is_a_table(result: SweepResult) -> None:
    """The trials that no other one beats, in rows as all trials have, best metric first; one objective has its best."""
    assert result.front.index.tolist() == [1]
    result.record.further = (Metric(name="size", direction="minimize"),)
    result.record.constraints = (Constraint(name="speed", min=2),)
    for number, size, speed in ((0, 3.0, 2.0), (1, 4.0, 9.0)):
        result.record.trials[number].last.update(size=size, speed=speed)
    assert result.front.index.name == "trial"
    assert result.front.index.tolist() == [1, 0]
    assert result.front[["loss", "size", "speed", "x"]].to_numpy().tolist() == [[0.25, 4, 9, 1], [0.5, 3, 2, 0]]
    assert list(result.front.columns) == list(result.trials.columns)
    assert result.trials["size"].tolist()[:2] == [3.0, 4.0]
    result.record.trials[1].last["size"] = 3.0
    assert result.front.index.tolist() == [1]


def test_the_parameters_kept_have_all_metrics(result: SweepResult) -> None:
    """Beside what was chosen stands what it reached."""
    result.record.further = (Metric(name="size", direction="minimize"),)
    result.record.trials[1].last["size"] = 4.0
    export_best(result.record, result.folder)
    told = yaml.safe_load(result.folder.read(PARAMETERS))
    assert told == {"trial": 1, "loss": 0.25, "size": 4.0, "seed": 7, "parameters": {"x": 1.0}}


def test_a_study_without_trials(result: SweepResult) -> None:
    """A study that was stopped before its first trial is empty, and no error."""
    folder = StudyFolder(result.folder.root.rpartition("/")[0], "empty")
    job = result.job.model_copy(update={"name": "empty"})
    folder.write_job(describe_job(job), identify("empty", describe_job(job), "", ""))
    empty = open_study("empty", folder.root.rpartition("/")[0])
    assert len(empty.trials) == 0
    assert (empty.best_parameters, empty.best_value, empty.gain, empty.files()) == (None, None, None, {})
    with pytest.raises(BadInput, match="study 'empty' has no trials yet, got 0"):
        empty.log(0)


def test_what_a_trial_printed(result: SweepResult) -> None:
    """The newest attempt's output with its traceback, or that of another attempt."""
    assert result.log(2) == "second attempt\nTraceback\nValueError: no\n"
    assert result.log(2, 1) == "first attempt\n"
    assert result.log(0) == ""


@pytest.mark.parametrize(
    ("trial", "attempt", "sentence"),
    [
        (5, None, "study 'small' has trials 0 to 4, got 5"),
        (-1, None, "study 'small' has trials 0 to 4, got -1"),
        (4, None, "trial 4 has not been started yet"),
        (2, 3, "trial 2 has attempts 1 to 2, got 3"),
        (2, 0, "trial 2 has attempts 1 to 2, got 0"),
    ],
)
def test_a_log_that_is_not_there(result: SweepResult, trial: int, attempt: int | None, sentence: str) -> None:
    """One sentence says what there is."""
    with pytest.raises(BadInput) as refused:
        result.log(trial, attempt)
    assert str(refused.value) == sentence


def test_what_a_study_leaves_behind(result: SweepResult) -> None:
    """The best trial's state and parameters, a report and an export; a state that is no Keras model is no model."""
    assert set(result.files()) == set()
    leave_behind(result.record, result.job, result.folder, None)
    files = result.files()
    assert set(files) == {"state", "parameters", "report", "optuna"}
    assert Path(files["state"]).read_bytes() == b"state of trial 1"
    kept = yaml.safe_load(Path(files["parameters"]).read_text())
    assert kept == {"trial": 1, "loss": 0.25, "seed": 7, "parameters": {"x": 1.0}}
    assert files["report"] == result.report
    with pytest.raises(BadInput, match="study 'small' has no Keras model; report checkpoints with keras_callback"):
        result.best_model()


def test_an_unknown_study(recorded: StudyFolder) -> None:
    """The sentence names the studies that there are."""
    storage = recorded.root.rpartition("/")[0]
    with pytest.raises(BadInput) as refused:
        open_study("smal", storage)
    assert str(refused.value) == f"there is no study 'smal' in {storage}; it holds small"


@pytest.mark.parametrize("storage", ["nonsense://bucket", "s3://bucket/studies"])
def test_storage_that_cannot_be_opened(storage: str) -> None:
    """A URL of an unknown kind, or one whose package is missing, is refused in one sentence."""
    with pytest.raises(BadInput, match=rf"^storage '{storage}' cannot be opened: .+; give a folder or another URL$"):
        open_study("small", storage)


def test_storage_that_cannot_be_written(result: SweepResult, tmp_path: Path) -> None:
    """Where a file is in the way of a folder, the sentence says so."""
    (tmp_path / "file").touch()
    folder = StudyFolder(str(tmp_path / "file"), "small")
    with pytest.raises(BadInput, match=r"file/small cannot be written: Not a directory; give another"):
        folder.write_job(describe_job(result.job), identify("small", describe_job(result.job), "", ""))
