"""What a running study looks like, on a terminal and in a log."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tinderbox.api.result import open_study
from tinderbox.cli import screen
from tinderbox.cli.screen import Bar, Lines, clock, ending, number, open_console, sentence
from tinderbox.errors import BadInput
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.status import Status, take_status
from tinderbox.sweeping.study import Study


@pytest.fixture
def study(recorded: StudyFolder) -> Study:
    """A study of which four trials have ended."""
    return open_study("small", recorded.root.rpartition("/")[0]).record


@pytest.fixture
def status(study: Study) -> Status:
    """Where it stands, with two slots."""
    study.finished = None
    return take_status(study, 5, None, 2, 120.0)


def test_a_log_has_a_line_for_each_trial(study: Study, status: Status) -> None:
    """Each trial is told once, with its value, its parameters and why it failed; brackets stay brackets."""
    study.trials[2].attempts[-1].cause = "ValueError: no [such] layer"
    console = open_console(file=io.StringIO(), width=40)
    with Lines(console) as lines:
        lines.tell("starting slots")
        lines.show(status, study)
        lines.show(status, study)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "starting slots",
        "[1/5] trial 0 complete loss=0.5 in 2.0 s (x=0)",
        "[2/5] trial 1 complete loss=0.25 in 2.0 s (x=1)",
        "[3/5] trial 2 failed in 4.0 s (x=2): ValueError: no [such] layer",
        "[4/5] trial 3 diverged loss=nan in 2.0 s (x=3): loss was nan in epoch 1",
    ]


def test_a_log_does_not_repeat_what_an_earlier_driver_told(study: Study, status: Status) -> None:
    """A driver that continues a study says how far it was, and tells of the trials that end from then on."""
    study.resumed = 103.0
    for trial in study.ended[:3]:
        trial.attempts[-1].ended = 102.5
    console = open_console(file=io.StringIO())
    Lines(console).show(status, study)
    assert console.file.getvalue().splitlines() == [  # type: ignore[attr-defined]
        "continuing a study in which 3 trials have ended",
        "[4/5] trial 3 diverged loss=nan in 2.0 s (x=3): loss was nan in epoch 1",
    ]


def test_a_log_has_a_summary_now_and_then(study: Study, status: Status) -> None:
    """Where no trial ends for long, the log still tells how far the study is."""
    console = open_console(file=io.StringIO())
    lines = Lines(console, every=0.0)
    lines.show(status, study)
    last = console.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]
    assert last == "4/5 trials, 0 running, best loss 0.25 (trial 1), 0:01 left"


def test_a_terminal_has_one_line(study: Study, status: Status) -> None:
    """The bar tells trials done, running, the best and the time left; before, what is being started."""
    console = open_console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with Bar(console) as bar:
        bar.tell("starting Spark")
        bar.show(status, study)
        bar.tell("done")
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    assert "4/5 trials 0 running best loss 0.25 (trial 1) 0:01 left" in drawn
    assert "done" in drawn


def test_a_line_shows_texts_as_they_are(status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Rich takes for a colour or an emoji stays a text, in a step and in a metric's name."""
    monkeypatch.setenv("TERM", "xterm")  # one that is "dumb" has 80 columns, whatever it is told
    console = open_console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with Bar(console) as bar:
        bar.show(replace(status, metric="[red]:train:"))
        bar.tell("not scored: no [such] boom:train:")
    drawn = console.file.getvalue()
    assert "not scored: no [such] boom:train:" in drawn
    assert "best [red]:train: 0.25" in drawn


def test_an_error_is_one_line_that_ends_as_it_did() -> None:
    """Lines are joined; of a long text the middle is left out."""
    assert sentence(BadInput("no\n\n  such\r\nkey")) == "no such key"
    long = sentence(BadInput("key" + "\nx" * 1000 + "\ntake another"))
    assert len(long) == 500
    assert long.startswith("key x x x ")
    assert long.endswith("x x take another")
    assert " ... " in long


def test_consoles_are_made_in_one_place() -> None:
    """A console of Rich's own would replace parts of what users wrote."""
    folder = Path(screen.__file__).parent
    assert {path.name for path in folder.glob("*.py") if re.search(r"\bConsole\(", path.read_text())} == {"screen.py"}


def test_an_ending_without_a_cause(study: Study) -> None:
    """A trial that went well needs no reason."""
    assert ending(study.trials[1], "loss") == "trial 1 complete loss=0.25 in 2.0 s (x=1)"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (90061, "25:01:01")]
)
def test_lengths_of_time(seconds: float, told: str) -> None:
    """Hours appear where there are some."""
    assert clock(seconds) == told


@pytest.mark.parametrize(("value", "told"), [(0.123456, "0.1235"), (7, "7"), ("relu", "relu"), (float("nan"), "nan")])
def test_values(value: object, told: str) -> None:
    """Real numbers have four digits, everything else is as it is."""
    assert number(value) == told
