"""Names, kinds and labels that Prometheus takes, and values that have all of their labels."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import METRICS, Metric, Sample


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_names_follow_prometheus_rules(metric: Metric) -> None:
    """`_total` says that a metric only grows, and only then; a label is none that Prometheus or a histogram has."""
    assert re.fullmatch(r"tinderbox(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert re.fullmatch(r"[A-Z].*\.", metric.help)
    assert len(set(metric.labels)) == len(metric.labels)
    assert not {"le", "job", "instance", "namespace", "pod"} & set(metric.labels)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert bool(metric.buckets) == (metric.kind == "histogram")


def test_all_metrics_are_found_by_name() -> None:
    """Each has one of its own, so that none hides another one."""
    written = [found for found in vars(catalogue).values() if isinstance(found, Metric)]
    assert list(METRICS.values()) == written
    assert all(METRICS[name].name == name for name in METRICS)


def test_a_value_has_its_labels_in_the_metrics_order() -> None:
    """Whatever the order they are given in, and as texts."""
    metric = catalogue.SLOT_TRIAL
    assert metric.sample(7, node="n", slot="slot-0", study=3) == Sample(metric, ("3", "slot-0", "n"), 7)
    assert catalogue.STORAGE_FREE.sample(0.5) == Sample(catalogue.STORAGE_FREE, (), 0.5)


@pytest.mark.parametrize(
    ("labels", "got"),
    [
        ({}, "none"),
        ({"study": "s"}, "study"),
        ({"study": "s", "state": "idle", "node": "n"}, "study, state, node"),
        ({"study": "s", "node": "n"}, "study, node"),
    ],
)
def test_a_value_with_other_labels_is_refused(labels: dict[str, Any], got: str) -> None:
    """One too few, one too many, or a wrong one in the place of another."""
    with pytest.raises(ValueError, match="labels") as refusal:
        catalogue.SLOTS.sample(1, **labels)
    assert str(refusal.value) == f"tinderbox_slots must be given its labels, study, state, got {got}"


def test_the_series_of_a_metric() -> None:
    """A histogram is three of them."""
    assert catalogue.TRIALS.series == ("tinderbox_trials",)
    assert catalogue.STEP_SECONDS.series == tuple(f"tinderbox_step_seconds_{end}" for end in ("bucket", "sum", "count"))
