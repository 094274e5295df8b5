"""What a study's record proves of how it took what was done to it: functions of its events, and of nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tinderbox.sweeping.events import LOSSES, AttemptEnded, AttemptStarted, CheckpointSaved, Event, Reported

NOTICE = ("released", "its slot is being taken away")
"""How an attempt ends that was paused, its state safe, within the grace of a pod that is taken away."""


@dataclass(frozen=True)
class Taken:
    """Pods that were deleted or evicted together: their nodes, and when, in Unix seconds."""

    nodes: frozenset[str]
    time: float


def redone_too_much(events: Sequence[Event], interval: int) -> list[str]:
    """Return which attempts did epochs again whose state was safe, or more than lie between two checkpoints."""
    told, saved, again = defaultdict[int, int](int), defaultdict[int, int](int), defaultdict[tuple[int, int], int](int)
    wrong = []
    for event in events:
        match event:
            case Reported():
                again[event.trial, event.attempt] += event.epoch <= told[event.trial]
                told[event.trial] = max(told[event.trial], event.epoch)
                if event.epoch <= saved[event.trial]:
                    wrong.append(f"attempt {event.attempt} of trial {event.trial} did epoch {event.epoch} again")
            case CheckpointSaved():
                saved[event.trial] = event.epoch
    for (trial, attempt), epochs in again.items():
        if epochs > interval:
            wrong.append(f"attempt {attempt} of trial {trial} did {epochs} epochs again, not {interval} at most")
    return wrong


def resumed(events: Sequence[Event]) -> set[tuple[int, int]]:
    """Return trial and number of the attempts that went on from a state: their first report is of a later epoch."""
    first = dict[tuple[int, int], int]()
    for event in events:
        if isinstance(event, Reported):
            first.setdefault((event.trial, event.attempt), event.epoch)
    return {attempt for attempt, epoch in first.items() if epoch > 1}


def lost(events: Sequence[Event], taken: Taken) -> list[str]:
    """Return why attempts were lost that ran where pods were taken away: those have a grace to pause in."""
    return [cause for outcome, cause in _ends(events, taken) if outcome in LOSSES]


def not_released(events: Sequence[Event], taken: Taken) -> str:
    """Return why it is not so that no attempt was lost with the pods that were taken away, and one at least paused.

    One that was in its last epoch is complete instead, so it needs a pod whose trial has just begun.
    """
    if causes := lost(events, taken):
        return f"attempts were lost: {causes}"
    ends = _ends(events, taken)
    return "" if NOTICE in ends else f"no attempt was paused: {ends}"


def _ends(events: Sequence[Event], taken: Taken) -> list[tuple[str, str]]:
    """Return outcome and cause of the attempts that ran on the pods' nodes when those were taken away."""
    running = {
        (event.trial, event.attempt)
        for event in events
        if isinstance(event, AttemptStarted) and event.node in taken.nodes and event.time <= taken.time
    }
    ended = [event for event in events if isinstance(event, AttemptEnded) and event.time > taken.time]
    return [(event.outcome, event.cause) for event in ended if (event.trial, event.attempt) in running]
