"""What the bundled Prometheus is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.charts.chart import ROOT, Thing, find_tool, render


def files(**values: object) -> dict[str, str]:
    """The files of its configuration."""
    found: dict[str, str] = render({"prometheus": {"enabled": True, **values}}).find(
        "ConfigMap", "tinderbox-prometheus"
    )["data"]
    return found


def configuration(**values: object) -> Thing:
    """Its configuration file."""
    tree: Thing = yaml.safe_load(files(**values)["prometheus.yml"])
    return tree


def test_promtool_has_nothing_to_say(tmp_path: Path) -> None:
    """Prometheus's own tool takes the configuration with all its rules."""
    promtool = find_tool("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: install it, or run python -m tests.cluster build prometheus")
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    command = [promtool, "check", "config", "--lint=all", "--lint-fatal", tmp_path / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS: 2 rule files found" in done.stdout


def test_it_scrapes_the_pods_of_this_namespace_only() -> None:
    """By discovery that the API server narrows down itself."""
    for job in configuration()["scrape_configs"]:
        (found,) = job["kubernetes_sd_configs"]
        assert found["role"] == "pod"
        assert found["namespaces"] == {"names": ["ml"]}
        key, value = found["selectors"][0]["label"].split("=")
        assert render().executor()["metadata"]["labels"][key] == value


def test_each_job_has_a_port_and_a_path() -> None:
    """What pods tell, what Spark's driver counts, and what it knows of its executors."""
    jobs = {
        job["job_name"]: (job["relabel_configs"][0]["regex"], job["metrics_path"])
        for job in configuration()["scrape_configs"]
    }
    assert jobs == {
        "tinderbox": ("metrics", "/metrics"),
        "tinderbox-spark-driver": ("ui", "/metrics/prometheus/"),
        "tinderbox-spark-executors": ("ui", "/metrics/executors/prometheus/"),
    }


def test_a_series_has_the_labels_namespace_and_pod_and_no_other_of_the_pod() -> None:
    """Pods that have ended are no targets."""
    for job in configuration()["scrape_configs"]:
        _, ended, *labels = job["relabel_configs"]
        assert (ended["action"], ended["regex"]) == ("drop", "Succeeded|Failed")
        assert [each["target_label"] for each in labels] == ["namespace", "pod"]


def test_it_knows_the_rules() -> None:
    """Word for word, beside the configuration that names them."""
    found = files()
    for path in (ROOT / "monitoring" / "rules").glob("*.yaml"):
        assert yaml.safe_load(found[path.name]) == yaml.safe_load(path.read_text())
    assert sorted(configuration()["rule_files"]) == sorted(found.keys() - {"prometheus.yml"})


def test_one_interval_for_scrapes_and_rules() -> None:
    """A quarter of a minute, or what a value says."""
    assert configuration()["global"] == {"scrape_interval": "15s", "evaluation_interval": "15s"}
    assert set(configuration(scrapeInterval="5s")["global"].values()) == {"5s"}
