"""What a study that has ended looks like on a terminal."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import asdict

import pytest

from tinderbox.api.ending import GAIN, leave_behind
from tinderbox.api.result import SweepResult, open_study
from tinderbox.cli.screen import open_console
from tinderbox.cli.tables import describe_confirmations, describe_gain, print_result
from tinderbox.config import Constraint, Metric
from tinderbox.models.gain import Gain
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.events import AttemptEnded, AttemptStarted, Reported, TrialProposed

ACCURACY = Gain("accuracy", 359, 0.98, 0.95, 0.03, 0.01, 0.05)


@pytest.fixture
def result(recorded: StudyFolder) -> SweepResult:
    """The study."""
    return open_study("small", recorded.root.rpartition("/")[0])


def printed(result: SweepResult) -> str:
    """Return what is printed where the terminal is narrow."""
    console = open_console(file=io.StringIO(), width=60)
    print_result(console, result)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_best_trials_are_a_table(result: SweepResult) -> None:
    """Complete trials only, best first, the default parameters marked."""
    rows = [line.strip("│").split("│") for line in printed(result).splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1", "1", "0.25", "1", "2.0"],
        ["2", "0 (default)", "0.5", "0", "2.0"],
    ]


def test_texts_of_users_stay_as_they_are(result: SweepResult) -> None:
    """A choice and a metric may look like what Rich takes for an emoji or a colour."""
    named = result.job.metric.model_copy(update={"name": ":train:"})
    result.job = result.job.model_copy(update={"metric": named})
    for trial in result.record.trials.values():
        trial.parameters["x"] = "[red]:boom:"
        trial.reports = {epoch: {":train:": metrics["loss"]} for epoch, metrics in trial.reports.items()}
    result.record.metric = ":train:"
    lines = printed(result).splitlines()
    assert ":train:" in lines[2]
    assert "[red]:boom:" in lines[4]


def test_a_front_is_a_table_too(result: SweepResult) -> None:
    """With all that is reported; a long one is cut, and says so."""
    assert "front" not in printed(result)
    size = Metric(name="size", direction="minimize")
    result.job = result.job.model_copy(update={"objectives": [size], "constraints": [Constraint(name="ms", max=9)]})
    result.record.further, result.record.constraints = (size,), (Constraint(name="ms", max=9),)
    for number, told in ((0, {"size": 3.0, "ms": 9.0}), (1, {"size": 4.0, "ms": 8.5})):
        result.record.trials[number].last.update(told)
    lines = printed(result).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("front: 2 trials"))
    rows = [line.strip("│").split("│") for line in lines[start:] if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1", "0.25", "4", "8.5", "1", "2.0"],
        ["0 (default)", "0.5", "3", "9", "0", "2.0"],
    ]
    for number in range(10, 33):
        twin = copy.copy(result.record.trials[1])
        twin.number, result.record.trials[number] = number, twin
    assert "and 5 more in the report" in printed(result)


def test_files_are_told_on_one_line_each(result: SweepResult) -> None:
    """Paths are whole, however long they are, or they could not be copied."""
    leave_behind(result.record, result.job, result.folder, None)
    lines = printed(result).splitlines()
    assert f"report     {result.report}" in lines
    assert f"optuna     {result.folder.path('optuna.log')}" in lines


def test_the_gain_is_a_sentence(result: SweepResult) -> None:
    """Accuracies in percent with their interval, and what was scored."""
    result.folder.write(GAIN, json.dumps({"trial": 0, **asdict(ACCURACY)}).encode())
    assert (
        "test accuracy 98 %, 95 % with the default parameters: a gain of +3 (95 % interval +1 to +5); "
        "chosen on validation data, scored once on 359 test examples"
    ) in printed(result).splitlines()


def test_a_gain_in_another_measure() -> None:
    """Errors are told as they are."""
    told = describe_gain(Gain("mean squared error", 20, 0.25, 0.5, -0.25, -0.5, 0.125))
    assert told.startswith("test mean squared error 0.25, 0.5 with the default parameters: a gain of -0.25 (95 % ")


def test_leaders_that_were_trained_again(result: SweepResult) -> None:
    """A line each, the one with the best mean first."""
    study = result.record
    for number, of, value in ((2, 0, 0.3), (3, 0, 0.5), (4, 1, 0.9)):
        parameters = study.trials[of].parameters
        study.apply(TrialProposed(time=200, trial=number, parameters=parameters, seed=number, known=2, repeats=of))
        study.apply(AttemptStarted(time=200, trial=number, attempt=1, slot="a", node="n"))
        study.apply(Reported(time=201, trial=number, attempt=1, epoch=2, metrics={"loss": value}))
        study.apply(AttemptEnded(time=202, trial=number, attempt=1, outcome="complete"))
    assert describe_confirmations(result) == [
        "trial 0, trained again with 2 other seeds: loss 0.4 +- 0.1414, 0.5 in the search",
        "trial 1, trained again with 1 other seed: loss 0.9, 0.25 in the search",
    ]
    study.apply(TrialProposed(time=203, trial=5, parameters={}, seed=5, known=2, repeats=0))
    study.apply(AttemptStarted(time=203, trial=5, attempt=1, slot="a", node="n"))
    study.apply(AttemptEnded(time=204, trial=5, attempt=1, outcome="diverged"))
    told = "trial 0, trained again with 3 other seeds, 1 of which failed or diverged: loss 0.4 +- 0.1414, 0.5 in the "
    assert describe_confirmations(result)[1] == f"{told}search"
