"""Every metric that Prometheus can have of Tinderbox, with its labels: ours, Spark's, and what rules make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.monitoring.labels import Labels, returned
from tinderbox.metrics.catalogue import METRICS

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
SPARK = Path(__file__).with_name("spark_metrics.txt")

TARGET = frozenset({"namespace", "pod"})
"""What the scrape configuration adds to everything."""

Rule = dict[str, Any]


def rules(name: str) -> list[Rule]:
    """The rules of a file in monitoring/rules."""
    tree = yaml.safe_load((MONITORING / "rules" / f"{name}.yaml").read_text())
    return [rule for group in tree["groups"] for rule in group["rules"]]


def scraped() -> dict[str, Labels]:
    """What Prometheus reads from pods."""
    ours = {series: _labels(series, metric.labels) for metric in METRICS.values() for series in metric.series}
    lines = [line.split() for line in SPARK.read_text().splitlines()]
    return ours | {name: TARGET | set(labels) for name, *labels in lines} | {"up": TARGET | {"job"}}


def recorded() -> dict[str, Labels]:
    """That, and what the recording rules make of it, in their order."""
    known = scraped()
    for rule in rules("recording"):
        known[rule["record"]] = returned(rule["expr"], known)
    return known


def everything() -> dict[str, Labels]:
    """That, and the alerts."""
    known = recorded()
    alerts = [returned(rule["expr"], known) | set(rule["labels"]) for rule in rules("alerts")]
    return known | {"ALERTS": frozenset({"alertname", "alertstate"}).union(*alerts)}


def _labels(series: str, labels: tuple[str, ...]) -> Labels:
    bucket = {"le"} if series.endswith("_bucket") else set()
    return TARGET | set(labels) | bucket
