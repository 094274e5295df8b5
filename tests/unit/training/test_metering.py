"""What a worker of a training tells of its steps: examples, times, and bytes beside those of whole gradients."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tinderbox.metrics.exporter import Exporter
from tinderbox.metrics.meter import NOBODY, Meter
from tinderbox.training.metering import count_steps
from tinderbox.training.records import Counts


class Direct(Meter):
    """A meter whose messages come to an exporter at once."""

    def __init__(self, exporter: Exporter) -> None:
        super().__init__("digits", "/nowhere")
        self._exporter = exporter

    def _post(self, message: bytes) -> None:
        self._exporter.take(message)


def told(done: Iterable[Counts], mode: str = "threshold") -> dict[str, float]:
    """Return what an exporter tells of steps, by name and labels but node and run."""
    exporter = Exporter("n")
    meter = Direct(exporter)
    for counts in done:
        count_steps(meter, counts, mode)
    samples = [sample for family in exporter.collect() for sample in family.samples]
    assert all(sample.labels["node"] == "n" and sample.labels.get("run", "digits") == "digits" for sample in samples)
    return {" ".join([sample.name, *_rest(sample.labels)]): sample.value for sample in samples}


def _rest(labels: dict[str, str]) -> list[str]:
    return [value for name, value in labels.items() if name not in ("node", "run")]


def test_steps_are_told_with_their_times_and_bytes() -> None:
    """What is told in several parts adds up."""
    found = told(
        [
            Counts(steps=4, examples=256, seconds=0.8, sync_seconds=0.02, sent=100, dense=8000),
            Counts(steps=1, examples=10, seconds=2.0, sync_seconds=1.5, sent=10, dense=2000),
        ]
    )
    assert found["tinderbox_examples_total train"] == 266
    assert found["tinderbox_step_seconds_count"] == found["tinderbox_sync_seconds_count"] == 5
    assert found["tinderbox_step_seconds_sum"] == pytest.approx(2.8)
    assert found["tinderbox_sync_seconds_sum"] == pytest.approx(1.52)
    assert found["tinderbox_sync_bytes_total threshold"] == 110
    assert found["tinderbox_sync_dense_bytes_total threshold"] == 10_000
    assert found["tinderbox_metrics_refused_total"] == 0


def test_steps_that_are_told_together_last_alike() -> None:
    """All of them count into the bucket of their mean; one that lasts longer than all buckets is above them."""
    found = told([Counts(steps=4, seconds=0.8), Counts(steps=2, seconds=100.0)])
    buckets = {name.rpartition(" ")[2]: value for name, value in found.items() if "step_seconds_bucket" in name}
    assert {end: buckets[end] for end in ("0.1", "0.3", "10.0", "+Inf")} == {"0.1": 0, "0.3": 4, "10.0": 4, "+Inf": 6}


def test_what_did_not_happen_is_not_told() -> None:
    """A beat without a step adds nothing, nor is there anything of an exchange where a worker is alone."""
    assert told([Counts()]) == {"tinderbox_metrics_refused_total": 0}
    alone = told([Counts(steps=1, examples=8, seconds=0.1)], mode="synchronous")
    assert {name for name in alone if "bytes" in name} == set()
    assert alone["tinderbox_sync_seconds_sum"] == 0


def test_nobody_wants_to_know() -> None:
    """Where no exporter is named it costs a call."""
    count_steps(NOBODY, Counts(steps=1, examples=8, seconds=0.1, sent=5, dense=5), "averaging")
