"""Messages between slots and the coordinator: closed, frozen, and whole after the wire."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tinderbox.sweeping.messages import (
    ANSWER,
    ASK,
    DECISION,
    FINISH,
    HEARTBEAT,
    REPORT,
    Answer,
    Ask,
    Decision,
    Finish,
    Heartbeat,
    Lease,
    Report,
)

ASKED = Ask(slot="slot-0+1", node="n", request=3, host="pod")
LEASE = Lease(
    trial=1, attempt=2, parameters={"lr": 1.0, "width": 8, "fast": True, "name": "1"}, seed=2**32 - 1, epochs=5
)
ALL: list[tuple[TypeAdapter[Any], Any]] = [
    (ASK, ASKED),
    (ANSWER, Answer()),
    (ANSWER, Answer(done=True)),
    (ANSWER, Answer(lease=LEASE)),
    (REPORT, Report(slot="a", attempt=1, epoch=2, metrics={"loss": 0.5}, last=True, can_save=True)),
    (DECISION, Decision(action="stop", save=True)),
    (FINISH, Finish(ask=ASKED, attempt=1, outcome="failed", cause="c", details="d", log="\x1b[0m \x00 ü")),
    (HEARTBEAT, Heartbeat(slot="a")),
    (HEARTBEAT, Heartbeat(slot="a", trial=0, attempt=1, log="l")),
]


@pytest.mark.parametrize(("adapter", "message"), ALL)
def test_a_message_survives_the_wire(adapter: TypeAdapter[Any], message: Any) -> None:
    """What arrives is what was sent, types of parameters included."""
    again = adapter.validate_json(adapter.dump_json(message))
    assert repr(again) == repr(message)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_report_may_be_nan(value: float) -> None:
    """Values that are not finite arrive as they were: they are how a trial diverges."""
    report = Report(slot="a", attempt=1, epoch=1, metrics={"loss": value})
    assert repr(REPORT.validate_json(REPORT.dump_json(report))) == repr(report)


@pytest.mark.parametrize(("adapter", "message"), ALL)
def test_unknown_keys_are_refused(adapter: TypeAdapter[Any], message: Any) -> None:
    """A message with something more is another protocol's."""
    tree = {**dataclasses.asdict(message), "more": 1}
    with pytest.raises(ValidationError, match="more"):
        adapter.validate_python(tree)


def test_messages_never_change() -> None:
    """A field cannot be set."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        LEASE.attempt = 3  # type: ignore[misc]


def test_a_repeated_message_is_equal() -> None:
    """Messages compare by content, which is how a repeated one is known."""
    assert dataclasses.replace(ASKED) == ASKED
    assert dataclasses.replace(ASKED, request=4) != ASKED
