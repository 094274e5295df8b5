"""What the dashboard Training marks in red: attempts and workers that were lost, and nothing that ended well."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cluster import binaries
from tests.cluster.errors import Missing
from tests.monitoring import boards

ATTEMPTS, REPLACED = "tinderbox_training_attempts_total", "tinderbox_training_workers_replaced_total"
HERE = 'namespace="ml", run="digits"'


@pytest.fixture
def promtool() -> Path:
    """The command, skipping where it is not built."""
    try:
        return binaries.binary("promtool")
    except Missing as missing:
        pytest.skip(str(missing))


def query(name: str) -> str:
    """Return the query of a mark as Grafana asks it, scraped every 15 s."""
    (found,) = [one for one in boards.load("training")["annotations"]["list"] if one["name"] == name]
    told = str(found["expr"]).replace("$__rate_interval", "1m0s")
    return told.replace("$namespace", "ml").replace("$training", "digits")


def compare(promtool: Path, tmp_path: Path, series: dict[str, str], name: str, marked: dict[str, list[str]]) -> None:
    """Play series, a value each 15 s, to a mark, and compare the labels it has at some times."""
    asked = query(name)
    looks = [
        {"expr": asked, "eval_time": at, "exp_samples": [{"labels": one, "value": 1} for one in found]}
        for at, found in marked.items()
    ]
    played = [{"series": one, "values": values} for one, values in series.items()]
    path = tmp_path / "marks.yaml"
    tests = [{"interval": "15s", "input_series": played, "promql_expr_test": looks}]
    path.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": tests}))

    done = subprocess.run(
        [promtool, "test", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.rules
def test_only_attempts_that_were_lost_are_marked(promtool: Path, tmp_path: Path) -> None:
    """One that is complete, gives way to more workers, or was asked to end is none."""
    outcomes = {"lost": "0x20 1x60", "complete": "0x20 1x60", "replaced": "0x20 1x60", "released": "0x20 1x60"}
    series = {f'{ATTEMPTS}{{{HERE}, pod="a", outcome="{one}"}}': values for one, values in outcomes.items()}

    compare(promtool, tmp_path, series, "Attempts lost", {"5m": [], "5m15s": ['{outcome="lost"}'], "7m": [], "15m": []})


@pytest.mark.rules
def test_a_driver_that_was_killed_is_marked_once_the_next_one_tells(promtool: Path, tmp_path: Path) -> None:
    """Which is another pod, minutes later; the console, which tells the same, changes nothing."""
    series = {
        f'{ATTEMPTS}{{{HERE}, pod="a", outcome="superseded"}}': "0x20 stale",
        f'{ATTEMPTS}{{{HERE}, pod="b", outcome="superseded"}}': "_x40 1x60",
        f'{ATTEMPTS}{{{HERE}, pod="console", outcome="superseded"}}': "_x60 1x40",
    }

    compare(
        promtool,
        tmp_path,
        series,
        "Attempts lost",
        {"6m": [], "10m15s": ['{outcome="superseded"}'], "12m": [], "16m": []},
    )


@pytest.mark.rules
def test_workers_that_were_replaced_are_marked(promtool: Path, tmp_path: Path) -> None:
    """As in mode threshold, where the attempt goes on."""
    series = {f'{REPLACED}{{{HERE}, pod="a"}}': "0x20 1x60"}

    compare(promtool, tmp_path, series, "Workers replaced", {"5m": [], "5m15s": ["{}"], "7m": []})
