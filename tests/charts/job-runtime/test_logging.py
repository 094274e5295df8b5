"""What Spark writes into the logs."""

from __future__ import annotations

from tests.charts.chart import render


def test_executors_do_not_fill_the_log() -> None:
    """The loggers of those that are refused, and of those that go, are off; the level of all others is a value."""
    lines = render({"logLevel": "warn"}).find("ConfigMap", "tinderbox-spark")["data"]["log4j2.properties"].splitlines()
    assert "rootLogger.level = warn" in lines
    assert "logger.allocator.name = org.apache.spark.scheduler.cluster.k8s.ExecutorPodsAllocator" in lines
    assert "logger.allocator.level = off" in lines
    assert "logger.responses.name = org.apache.spark.network.client.TransportResponseHandler" in lines
    assert "logger.responses.level = off" in lines
