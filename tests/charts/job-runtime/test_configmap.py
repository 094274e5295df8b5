"""The files that drivers read: Spark's, and those of `tinderbox submit`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.charts.chart import render
from tinderbox.config import check_sweep
from tinderbox.spark.session import read_defaults, size_of_executors


def test_the_config_map_is_what_spark_reads() -> None:
    """Spark passes every file on to its executors, so there are no others."""
    assert set(render().find("ConfigMap", "tinderbox-spark")["data"]) == {
        "spark-defaults.conf",
        "executor.yaml",
        "log4j2.properties",
    }


def test_python_reads_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file's format is the one that the session reads, and a job's slots become executors."""
    text = render({"executor": {"cores": 2, "memory": "4Gi"}}).find("ConfigMap", "tinderbox-spark")["data"]
    (tmp_path / "spark-defaults.conf").write_text(text["spark-defaults.conf"])
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    job = check_sweep(
        {
            "kind": "sweep",
            "name": "small",
            "objective": "module:function",
            "metric": {"name": "loss", "direction": "minimize"},
            "parameters": {"x": {"type": "float", "low": 0, "high": 1, "grid": 2}},
            "search": "grid",
            "epochs": 1,
            "slots": 5,
        },
        "test",
    )
    assert size_of_executors(job, read_defaults()) == {"spark.executor.instances": "3", "spark.executor.cores": "2"}
