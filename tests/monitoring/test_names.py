"""Dashboards, rules and runbooks name metrics and labels that exist, and dashboards show all of our metrics."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.monitoring import boards, known
from tests.monitoring.labels import Unknown, metrics, returned
from tinderbox.metrics.catalogue import METRICS

RUNBOOKS = sorted((known.MONITORING / "runbooks").glob("*.md"))


@pytest.mark.parametrize("name", boards.NAMES)
def test_dashboards_ask_for_what_exists(name: str) -> None:
    """A query's metrics have the labels that it names, and its answer those of its legend."""
    everything = known.everything()

    for asked in boards.asked(name):
        assert returned(asked.query, everything) >= asked.labels, f"{asked.by}: {asked.query}"


@pytest.mark.parametrize("name", boards.NAMES)
def test_tables_have_the_columns_that_they_name(name: str) -> None:
    """A label that a transformation names is in an answer to one of the panel's queries."""
    everything = known.everything()

    for panel in boards.panels(name):
        answered = frozenset().union(*(returned(target["expr"], everything) for target in panel["targets"]))
        assert answered >= boards.columns(panel), panel["title"]


def test_every_metric_of_ours_is_shown() -> None:
    """Each is asked for by a panel, itself or through a recording rule."""
    recorded = {rule["record"]: metrics(rule["expr"]) for rule in known.rules("recording")}
    shown = {
        metric
        for name in boards.NAMES
        for panel in boards.panels(name)
        for target in panel["targets"]
        for asked in metrics(target["expr"])
        for metric in recorded.get(asked, {asked})
    }

    assert [metric.name for metric in METRICS.values() if not shown & set(metric.series)] == []


def test_every_recording_rule_is_used() -> None:
    """Each is asked for by a panel or an alert."""
    asked = [asked.query for name in boards.NAMES for asked in boards.asked(name)]
    asked += [rule["expr"] for rule in known.rules("alerts")]
    used = set().union(*(metrics(query) for query in asked))

    assert {rule["record"] for rule in known.rules("recording")} - used == set()


@pytest.mark.parametrize("rule", known.rules("recording"), ids=lambda rule: str(rule["record"]))
def test_recording_rules_are_called_after_their_labels(rule: known.Rule) -> None:
    """A name begins with the labels of what it returns."""
    level = rule["record"].partition(":")[0].split("_")

    assert set(level) == returned(rule["expr"], known.recorded())


@pytest.mark.parametrize("rule", known.rules("alerts"), ids=lambda rule: str(rule["alert"]))
def test_alerts_say_labels_that_they_have(rule: known.Rule) -> None:
    """What the sentences of an alert name is in the answer to its query."""
    said = re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values()))

    assert said
    assert returned(rule["expr"], known.recorded()) >= set(said)


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_runbooks_ask_for_what_exists(path: Path) -> None:
    """The queries of a runbook are in blocks marked promql, and metrics in its sentences exist as well."""
    text = path.read_text()
    everything = known.everything()

    queries = re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    assert queries
    for query in queries:
        returned(query, everything)
    named = set(re.findall(r"\b(?:\w+:)?(?:tinderbox|metrics)_\w+(?::\w+)?", text))
    assert named - set(everything) == set()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("tinderbox_trails", "there is no metric tinderbox_trails"),
        ('tinderbox_best_value{trial="1"}', "and not trial"),
        ("sum by (node) (tinderbox_trials)", "and not node"),
        ("histogram_quantile(0.5, rate(tinderbox_step_seconds_sum[5m]))", "and not le"),
        ("tinderbox_trials * on (study, slot) group_left () tinderbox_slots", "and not slot"),
        ("tinderbox_trials * on (study) group_left (metric) tinderbox_slots", "and not metric"),
        ("tinderbox_trials / tinderbox_best_value", "joins"),
        ('label_replace(tinderbox_best_value, "a", "$1", "node", "(.*)")', "and not node"),
    ],
)
def test_what_does_not_exist_is_found(query: str, sentence: str) -> None:
    """A metric or label that nobody tells is an error that names it."""
    with pytest.raises(Unknown, match=sentence):
        returned(query, known.scraped())


def test_spark_has_what_the_dashboards_ask_for() -> None:
    """The Spark that is installed still tells each of its metrics that a dashboard shows.

    After a change of Spark's version, renew the list that the other tests read:
    python -m tests.monitoring.spark > tests/monitoring/spark_metrics.txt
    """
    told = subprocess.run(
        [sys.executable, "-m", "tests.monitoring.spark"], stdout=subprocess.PIPE, text=True, check=True
    )
    there = {line.split()[0] for line in told.stdout.splitlines()}
    asked = set().union(*(metrics(asked.query) for name in boards.NAMES for asked in boards.asked(name)))
    sparks = {name for name in asked if name.startswith("metrics_")}

    assert sparks
    assert sparks - there == set()
