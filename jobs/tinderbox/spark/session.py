"""A Spark session for a job, on this machine or on the cluster that a master URL names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from tinderbox.spark.java import provide_java

_LOGGING = Path(__file__).with_name("log4j2.properties")
# The JVM only hosts Python here: a quick start matters, peak speed does not.
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

_SETTINGS = {
    "spark.driver.extraJavaOptions": f"{_JAVA} -Dlog4j2.configurationFile={_LOGGING.as_uri()}",
    "spark.executor.extraJavaOptions": _JAVA,
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Our code runs at once and can say why executors are missing, instead of waiting for them in silence.
    "spark.scheduler.minRegisteredResourcesRatio": "0",
    # A slot that fails is submitted anew by us, with a name of its own, not re-run behind our back.
    "spark.task.maxFailures": "1",
}


def open_session(name: str, master: str, cores: int) -> SparkSession:
    """Return a session whose tasks have this many cores each.

    Raises:
        BadInput: There is no Java to run Spark on.
    """
    provide_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(f"tinderbox {name}").master(master)
    for key, value in {**_SETTINGS, "spark.task.cpus": str(cores)}.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
