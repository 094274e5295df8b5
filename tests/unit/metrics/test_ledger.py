"""Sums that are added to other sums, of a bounded number of metrics and labels."""

from __future__ import annotations

import math

import pytest

from tinderbox.metrics.catalogue import BATCH_SECONDS, EXAMPLES, ROWS_FAILED, STEP_SECONDS
from tinderbox.metrics.ledger import Key, Ledger, fits, width

SWEEP: Key = (EXAMPLES.name, ("digits", "sweep"))
BUCKETS = len(STEP_SECONDS.buckets)


def test_sums_add_up() -> None:
    """Under their own keys; what was given is not what is kept."""
    ledger, given = Ledger(), [2.0]
    assert ledger.add(SWEEP, given)
    assert ledger.add(SWEEP, [3.0])
    assert ledger.add((EXAMPLES.name, ("digits", "infer")), [1.0])
    assert dict(ledger.items()) == {SWEEP: [5.0], (EXAMPLES.name, ("digits", "infer")): [1.0]}
    assert (given, len(ledger)) == ([2.0], 2)


def test_what_has_no_room_is_not_taken() -> None:
    """A label without bounds costs no memory; what is there already goes on."""
    ledger = Ledger(most=2)
    assert [ledger.add((ROWS_FAILED.name, ("r", str(number))), [1.0]) for number in (0, 1, 2, 0)] == [
        True,
        True,
        False,
        True,
    ]
    ledger.observe(STEP_SECONDS, ("r",), 0.5)
    assert sorted(sums for _, sums in ledger.items()) == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("value", "bucket"), [(0.0, 0), (0.0005, 0), (0.001, 0), (0.0011, 1), (10.0, BUCKETS - 1), (11.0, BUCKETS)]
)
def test_a_value_counts_in_the_bucket_that_ends_above_it(value: float, bucket: int) -> None:
    """Or just there, as Prometheus has it; those beyond all buckets are counted apart."""
    ledger = Ledger()
    ledger.observe(STEP_SECONDS, ("r",), value)
    ledger.observe(STEP_SECONDS, ("r",), value)
    ((_, sums),) = ledger.items()
    assert len(sums) == width(STEP_SECONDS) == BUCKETS + 2
    assert [place for place, count in enumerate(sums[:-1]) if count] == [bucket]
    assert (sums[bucket], sums[-1]) == (2, 2 * value)


def test_what_was_told_is_forgotten() -> None:
    """What comes later begins at zero, and does not change what was handed out."""
    ledger = Ledger()
    ledger.observe(STEP_SECONDS, ("r",), 0.5)
    ((key, told),) = ledger.items()
    ledger.discard([key])
    assert len(ledger) == 0
    ledger.observe(STEP_SECONDS, ("r",), 20.0)
    assert told[-1] == 0.5
    assert [sums[-1] for _, sums in ledger.items()] == [20.0]


@pytest.mark.parametrize(
    ("key", "amounts", "expected"),
    [
        (SWEEP, [0.0], True),
        (SWEEP, [7], True),
        ((STEP_SECONDS.name, ("digits",)), [0.0] * width(STEP_SECONDS), True),
        ((BATCH_SECONDS.name, ("photos", "read")), [1.0] * width(BATCH_SECONDS), True),
        (("tinderbox_none_total", ("digits", "sweep")), [1.0], False),
        ((EXAMPLES.name, ("digits",)), [1.0], False),
        ((EXAMPLES.name, ("node", "digits", "sweep")), [1.0], False),
        (SWEEP, [], False),
        (SWEEP, [1.0, 2.0], False),
        ((STEP_SECONDS.name, ("digits",)), [1.0], False),
        (("tinderbox_trials", ("digits", "running")), [1.0], False),
        (("tinderbox_reports_total", ("digits",)), [1.0], False),
        (("tinderbox_pod_cpu_seconds_total", ()), [1.0], False),
        (SWEEP, [-1.0], False),
        (SWEEP, [math.nan], False),
        (SWEEP, [math.inf], False),
    ],
)
def test_what_workers_may_tell(key: Key, amounts: list[float], expected: bool) -> None:
    """Counters and histograms of a pod, with all labels and sums, that can only grow and never become no number."""
    assert fits(key, amounts) is expected
