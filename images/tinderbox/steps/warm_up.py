"""A driver that does what every job does, for archive.py to learn which classes that takes."""

import sys
import tempfile
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def session(port: str, certificate: str, folder: str) -> SparkSession:
    """Open a session as the chart has it: in a pod, with authentication, encryption and an event log."""
    settings: dict[str, bool | float | int | str | None] = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.kubernetes.driver.pod.name": "driver",
        "spark.kubernetes.namespace": "default",
        "spark.kubernetes.authenticate.caCertFile": certificate,
        "spark.kubernetes.container.image": "none",
        "spark.kubernetes.executor.apiPollingInterval": "1s",
        "spark.executor.instances": "1",
        "spark.executor.cores": "2",
        "spark.executor.memory": "512m",
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        "spark.decommission.enabled": "true",
        "spark.log.level": "ERROR",
        "spark.executor.syncLogLevel.enabled": "true",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": Path(folder, "events").as_uri(),
        "spark.driver.extraJavaOptions": QUICK,
        "spark.executor.extraJavaOptions": QUICK,
    }
    Path(folder, "events").mkdir()
    builder = SparkSession.builder.appName("archive").master(f"k8s://https://127.0.0.1:{port}")
    return builder.config(map=settings).getOrCreate()


def work(context: SparkContext) -> None:
    """Run Python in executors, with a broadcast and a shuffle: what every job of Tinderbox does."""
    broadcast = context.broadcast(b"0" * 100_000)
    numbers = context.parallelize(range(100), 2).map(lambda number: (number % 3, number + len(broadcast.value)))
    assert len(numbers.reduceByKey(max).collect()) == 3  # noqa: S101


def end() -> None:
    """Let the JVM end and wait for it: its list of classes is whole then."""
    process = SparkContext._gateway.proc  # type: ignore[union-attr]  # a session was open, so there is one
    process.stdin.close()
    process.wait(timeout=300)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        spark = session(sys.argv[1], sys.argv[2], scratch)
        work(spark.sparkContext)
        spark.stop()
    end()
