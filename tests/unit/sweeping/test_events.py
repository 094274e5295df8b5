"""Events as JSON lines that any reader can read and that come back as they were."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import pytest

from tinderbox.config import ChoiceParameter, FloatParameter, IntParameter
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointFreed,
    CheckpointSaved,
    Event,
    NodeAvoided,
    PastTrial,
    Reported,
    RoundStarted,
    RungDecided,
    SlotJoined,
    SlotLeft,
    StudyEnded,
    StudyStarted,
    TrialProposed,
    TrialsRecalled,
    decode,
    encode,
)

ALL = [
    StudyStarted(time=1.5, generation=2),
    TrialProposed(
        time=1.0,
        trial=0,
        parameters={"i": 1, "f": 1.0, "b": True, "s": "1", "e": 1e-300},
        seed=3,
        known=4,
        baseline=True,
    ),
    TrialsRecalled(
        time=1.0,
        study="old",
        trials=[
            PastTrial(parameters={"x": 1, "y": 1.0, "z": "1"}, state="complete", curve={1: 0.5, 10: 1e300}),
            PastTrial(parameters={}, state="diverged", curve={}),
        ],
    ),
    RoundStarted(
        time=1.0,
        round=2,
        trial=9,
        space={
            "lr": FloatParameter(low=1e-3, high=0.1, log=True, grid=4),
            "width": IntParameter(low=8, high=64, when={"cell": ["lstm"]}),
            "cell": ChoiceParameter(choices=["lstm", True, 1.5, 2]),
        },
        cause="narrowed",
    ),
    AttemptStarted(time=1.0, trial=0, attempt=1, slot="a", node="n"),
    Reported(time=1.0, trial=0, attempt=1, epoch=1, metrics={"loss": 0.1, "accuracy": 1.0}),
    CheckpointSaved(time=1.0, trial=0, attempt=1, epoch=1, path="p", sha256="00", size=1 << 40),
    CheckpointFreed(time=1.0, trial=0, path="p", size=1 << 40),
    RungDecided(time=1.0, trial=0, rung=3, epoch=4, action="pause"),
    NodeAvoided(time=1.0, node="n", cause="gone again"),
    AttemptEnded(time=1.0, trial=0, attempt=1, outcome="failed", cause='a "cause"\nof two lines', details="ü \u2028"),
    SlotJoined(time=1.0, slot="a", node="n"),
    SlotLeft(time=1.0, slot="a", cause="gone"),
    StudyEnded(time=1.0, cause="done"),
]


@pytest.mark.parametrize("event", ALL, ids=lambda event: event.type)
def test_an_event_is_one_line(event: Event) -> None:
    """Each kind of event survives the line, types of parameters included, and the line is plain JSON."""
    line = encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["type"] == event.type
    again = decode(line)
    assert again == event
    assert repr(again) == repr(event)


def test_every_kind_is_tried() -> None:
    """The list above leaves no event out."""
    assert {type(event) for event in ALL} == set(get_args(Event))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(value: float) -> None:
    """NaN and infinities are texts in JSON, which strict readers take, and numbers again when they are read."""
    line = encode(Reported(time=1.0, trial=0, attempt=1, epoch=1, metrics={"loss": value}))

    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is not JSON")

    json.loads(line, parse_constant=refuse)
    again = decode(line)
    assert isinstance(again, Reported)
    assert repr(again.metrics["loss"]) == repr(value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b'{"type": "study_started"}',
        b'{"type": "study_started", "time": 1, "generation": 1, "more": 1}',
        b'{"type": "unknown", "time": 1}',
        b'{"type": "study_started", "time": 1, "gener',
        b'\x00{"type": "study_started", "time": 1, "generation": 1}',
    ],
)
def test_what_is_no_event(line: bytes) -> None:
    """Half a line, an unknown kind, a missing and an unknown key are refused."""
    with pytest.raises(ValueError, match=r".+"):
        decode(line)
