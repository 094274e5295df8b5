"""A Spark session for a job: on this machine, on the cluster of a master URL, or from the pod we run in."""

from __future__ import annotations

import logging
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import SparkContext
from pyspark.sql import SparkSession

from tinderbox.config import AnyJob
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.metrics.meter import SOCKET_VARIABLE
from tinderbox.spark.java import provide_java
from tinderbox.spark.jobs import first_line

LOG = logging.getLogger(__name__)

_LOGGING = Path(__file__).with_name("log4j2.properties")
# The JVM only hosts Python here: a quick start matters, peak speed does not.
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

_MASTER = re.compile(r"local(\[.+\])?|local-cluster\[.+\]|yarn|(spark|k8s)://.+")

_ALWAYS = {
    "spark.ui.showConsoleProgress": "false",
    # Our code runs at once and can say why executors are missing, instead of waiting for them in silence.
    "spark.scheduler.minRegisteredResourcesRatio": "0",
}


def count_failures(job: AnyJob) -> int:
    """Return how often a task may fail: a slot or agent is submitted anew by us, and not re-run behind our back."""
    return 1 if job.kind == "sweep" or (job.kind == "train" and job.mode.name != "averaging") else 4


_WITHOUT_A_CHART = {
    "spark.driver.extraJavaOptions": f"{_JAVA} -Dlog4j2.configurationFile={_LOGGING.as_uri()}",
    "spark.executor.extraJavaOptions": _JAVA,
    "spark.ui.enabled": "false",
}


def open_session(job: AnyJob, master: str | None, pod: Mapping[str, str] | None) -> SparkSession:
    """Return a session whose tasks are as large as the job's slots.

    In a pod, what the cluster looks like comes from the chart's spark-defaults.conf, and `pod` holds the settings
    that only the pod itself knows. Elsewhere `master` says where to run, this machine where it is None.

    Raises:
        BadInput: There is no Java to run Spark on, the master is none, or slots do not fit the executors.
        TinderboxError: Spark does not start.
    """
    if master is not None and not _MASTER.fullmatch(master):
        raise BadInput(f"a Spark master is local[2], spark://HOST:PORT, yarn or k8s://URL, got {master!r}")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    failures = count_failures(job)
    settings = {**_ALWAYS, "spark.task.cpus": str(job.cores), "spark.task.maxFailures": str(failures)}
    builder = SparkSession.builder.appName(f"tinderbox {job.name}")
    if pod is not None:
        defaults = read_defaults()
        known = {key: value for key, value in pod.items() if key not in defaults}  # an image of their own, say
        settings |= {**known, **size_of_executors(job, defaults)}
    else:
        provide_java()
        settings |= _WITHOUT_A_CHART
        builder = builder.master(master or f"local[{job.slots * job.cores},{failures}]")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        with _holding_interrupts():
            return builder.getOrCreate()
    except Exception as error:
        raise TinderboxError(f"Spark does not start: {first_line(error)}") from error


def name_exporter(session: SparkSession) -> None:
    """Let workers on this machine find this process's exporter: Java may be older, and know that of an earlier run."""
    path = os.environ.get(SOCKET_VARIABLE)
    if path and (session.sparkContext.master or "").startswith("local"):
        session.sparkContext.environment[SOCKET_VARIABLE] = path


def close_session(session: SparkSession) -> None:
    """Stop a session; one whose Java has ended needs no stop."""
    with suppress(Py4JError, OSError):
        session.stop()


def check_java() -> None:
    """Return while the Java process that this one has started for Spark runs, or if it has started none.

    Raises:
        TinderboxError: It has ended.
    """
    process = getattr(SparkContext._gateway, "proc", None)
    code = None if process is None else process.poll()
    if code is not None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise TinderboxError(f"Spark's Java process {how}; run the same command again to continue")


@contextmanager
def _holding_interrupts() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until Spark has started: its Java would outlive a start that is broken off.

    A second one is not held back. Afterwards handlers are as they were, without Spark's own, which would cancel the
    slots' jobs before they can give their trials back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        signal.raise_signal(held[0])


