"""One sentence for each way to fail."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tinderbox.errors import BadInput
from tinderbox.failure import Failure, describe, describe_exit


def caught(function: Any) -> BaseException:
    """Return what a function raises."""
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def users(message: Any) -> None:
    """Raise, as a user's function does."""
    raise ValueError(message)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("no such layer", "ValueError: no such layer"),
        ("first line\nsecond line", "ValueError: first line"),
        ("", "ValueError"),
        (b"bytes", "ValueError: b'bytes'"),
    ],
)
def test_the_cause_is_one_line(message: Any, cause: str) -> None:
    """The type and the first line of the message; the traceback has the rest."""
    failure = describe(caught(lambda: users(message)))
    assert failure.cause == cause
    assert "in users" in failure.details
    assert failure.details.rstrip().endswith(str(message).rstrip() or "ValueError")


def test_our_own_sentences_stand_alone() -> None:
    """What Tinderbox refuses is told without the name of a class."""

    def refuse() -> None:
        raise BadInput("report needs loss; it got none")

    assert describe(caught(refuse)).cause == "report needs loss; it got none"


def test_frames_of_a_folder_are_left_out() -> None:
    """Those before the first one outside it, not those after; without any outside, none is told."""
    here = Path(__file__).parent
    failure = describe(caught(lambda: json.loads("{")), skip=here)
    assert "test_failure.py" not in failure.details
    assert "decoder.py" in failure.details
    own = describe(caught(lambda: users("x")), skip=here)
    assert own == Failure("ValueError: x", "ValueError: x\n")
    after = describe(caught(lambda: json.loads("{", object_hook=users)), skip=Path(json.__file__).parent)
    assert "test_failure.py" in after.details


def test_failures_are_bounded() -> None:
    """A message of a megabyte keeps its beginning as the cause and its end as details."""
    failure = describe(caught(lambda: users("x" * 1_000_000 + "the end")))
    assert failure.cause.startswith("ValueError: xxx")
    assert (len(failure.cause), len(failure.details)) == (1_000, 16_384)
    assert failure.details.endswith("the end\n")


def test_what_utf8_cannot_hold_is_escaped() -> None:
    """A file name that is no UTF-8 may be part of a message, and must fit into JSON."""
    failure = describe(caught(lambda: users("no file \udcff")))
    assert failure.cause == "ValueError: no file \\udcff"
    assert json.loads(json.dumps(failure.details).encode()) == failure.details


def test_how_it_came_about_is_told() -> None:
    """The error behind an error is in the details."""

    def chained() -> None:
        try:
            users("first")
        except ValueError as error:
            raise RuntimeError("second") from error

    failure = describe(caught(chained))
    assert failure.cause == "RuntimeError: second"
    assert "ValueError: first" in failure.details


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (-signal.SIGKILL, "the trial's process was killed by SIGKILL"),
        (-signal.SIGSEGV, "the trial's process was killed by SIGSEGV"),
        (-63, "the trial's process was killed by signal 63"),
        (0, "the trial's process ended with exit code 0 before the function returned"),
        (7, "the trial's process ended with exit code 7 before the function returned"),
        (None, "the trial's process ended with exit code None before the function returned"),
    ],
)
def test_a_process_that_ended(code: int | None, cause: str) -> None:
    """By a signal, known or not, or by itself."""
    assert describe_exit(code) == Failure(cause)


def test_whose_process_ended() -> None:
    """A worker of a training is told of in the same words."""
    assert (
        describe_exit(3, "its", "training was over").cause
        == "its process ended with exit code 3 before training was over"
    )
    assert describe_exit(-9, "its", "training was over").cause == "its process was killed by SIGKILL"
