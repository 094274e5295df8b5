"""The command that says how two runs differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console

from tests.unit.api.test_compare import RUN, train
from tinderbox.api.compare import Comparison
from tinderbox.api.differences import Figure
from tinderbox.cli.diff import describe_gain, print_comparison
from tinderbox.models.gain import Gain
from tinderbox.storage import StudyFolder

Tinderbox = Callable[..., Result]


def cells(output: str) -> list[list[str]]:
    """Return what is in the lines of the tables."""
    lines = [line for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """The storage of two trainings that differ in their batch and in how many epochs there are."""
    train(tmp_path / "studies", "one", 1)
    train(tmp_path / "studies", "two", 2, batch=32)
    return tmp_path / "studies"


@pytest.mark.usefixtures("pair")
def test_trainings_are_compared_in_tables(tinderbox: Tinderbox) -> None:
    """What has changed, what has not, and what that did; each row fits a terminal of 80 columns."""
    result = tinderbox("diff", "one", "two")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "first: training one; second: training two"
    assert lines[1] == "changed: configuration; the same: data, code, model, versions"
    assert lines[-1] == "not scored on test examples: one and two have no model yet"
    rows = cells(result.stdout)
    assert ["batch.size", "64", "32"] in rows
    assert ["epochs", "1", "2", "+1"] in rows
    assert ["attempts", "1", "1", "0"] in rows
    assert ["top1", "35.23 % (1)", "53.31 % (2)", "+18.08 points"] in rows
    assert ["top1", "35.23 %", "53.31 %", "+18.08 points"] in rows
    assert ["top1", "35.23 %", "1", "1", "6.841", "6.841"] in rows
    assert max(map(len, lines)) <= 80


@pytest.mark.usefixtures("pair")
def test_programs_read_json(tinderbox: Tinderbox) -> None:
    """One object with all of it."""
    result = tinderbox("diff", "one", "two", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert (told["kind"], told["first"], told["second"], told["gain"]) == ("training", "one", "two", None)
    assert told["same"] == {"data": True, "code": True, "model": True, "configuration": False, "versions": True}
    assert told["configuration"] == [{"name": "batch.size", "first": 64, "second": 32}]
    assert told["figures"][0] == {"name": "epochs", "first": 1, "second": 2, "difference": 1}
    loss = next(metric for metric in told["metrics"] if metric["name"] == "val_loss")
    assert loss["goal"] == loss["first"]["best"]


def test_json_has_no_number_that_json_has_not(tinderbox: Tinderbox, tmp_path: Path) -> None:
    """A last value that is not finite is null."""
    for name in ("one", "two"):
        folder = train(tmp_path / "studies", name, 1)
        lines = folder.read("events/000001-000000.jsonl").replace(b'"loss":', b'"mae":"NaN","loss":')
        folder.write("events/000001-000000.jsonl", lines)
    told = json.loads(tinderbox("diff", "one", "two", "--json").stdout, parse_constant=pytest.fail)
    mae = next(metric for metric in told["metrics"] if metric["name"] == "mae")
    assert (mae["first"], mae["second"]) == (None, None)
    assert ["mae", "—", "—", "—"] in cells(tinderbox("diff", "one", "two").stdout)


def test_studies_are_compared(tinderbox: Tinderbox, recorded: StudyFolder, tmp_path: Path) -> None:
    """With another one of the same name elsewhere."""
    other = StudyFolder(str(tmp_path / "other"), "small")
    other.write_job(recorded.read_job(), recorded.read_run())
    result = tinderbox("diff", "small", "small", "--other-storage", "other")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[1] == "nothing has changed"
    assert ["best loss", "0.25", "—", "—"] in cells(result.stdout)


def test_digests_are_cut(tinderbox: Tinderbox, tmp_path: Path) -> None:
    """To as many digits as tell them apart, and nothing has a dash."""
    train(tmp_path / "studies", "one", 1)
    train(tmp_path / "studies", "two", 1, type(RUN)("", "", "0123456789abcdef", "", "3.12.0", {}, "e" * 64))
    rows = cells(tinderbox("diff", "one", "two", "--no-score").stdout)
    assert ["data", "dddddddddddd...", "0123456789ab..."] in rows
    assert ["code", "cccccccccccc...", "—"] in rows
    assert ["Python", "3.11.9", "3.12.0"] in rows


@pytest.mark.usefixtures("recorded", "pair")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["one", "small"], "one is a training and small a study; name two runs of one kind"),
        (["one", "three"], "it holds one, small, two"),
        (["one", "two", "--other-storage", "nowhere"], "it holds none"),
        (["one", "two", "--storage", "nonsense://x"], "storage 'nonsense://x' cannot be opened"),
    ],
)
def test_what_cannot_be_compared(tinderbox: Tinderbox, arguments: list[str], sentence: str) -> None:
    """Is one sentence, and bad input."""
    result = tinderbox("diff", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert sentence in result.stderr


def test_a_gain_has_its_interval() -> None:
    """Accuracies are in percent, and an interval with 0 says what that means."""
    sure = Gain("accuracy", 359, 0.95, 0.9, 0.05, 0.02, 0.08)
    assert describe_gain(sure) == (
        "test accuracy on 359 examples: 90 % first, 95 % second, a difference of +5 (95 % interval +2 to +8)"
    )
    chance = Gain("mean squared error", 1, 0.5, 0.4, 0.1, -0.1, 0.3)
    assert describe_gain(chance).endswith("(95 % interval -0.1 to +0.3; 0 lies inside it: this much can be chance)")


def test_a_gain_is_printed_last(capsys: pytest.CaptureFixture[str]) -> None:
    """After the tables."""
    gain = Gain("accuracy", 10, 0.5, 0.5, 0.0, 0.0, 0.0)
    compared = Comparison("training", "one", "two", (), (), (), (Figure("epochs", 1.0, 2.0),), gain=gain)
    print_comparison(Console(), compared)
    assert capsys.readouterr().out.splitlines()[-1].startswith("test accuracy on 10 examples: 50 % first")
