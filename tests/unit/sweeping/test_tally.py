"""Steps that are added up until somebody is told."""

from __future__ import annotations

import pytest

from tinderbox.metrics.catalogue import STEP_SECONDS
from tinderbox.metrics.ledger import fits, width
from tinderbox.sweeping import tally
from tinderbox.sweeping.tally import Tally


def counts(times: list[float]) -> dict[float, float]:
    """Return how many steps there were up to each bucket's end."""
    ends = [*STEP_SECONDS.buckets, float("inf")]
    return {end: count for end, count in zip(ends, times[:-1], strict=True) if count}


def test_steps_are_those_of_a_histogram() -> None:
    """Each in its bucket, those that were taken together with their share of the time; a pod's exporter takes them."""
    told = Tally()
    told.add(32, 0.002)
    told.add(32, 0.003)
    told.add(96, 0.06, steps=3)
    told.add(1, 60.0)
    examples, times = told.empty()
    assert examples == 161
    assert counts(times) == {0.003: 2, 0.03: 3, float("inf"): 1}
    assert times[-1] == pytest.approx(60.065)
    assert len(times) == width(STEP_SECONDS)
    assert fits((STEP_SECONDS.name, ("r",)), times)


def test_examples_without_a_step() -> None:
    """They count, and no time with them."""
    told = Tally()
    told.add(70, 5.0, steps=0)
    assert not told.is_empty
    assert told.empty() == (70, [0.0] * width(STEP_SECONDS))


def test_what_was_told_is_not_told_again() -> None:
    """It begins at zero then, and what was handed out stays as it is."""
    told = Tally()
    assert told.is_empty
    told.add(1, 0.5)
    examples, times = told.empty()
    assert told.is_empty
    told.add(2, 0.5)
    assert (examples, times[-1]) == (1, 0.5)
    assert told.empty()[0] == 2
    assert told.empty() == (0, [0.0] * width(STEP_SECONDS))


def test_it_is_due_after_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since it was emptied, or made."""
    now = [10.0]
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])
    told = Tally()
    for time, due in ((10.9, False), (11.0, True)):
        now[0] = time
        assert told.is_due() is due
    told.empty()
    now[0] = 11.9
    assert not told.is_due()