def size_of_executors(job: AnyJob, defaults: Mapping[str, str]) -> dict[str, str]:
    """Return how many executors a job's slots need, with the cores that the chart gives each, or a slot's.

    With dynamic allocation they are as many as that allows: Spark starts with no other number.

    Raises:
        BadInput: A slot needs more cores than an executor has.
    """
    cores = int(defaults.get("spark.executor.cores", job.cores))
    if cores < job.cores:
        raise BadInput(f"cores must be at most {cores}, what the chart gives an executor, got {job.cores}")
    together = cores // job.cores
    executors = math.ceil(job.slots / together)
    if defaults.get("spark.dynamicAllocation.enabled") == "true":
        executors = max(executors, int(defaults.get("spark.dynamicAllocation.minExecutors", "0")))
        executors = min(executors, int(defaults.get("spark.dynamicAllocation.maxExecutors", executors)))
    sizes = {"spark.executor.instances": str(executors), "spark.executor.cores": str(cores)}
    if gpus := int(defaults.get("spark.executor.resource.gpu.amount", "0")):
        sizes["spark.task.resource.gpu.amount"] = divide_gpus(gpus, together)
    return sizes


def want_executors(spark: SparkContext, job: AnyJob) -> None:
    """Ask the cluster for as many executors as a job's slots need now; those that are too many stay, idle.

    Nothing is asked for where executors come and go by themselves, nor on one machine, which has what it began with.
    """
    defaults = dict(spark.getConf().getAll())
    if (spark.master or "").startswith("local"):
        together = spark.defaultParallelism // job.cores
        if job.slots > together:
            LOG.warning("Spark was started for %d slots here; stop the sweep and start it again for more", together)
        return
    if defaults.get("spark.dynamicAllocation.enabled") == "true":
        return
    wanted = int(size_of_executors(job, defaults)["spark.executor.instances"])
    java = spark._jsc.sc()
    if wanted > java.getExecutorIds().size():
        # In all, and not those that are missing: on Kubernetes Spark does not count the ones that it began with.
        java.requestTotalExecutors(wanted, 0, spark._jvm.PythonUtils.toScalaMap({}))  # type: ignore[union-attr]


def divide_gpus(gpus: int, slots: int) -> str:
    """Return how many of an executor's GPUs each of its slots has: whole ones, or a part of one that several share.

    Checked against what Spark takes, and with no GPU at hand.
    """
    # Rounded down, for Spark counts how many parts fit into one.
    return str(gpus // slots if gpus >= slots else math.floor(10_000 / math.ceil(slots / gpus)) / 10_000)


def share_executor(spark: SparkContext, job: AnyJob) -> tuple[int, int]:
    """Return the bytes of an executor's Java heap, and how many of a job's slots share it at most.

    The number is 0 where it is not known, and on this machine, where nobody has said what memory is for slots.
    """
    setting = spark.getConf().get
    cores = None if (spark.master or "").startswith("local") else setting("spark.executor.cores")
    slots = min(int(cores) // job.cores, job.slots) if cores else 0
    return in_bytes(setting("spark.executor.memory") or "1g"), slots


def in_bytes(size: str) -> int:
    """Return what Spark understands by a size of memory such as `768m`, in bytes; a bare number is mebibytes."""
    found = re.fullmatch(r"(\d+)([bkmgtp]?)b?", size.strip().lower())
    if found is None:
        raise BadInput(f"a size of Spark's memory is a number with one of the units k, m, g, t, got {size!r}")
    return int(found[1]) << 10 * "bkmgtp".index(found[2] or "m")


def read_defaults() -> dict[str, str]:
    """Return what spark-defaults.conf in SPARK_CONF_DIR says, nothing where there is none."""
    path = Path(os.environ.get("SPARK_CONF_DIR", ""), "spark-defaults.conf")
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.split(maxsplit=1) for line in lines if line.strip() and not line.lstrip().startswith("#"))
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}
