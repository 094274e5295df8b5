"""`python -m tests.monitoring.spark`: the metrics that the installed Spark tells, a line each with its labels."""

from __future__ import annotations

import re
import sys
import time
import urllib.request

from pyspark.sql import SparkSession

from tinderbox.spark.java import provide_java

SETTINGS = {
    "spark.driver.memory": "512m",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # starts fastest
    "spark.executor.heartbeatInterval": "1s",
    "spark.executor.processTreeMetrics.enabled": "true",
    "spark.metrics.conf.*.sink.prometheusServlet.class": "org.apache.spark.metrics.sink.PrometheusServlet",
    "spark.metrics.conf.*.sink.prometheusServlet.path": "/metrics/prometheus",
    "spark.metrics.namespace": "tinderbox",
    "spark.ui.enabled": "true",
    "spark.ui.port": "0",
    "spark.ui.showConsoleProgress": "false",
}
PATHS = ("/metrics/prometheus/", "/metrics/executors/prometheus/")
FROM_HEARTBEAT = "metrics_executor_ProcessTreePythonRSSMemory_bytes"


def told() -> list[str]:
    """Start Spark, and return what it tells of itself once its first heartbeat has brought the memory of processes."""
    provide_java()
    builder = SparkSession.builder.master("local[1]").appName("tinderbox metrics")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    try:
        url = session.sparkContext.uiWebUrl
        deadline = time.monotonic() + 60
        while True:
            found = sorted({line for path in PATHS for line in _names(f"{url}{path}")})
            if any(FROM_HEARTBEAT in line for line in found) or time.monotonic() > deadline:
                return found
            time.sleep(0.2)
    finally:
        session.stop()


def _names(url: str) -> list[str]:
    with urllib.request.urlopen(url) as answer:  # noqa: S310, an address of this machine
        found = re.findall(r"^(metrics_\w+)\{(.*?)\} ", answer.read().decode(), re.MULTILINE)
    return [" ".join([name, *sorted(re.findall(r"(\w+)=", labels))]) for name, labels in found]


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in told()))
