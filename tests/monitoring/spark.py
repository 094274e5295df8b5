"""`python -m tests.monitoring.spark`: the metrics that the installed Spark tells, a line each with its labels."""

from __future__ import annotations

import re
import sys
import urllib.request

from pyspark.sql import SparkSession

from tinderbox.spark.java import provide_java

SETTINGS = {
    "spark.driver.memory": "512m",
    "spark.executor.processTreeMetrics.enabled": "true",
    "spark.metrics.conf.*.sink.prometheusServlet.class": "org.apache.spark.metrics.sink.PrometheusServlet",
    "spark.metrics.conf.*.sink.prometheusServlet.path": "/metrics/prometheus",
    "spark.metrics.namespace": "tinderbox",
    "spark.ui.enabled": "true",
    "spark.ui.port": "0",
    "spark.ui.showConsoleProgress": "false",
}
PATHS = ("/metrics/prometheus/", "/metrics/executors/prometheus/")


def told() -> list[str]:
    """Start Spark, run a small job, and return what it tells of itself."""
    provide_java()
    builder = SparkSession.builder.master("local[1]").appName("tinderbox metrics")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    try:
        context = session.sparkContext
        context.parallelize(range(4), 2).map(lambda number: (number % 2, number)).groupByKey().count()
        return sorted({line for path in PATHS for line in _names(f"{context.uiWebUrl}{path}")})
    finally:
        session.stop()


def _names(url: str) -> list[str]:
    with urllib.request.urlopen(url) as answer:  # noqa: S310, an address of this machine
        found = re.findall(r"^(metrics_\w+)\{(.*?)\} ", answer.read().decode(), re.MULTILINE)
    return [" ".join([name, *sorted(re.findall(r"(\w+)=", labels))]) for name, labels in found]


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in told()))
