"""What is asked of the record of a disturbed study can be answered with no; this needs no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.on_kubernetes.evidence import NOTICE, Taken, lost, not_released, redone_too_much, resumed
from tinderbox.sweeping.events import AttemptEnded, AttemptStarted, CheckpointSaved, Event, Reported

LOST = ("lost", "slot slot-0 on n1 left: pod p was taken away: its node n1 is being drained")
COMPLETE = ("complete", "")


def attempt(number: int, told: Sequence[int], saved: Sequence[int], end: tuple[Any, str], begin: float) -> list[Event]:
    """Return an attempt of trial 0 on node n1 that takes ten seconds; the states of some epochs are saved."""
    named = {"trial": 0, "attempt": number}
    events: list[Event] = [AttemptStarted(time=begin, slot="slot-0", node="n1", **named)]
    for epoch in told:
        events.append(Reported(time=begin + epoch, epoch=epoch, metrics={"loss": 0.5}, **named))
        if epoch in saved:
            events.append(CheckpointSaved(time=begin + epoch, epoch=epoch, path="p", sha256="", size=1, **named))
    return [*events, AttemptEnded(time=begin + 10, outcome=end[0], cause=end[1], **named)]


def history(*attempts: tuple[Sequence[int], Sequence[int]], end: tuple[Any, str] = LOST) -> list[Event]:
    """Return attempts after each other, each the epochs it reported and those it saved; the last one is complete."""
    ends = [end] * (len(attempts) - 1) + [COMPLETE]
    return [
        event
        for number, ((told, saved), ending) in enumerate(zip(attempts, ends, strict=True), start=1)
        for event in attempt(number, told, saved, ending, 100.0 * number)
    ]


@pytest.mark.parametrize(
    "attempts",
    [
        [([1, 2, 3], [1, 2, 3]), ([4, 5], [4])],
        [([1, 2, 3], [1, 2]), ([3, 4, 5], [3, 4])],  # lost between a report and its state
        [([1], []), ([], []), ([1, 2, 3, 4, 5], [1, 2, 3, 4])],
    ],
)
def test_what_may_be_redone(attempts: Any) -> None:
    """What was done since the last state, and no more than lies between two."""
    assert redone_too_much(history(*attempts), 1) == []


def test_attempts_that_each_begin_anew_are_refused() -> None:
    """Though the trial has all its epochs in the end: nothing was saved, or what was saved was not used."""
    whole = [1, 2, 3, 4, 5]
    begun = history(([1, 2, 3, 4], []), ([1, 2, 3, 4], []), (whole, []))
    assert redone_too_much(begun, 1) == [
        "attempt 2 of trial 0 did 4 epochs again, not 1 at most",
        "attempt 3 of trial 0 did 4 epochs again, not 1 at most",
    ]
    assert resumed(begun) == set()
    unused = history(([1], [1]), (whole, [1, 2, 3, 4]))
    assert redone_too_much(unused, 1) == ["attempt 2 of trial 0 did epoch 1 again"]


def test_attempts_that_went_on_from_a_state() -> None:
    """By their first reports."""
    assert resumed(history(([1, 2], [1, 2]), ([3], [3]), ([4, 5], []))) == {(0, 2), (0, 3)}


def taken(node: str, time: float) -> Taken:
    """Return a pod that was taken away alone."""
    return Taken(frozenset({node}), time)


def test_a_pod_that_had_notice() -> None:
    """Its attempt was paused; that it ended so before or elsewhere, or ended of itself, proves nothing."""
    events = history(([1, 2], [1, 2]), ([3, 4, 5], []), end=NOTICE)
    assert not_released(events, taken("n1", 105.0)) == ""
    assert not_released(events, taken("n1", 150.0)) == "no attempt was paused: []"
    assert not_released(events, taken("n1", 205.0)) == "no attempt was paused: [('complete', '')]"
    assert not_released(events, taken("n2", 105.0)) == "no attempt was paused: []"


def test_a_pod_that_was_lost_when_its_grace_began_is_refused() -> None:
    """As an eviction is told by a driver that does not wait for the pod's end."""
    events = history(([1, 2], [1, 2]), ([3, 4, 5], []))
    assert lost(events, taken("n1", 105.0)) == [LOST[1]]
    assert lost(events, taken("n1", 205.0)) == lost(events, taken("n2", 105.0)) == []
    assert not_released(events, taken("n1", 105.0)) == f"attempts were lost: {[LOST[1]]}"
