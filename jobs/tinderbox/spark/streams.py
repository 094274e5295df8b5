"""Batch inference on Spark: an input read in micro-batches, each labelled by Python workers and handed over whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import TaskContext
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from tinderbox.config import InferJob, TrainJob
from tinderbox.errors import TinderboxError
from tinderbox.inference import rows
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.sources import Files
from tinderbox.models.network import PackedModel
from tinderbox.process import set_gpus, set_threads
from tinderbox.spark.executor import find_gpus
from tinderbox.spark.jobs import first_line
from tinderbox.spark.reading import read_input
from tinderbox.spark.session import check_java
from tinderbox.spark.worker import Worker, own_columns

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

PARTS = 4
"""Tasks of a micro-batch for each slot: the last ones fill the time that the others need longer."""

LOOK_SECONDS = 1
_SETTINGS = {
    # A file costs its bytes and little more, or a thousand small ones would become a hundred tasks.
    "spark.sql.files.openCostInBytes": str(16 << 10),
    "spark.sql.files.maxPartitionBytes": str(64 << 20),
    # A file that was deleted after it was listed is no reason to stop.
    "spark.sql.files.ignoreMissingFiles": "true",
    # What a Python worker holds of rows that it has not looked at yet.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "64",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(8 << 20),
    "spark.sql.streaming.minBatchesToRetain": "10",
}


def settle(spark: SparkSession, slots: int) -> None:
    """Make the settings of a session that labels for us alone."""
    tasks = str(PARTS * slots)
    # Spark lists the files of a micro-batch in a job of its own, with a task for each file where it is not held back.
    listing = {"spark.sql.sources.parallelPartitionDiscovery.parallelism": tasks}
    for key, value in {**_SETTINGS, **listing, "spark.sql.files.minPartitionNum": tasks}.items():
        spark.conf.set(key, value)


def count_slots(spark: SparkSession, job: InferJob | TrainJob) -> int:
    """Return how many of a job's workers there is room for now."""
    context, cores = spark.sparkContext, job.cores
    if (context.master or "").startswith("local["):
        return job.slots
    together = int(context.getConf().get("spark.executor.cores") or cores) // cores
    return int(context._jsc.sc().getExecutorIds().size()) * max(together, 1)


def on_one_executor(spark: SparkSession, function: Callable[[], T], cores: int) -> T:
    """Return what a function returns in a Python worker of one executor, with the threads and GPUs of a slot."""

    def call(_: int) -> T:
        set_threads(cores)
        set_gpus(find_gpus(TaskContext.get()))
        return function()

    found: list[T] = spark.sparkContext.parallelize([0], 1).map(call).collect()
    return found[0]


class Stage:
    """Spark ready to label: the model broadcast, once for each executor."""

    def __init__(
        self, spark: SparkSession, job: InferJob, recipe: Recipe, model: PackedModel | None, files: Files
    ) -> None:
        own = None if job.columns is None else own_columns(job.columns)
        self.columns = rows.schema(recipe.regression, own)
        self._told = from_arrow_schema(self.columns)
        packed = spark.sparkContext.broadcast(model)
        self._worker = Worker(job.input, job.limits.bytes, recipe, packed, files, own, job.name)
        self.spark, self.job = spark, job

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(Py4JError, OSError):  # Java may have ended
            self._worker.model.destroy()

    def predict(self, some: DataFrame) -> DataFrame:
        """Return what is predicted for some rows, once that is asked for."""
        return some.mapInArrow(self._worker, self._told)

    def label(self, some: DataFrame) -> pa.Table:
        """Return what is predicted for some rows, which must fit into this process."""
        import pyarrow as pa

        found = self.predict(some).toArrow()
        return pa.Table.from_batches(found.cast(self.columns).to_batches(), self.columns)


@contextmanager
def explained() -> Iterator[None]:
    """Make one sentence of what Spark, its Java or the storage raise.

    Raises:
        TinderboxError: One of them has failed.
    """
    try:
        yield
    except (PySparkException, Py4JError, OSError) as error:
        raise _explain(error) from error


def _explain(error: Exception) -> TinderboxError:
    check_java()
    return TinderboxError(f"rows cannot be labelled: {first_line(error)}")


Keep = Callable[[int, "pa.Table", float], None]
Watch = Callable[[], None]


def label_stream(stage: Stage, together: int, progress: str, keep: Keep, watch: Watch) -> None:
    """Label all files that have come since the last time.

    `keep` is given each micro-batch's number, rows and seconds, and the same ones again where a driver was killed
    before it returned; `progress` is the folder, by a URL that Spark knows, in which the stream notes where it is.
    `watch` is called every second, and ends the stream by what it raises.

    Raises:
        TinderboxError: A task has failed again and again, Spark has stopped, or rows cannot be written.
    """
    trouble: list[Exception] = []

    def run(batch: DataFrame, number: int) -> None:
        begin = time.monotonic()
        try:
            keep(number, stage.label(batch), time.monotonic() - begin)
        except Exception as error:
            trouble.append(error)
            raise

    with explained():
        stream = read_input(stage.spark, stage.job, together)
        query = (
            stream.writeStream.foreachBatch(run)
            .option("checkpointLocation", progress)
            .trigger(availableNow=True)
            .queryName(f"tinderbox {stage.job.name}")
            .start()
        )
        try:
            while not query.awaitTermination(LOOK_SECONDS):
                watch()
        except StreamingQueryException as error:
            found = trouble[0] if trouble else error
            raise (found if isinstance(found, TinderboxError) else _explain(found)) from error
        finally:
            with suppress(Py4JError, OSError):
                query.stop()


def label_tables(stage: Stage, tables: Iterable[tuple[int, pa.Table]], keep: Keep, watch: Watch) -> None:
    """Label tables with the columns `path` and `content`, each a micro-batch of its own, as `label_stream` does files.

    Raises:
        TinderboxError: A task has failed again and again, or Spark has stopped.
    """
    for number, table in tables:
        begin = time.monotonic()
        some = stage.spark.createDataFrame(table).repartition(PARTS * stage.job.slots)
        found = watched(partial(stage.label, some), stage.spark, watch)
        with explained():
            keep(number, found, time.monotonic() - begin)


def watched(call: Callable[[], T], spark: SparkSession, watch: Watch) -> T:
    """Return what a call that waits for Spark returns; what `watch` raises meanwhile cancels it.

    Raises:
        TinderboxError: Spark or its Java has failed.
    """
    with explained(), ThreadPoolExecutor(1) as thread:
        future = thread.submit(call)
        try:
            while not wait([future], LOOK_SECONDS).done:
                watch()
        except BaseException:
            with suppress(Py4JError, OSError):
                spark.sparkContext.cancelAllJobs()
            raise
        return future.result()
