"""Alerts fire after their hold time and not before, say what they should, and resolve: promtool runs the tests."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import binaries
from tests.cluster.errors import Missing
from tests.monitoring import known
from tests.monitoring.labels import metrics, named, returned

FILES = sorted(Path(__file__).with_name("rules").glob("*.yaml"))
ALERTS = [rule["alert"] for rule in known.rules("alerts")]


@pytest.fixture
def promtool() -> Path:
    """The command, skipping where it is not built."""
    try:
        return binaries.binary("promtool")
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.rules
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_rules_do_what_their_tests_say(promtool: Path, path: Path) -> None:
    """Promtool plays the series of a file to the rules, and compares."""
    done = subprocess.run(
        [promtool, "test", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.rules
@pytest.mark.parametrize("name", ["recording", "alerts"])
def test_prometheus_takes_the_rules(promtool: Path, name: str) -> None:
    """Promtool finds nothing to complain about, duplicates among it."""
    rules = known.MONITORING / "rules" / f"{name}.yaml"
    done = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", rules],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    assert done.returncode == 0, done.stdout


def test_each_alert_has_a_file_of_tests() -> None:
    """So has the file of recording rules, and there are no others."""
    assert [path.stem for path in FILES] == sorted([*ALERTS, "recording"])


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_are_tested_before_and_after_their_hold_time_and_resolve(alert: str) -> None:
    """The first test of each looks a minute before it fires, when it fires, and when it has resolved."""
    first = _tests(alert)[0]["alert_rule_test"]

    assert [bool(look.get("exp_alerts")) for look in first] == [False, True, False]
    before, fires, _ = (int(look["eval_time"].removesuffix("m")) for look in first)
    assert fires - before == 1


def test_each_recording_rule_is_tested() -> None:
    """Its name is asked for in a test."""
    looks = [look["expr"] for test in _tests("recording") for look in test["promql_expr_test"]]

    assert {rule["record"] for rule in known.rules("recording")} - set().union(*map(metrics, looks)) == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_series_of_the_tests_exist(path: Path) -> None:
    """A test plays metrics and labels that pods tell: all of the labels, since a query may miss any of them."""
    scraped = known.scraped()

    for test in _tests(path.stem):
        for played in test["input_series"]:
            assert returned(played["series"], scraped) == named(played["series"]), played["series"]


def _tests(name: str) -> list[dict[str, Any]]:
    tests: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "rules" / f"{name}.yaml").read_text())[
        "tests"
    ]
    return tests
