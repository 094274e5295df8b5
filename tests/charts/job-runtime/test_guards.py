"""Values that the chart refuses, with the sentence for each."""

from __future__ import annotations

import pytest

from tests.charts.chart import refusal


def test_executors_that_do_not_fit_their_memory_are_refused() -> None:
    """Each TensorFlow task has its gigabyte, or the chart says what to change."""
    assert "executor.memory=3Gi leaves 2304Mi beside Java's heap, and 4 TensorFlow tasks" in refusal(
        {"executor": {"cores": 4}}
    )
    assert "executor.memory=1535Mi leaves 1023Mi" in refusal({"executor": {"memory": "1535Mi"}})


def test_more_slots_than_cores_are_refused() -> None:
    """A slot takes a core at least."""
    assert "executor.tasks must be at most executor.cores, a core for each, got 2 and 1" in refusal(
        {"executor": {"tasks": 2}}
    )


def test_a_driver_without_memory_for_python_is_refused() -> None:
    """Java's half gigabyte and a whole one for Python."""
    told = refusal({"driver": {"memory": "1Gi"}})
    assert "driver.memory must be at least 1536Mi, " in told
    assert "got 1Gi" in told


def test_dynamic_allocation_without_an_end_is_refused() -> None:
    """Spark would ask for executors for ever."""
    assert "dynamicAllocation.enabled needs dynamicAllocation.maxExecutors" in refusal(
        {"dynamicAllocation": {"enabled": True}}
    )
    told = refusal({"dynamicAllocation": {"enabled": True, "minExecutors": 5, "maxExecutors": 4}})
    assert "dynamicAllocation.minExecutors must be at most " in told
    assert ", got 5 and 4" in told


def test_gpus_without_an_image_for_them_are_refused() -> None:
    """TensorFlow for CPUs would leave the GPUs idle."""
    assert "executor.gpus=1 needs executor.image" in refusal({"executor": {"gpus": 1}})


@pytest.mark.parametrize(
    ("key", "decided"),
    [
        ("spark.executor.memory", "executor.memory"),
        ("spark.executor.memoryOverhead", "executor.memory"),
        ("spark.executor.instances", "slots of the job"),
        ("spark.dynamicAllocation.enabled", "dynamicAllocation.enabled"),
        ("spark.eventLog.dir", "console.eventLog"),
        ("spark.metrics.namespace", "monitoring.enabled"),
    ],
)
def test_a_setting_that_a_value_decides_is_refused(key: str, decided: str) -> None:
    """Each knob has one home, and the sentence names it."""
    told = refusal({"spark": {key: "1"}})
    assert f"spark sets {key}, which is decided by {decided}: set that instead" in told


def test_a_key_that_is_none_of_sparks_is_refused() -> None:
    """Spark would ignore it in silence."""
    assert "'hive.x' does not match pattern" in refusal({"spark": {"hive.x": "1"}})
