"""Spark's settings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.chart import Thing, render


def test_settings_that_never_change() -> None:
    """Ports are fixed, traffic is private, Spark's own failure cap is out of the way."""
    expected = {
        "spark.master": "k8s://https://kubernetes.default.svc",
        "spark.driver.port": "7078",
        "spark.driver.blockManager.port": "7079",
        "spark.blockManager.port": "7079",
        "spark.ui.port": "4040",
        "spark.tinderbox.coordinator.port": "7070",
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.network.timeout": "60s",
        "spark.locality.wait": "0s",
        "spark.executor.maxNumFailures": "100000",
        "spark.executor.processTreeMetrics.enabled": "true",
        "spark.kubernetes.allocation.batch.delay": "10s",
        "spark.kubernetes.allocation.recoveryMode.enabled": "false",
        "spark.decommission.enabled": "true",
        "spark.storage.decommission.enabled": "false",
        "spark.kubernetes.decommission.script": "/opt/tinderbox/decommission.sh",
        "spark.kubernetes.executor.podTemplateFile": "/etc/tinderbox/spark/executor.yaml",
        "spark.kubernetes.executor.podTemplateContainerName": "executor",
        "spark.kubernetes.authenticate.executor.serviceAccountName": "tinderbox-executor",
    }
    settings = render().settings()
    assert {key: settings[key] for key in expected} == expected
    # Only the pod and the job know these.
    assert not settings.keys() & {"spark.driver.host", "spark.executor.instances", "spark.kubernetes.container.image"}


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        ({"executor": {"cores": 2, "memory": "4Gi"}}, "spark.executor.cores", "2"),
        ({"executor": {"maxPending": 5}}, "spark.kubernetes.allocation.maxPendingPods", "5"),
        ({"executor": {"maxFailures": 3}}, "spark.tinderbox.breaker.failures", "3"),
        ({"executor": {"startTimeoutSeconds": 60}}, "spark.tinderbox.executor.startTimeout", "60"),
        ({"executor": {"cpuRequest": "500m"}}, "spark.kubernetes.executor.request.cores", "500m"),
        ({"executor": {"cpuLimit": "2"}}, "spark.kubernetes.executor.limit.cores", "2"),
        ({"executor": {"image": "mine:1"}}, "spark.kubernetes.container.image", "mine:1"),
        ({"image": {"pullPolicy": "Never"}}, "spark.kubernetes.container.image.pullPolicy", "Never"),
        ({"console": {"enabled": False}}, "spark.eventLog.enabled", "false"),
        ({"console": {"eventLog": "s3a://b/e"}}, "spark.eventLog.dir", "s3a://b/e"),
        ({}, "spark.eventLog.dir", "file:///events"),
        ({}, "spark.eventLog.rolling.maxFileSize", "16m"),
        ({}, "spark.dynamicAllocation.enabled", "false"),
        ({}, "spark.ui.prometheus.enabled", "true"),
        ({"monitoring": {"enabled": False}}, "spark.ui.prometheus.enabled", "false"),
        ({"spark": {"spark.metrics.conf.*.sink.console.period": 5}}, "spark.metrics.conf.*.sink.console.period", "5"),
        ({"spark": {"spark.speculation": False}}, "spark.speculation", "false"),
        ({"spark": {"spark.network.timeout": "90s"}}, "spark.network.timeout", "90s"),
    ],
)
def test_a_value_becomes_a_setting(values: Thing, key: str, expected: str) -> None:
    """Each knob of the chart reaches Spark under its own name."""
    assert render(values).settings()[key] == expected


def test_dynamic_allocation() -> None:
    """Executors come and go between two numbers, without a shuffle service."""
    wanted = {"enabled": True, "minExecutors": 1, "maxExecutors": 8, "idleSeconds": 30}
    settings = render({"dynamicAllocation": wanted}).settings()
    assert {key: value for key, value in settings.items() if key.startswith("spark.dynamicAllocation.")} == {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.minExecutors": "1",
        "spark.dynamicAllocation.maxExecutors": "8",
        "spark.dynamicAllocation.executorIdleTimeout": "30s",
    }


def test_spark_tells_prometheus_what_it_counts() -> None:
    """Under one name whatever the application is called, at a page that ends nothing; not where nobody is to look."""
    settings = render().settings()
    sink = "spark.metrics.conf.*.sink.prometheusServlet"
    assert settings["spark.metrics.namespace"] == "tinderbox"
    assert settings[f"{sink}.class"] == "org.apache.spark.metrics.sink.PrometheusServlet"
    assert settings[f"{sink}.path"] == "/metrics/prometheus"
    assert settings["spark.ui.killEnabled"] == "false"
    none = render({"monitoring": {"enabled": False}}).settings()
    assert not [key for key in none if key.startswith("spark.metrics.")]


def test_spark_knows_of_the_gpus_that_it_can_divide() -> None:
    """By a script of the image, which lists NVIDIA's; without any, or with others, it is told of none."""

    def told(**executor: Any) -> Thing:
        settings = render({"executor": executor}).settings()
        return {key: value for key, value in settings.items() if ".resource." in key}

    image = "tinderbox:0.1.0-gpu"
    assert told(gpus=2, image=image) == {
        "spark.executor.resource.gpu.amount": "2",
        "spark.executor.resource.gpu.vendor": "nvidia.com",
        "spark.executor.resource.gpu.discoveryScript": "/opt/tinderbox/gpus.sh",
    }
    assert told() == told(gpus=2, image=image, gpuResource="amd.com/gpu") == {}


@pytest.mark.parametrize(
    ("memory", "cores", "heap", "overhead"),
    [
        ("3Gi", 1, "768m", "2304m"),
        ("1536Mi", 1, "512m", "1024m"),
        ("4Gi", 3, "1024m", "3072m"),
        ("32Gi", 16, "2048m", "30720m"),
    ],
)
def test_one_number_is_divided_into_heap_and_overhead(memory: str, cores: int, heap: str, overhead: str) -> None:
    """Java has a quarter, between 512 MiB and 2 GiB; the rest is at least 1 GiB for each TensorFlow task."""
    settings = render({"executor": {"memory": memory, "cores": cores}}).settings()
    assert (settings["spark.executor.memory"], settings["spark.executor.memoryOverhead"]) == (heap, overhead)


def test_slots_that_share_cores_need_less_memory() -> None:
    """`executor.tasks` says how many slots there are where each takes several cores."""
    values = {"cores": 8, "tasks": 1, "memory": "4Gi"}
    assert render({"executor": values}).settings()["spark.executor.memoryOverhead"] == "3072m"


def test_the_drivers_heap_is_a_part_of_its_memory() -> None:
    """The driver's number is divided in the same way; the pod's limit is the rest."""
    assert render().settings()["spark.driver.memory"] == "768m"
    assert render({"driver": {"memory": "8Gi"}}).settings()["spark.driver.memory"] == "2048m"


def test_java_starts_quickly_and_logs_by_our_rules() -> None:
    """C1 and serial GC on both sides, and the log settings where each finds them."""
    settings = render().settings()
    for side, folder in (("driver", "/etc/tinderbox/spark"), ("executor", "/opt/spark/conf")):
        options = settings[f"spark.{side}.extraJavaOptions"].split()
        assert options[:2] == ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        assert options[2:] == [f"-Dlog4j2.configurationFile=file://{folder}/log4j2.properties"]
