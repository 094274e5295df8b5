"""Batch inference on Spark: an input read in micro-batches, each labelled by Python workers and handed over whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar, cast

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import Broadcast, TaskContext
from pyspark.errors import AnalysisException, PySparkException, StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as all of Spark's users call it
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import StructType

from tinderbox.config import InferJob
from tinderbox.config.infer import Held, Images, Records, Rows, Tars
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.inference import rows
from tinderbox.inference.blocks import Block, number_blocks, picture_blocks, raw_blocks
from tinderbox.inference.labelling import Labeller, find_labeller
from tinderbox.inference.own import OwnLabeller
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.sources import Files, from_columns, from_records, from_tars
from tinderbox.models.network import PackedModel
from tinderbox.process import set_gpus, set_threads
from tinderbox.spark.executor import find_gpus, find_place
from tinderbox.spark.slots import first_line

if TYPE_CHECKING:
    import pyarrow as pa

    Tables = Iterator[pa.RecordBatch]

T = TypeVar("T")

PARTS = 4
"""Tasks of a micro-batch for each slot: the last ones fill the time that the others need longer."""

LOOK_SECONDS = 1
_FILE = "path string, modificationTime timestamp, length long, content binary"
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


@dataclass(frozen=True)
class Worker:
    """What a Python worker does with the rows of its task; it travels in Spark's closure.

    `own` are the columns of a user's function, None where there is a model; `limit` is the largest file in bytes.
    """

    source: Images | Tars | Records | Rows | Held
    limit: int
    recipe: Recipe
    model: Broadcast[PackedModel | None]
    files: Files
    own: pa.Schema | None = None

    def __call__(self, tables: Tables) -> Tables:
        """Yield what is predicted for a task's rows."""
        set_threads(self.recipe.threads)
        set_gpus(find_gpus(TaskContext.get()))
        labeller = self._labeller()
        with ThreadPoolExecutor(self.recipe.threads) as threads:
            yield from labeller.label(self._blocks(tables, threads), find_place()[0])

    def _labeller(self) -> Labeller | OwnLabeller:
        packed = self.model.value
        if packed is not None:
            return find_labeller(self.recipe, packed)
        called = "values" if self.recipe.features else "image" if self.recipe.frame else "content"
        assert self.own is not None  # noqa: S101 - a job has a model or a function with its columns
        return OwnLabeller(self.recipe.predict, called, self.own, self.recipe.model)

    def _blocks(self, tables: Tables, threads: ThreadPoolExecutor) -> Iterator[Block]:
        source, recipe = self.source, self.recipe
        if recipe.features:
            return number_blocks(tables, recipe.features, recipe.batch)
        if isinstance(source, Tars):
            pictures = from_tars(_names(tables), self.limit, self.files.opened)
        elif isinstance(source, Records):
            pictures = from_records(_names(tables), source.image, source.key, self.limit, self.files.fetched)
        else:
            pictures = from_columns(tables, self.limit)
        if recipe.frame is None:
            return raw_blocks(pictures, recipe.batch)
        return picture_blocks(pictures, recipe.frame, recipe.batch, threads)


def _names(tables: Tables) -> Iterator[str]:
    for table in tables:
        yield from table.column("path").to_pylist()


def count_input(spark: SparkSession, job: InferJob, most: int) -> int:
    """Return how many files, or rows of tables, the input has, `most` where there are more.

    Raises:
        BadInput: There is no such path, or its columns are not those that the job names.
    """
    return read_input(spark, job).select("path").limit(most).count()


def read_input(spark: SparkSession, job: InferJob, rows: int = 0) -> DataFrame:
    """Return the input as columns `path` and `content`, or `path` and the features, or the paths of archives.

    With `rows` it is a stream, of which a micro-batch has so many files, or of archives and tables a volume of bytes.

    Raises:
        BadInput: There is no such path, or its columns are not those that the job names.
    """
    source = job.input
    assert not isinstance(source, Held)  # noqa: S101 - it lies in this process
    portion = ("maxFilesPerTrigger", rows) if isinstance(source, Images) else ("maxBytesPerTrigger", job.limits.volume)
    reader = spark.readStream.option(*portion) if rows else spark.read
    reader = reader.option("recursiveFileLookup", "true")
    try:
        if isinstance(source, Rows):
            schema = spark.read.options(header="true", inferSchema="true", recursiveFileLookup="true")
            columns = schema.format(source.source).load(source.path).schema
            found = reader.option("header", "true").schema(columns).format(source.source).load(source.path)
            return _columns(found, source, job.limits.bytes)
        if isinstance(source, Images) and source.pattern is not None:
            reader = reader.option("pathGlobFilter", source.pattern)
        files = reader.format("binaryFile").schema(_FILE).load(source.path)
    except AnalysisException as error:
        raise BadInput(f"input: {source.path} cannot be read: {first_line(error)}") from error
    files = files.withColumn("path", F.regexp_replace("path", "^file:/+", "/"))
    if not isinstance(source, Images):
        return files.select("path")
    # Spark reads a file as a whole, and fails above 2 GiB: those that are too large must never be opened.
    small = files.filter(F.col("length") <= job.limits.bytes).select("path", "content")
    large = files.filter(F.col("length") > job.limits.bytes).select("path", F.lit(None).cast("binary").alias("content"))
    return small.union(large)


def _columns(found: DataFrame, source: Rows, limit: int) -> DataFrame:
    """Return the columns that are needed of a table."""
    wanted = [name for name in [source.key, source.image, *(source.features or [])] if name is not None]
    for name in wanted:
        if name not in found.columns:
            raise BadInput(f"input: {source.path} has the columns {', '.join(found.columns)}, and not {name}")
    path = F.col("_metadata.file_path") if source.key is None else F.col(source.key).cast("string")
    if source.image is None:
        return found.select(path.alias("path"), *[F.col(name).cast("float") for name in source.features or []])
    held = F.col(source.image)
    return found.select(path.alias("path"), F.when(F.length(held) <= limit, held).alias("content"))


def on_one_executor(spark: SparkSession, function: Callable[[], T], cores: int) -> T:
    """Return what a function returns in a Python worker of one executor, with as many threads as a slot has cores."""

    def call(_: int) -> T:
        set_threads(cores)
        return function()

    found: list[T] = spark.sparkContext.parallelize([0], 1).map(call).collect()
    return found[0]


def own_columns(columns: Mapping[str, str]) -> pa.Schema:
    """Return the columns that a user's function returns, their types by Spark's names.

    Raises:
        BadInput: Spark knows no such type.
    """
    told = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    try:
        return to_arrow_schema(cast("StructType", StructType.fromDDL(told)))
    except Exception as error:
        raise BadInput(f"columns: {first_line(error)}; types are Spark's, such as float or array<string>") from error


class Stage:
    """Spark ready to label: the model broadcast, once for each executor, and the settings of the session made."""

    def __init__(
        self, spark: SparkSession, job: InferJob, recipe: Recipe, model: PackedModel | None, files: Files
    ) -> None:
        own = None if job.columns is None else own_columns(job.columns)
        self.columns = rows.schema(recipe.regression, own)
        self._told = from_arrow_schema(self.columns)
        self._worker = Worker(job.input, job.limits.bytes, recipe, spark.sparkContext.broadcast(model), files, own)
        self.spark, self.job = spark, job
        for key, value in {**_SETTINGS, "spark.sql.files.minPartitionNum": str(PARTS * job.slots)}.items():
            spark.conf.set(key, value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(Py4JError, OSError):  # Java may have ended
            self._worker.model.destroy()

    @property
    def slots(self) -> int:
        """How many workers there is room for now."""
        context, cores = self.spark.sparkContext, self.job.cores
        if (context.master or "").startswith("local["):
            return self.job.slots
        together = int(context.getConf().get("spark.executor.cores") or cores) // cores
        return int(context._jsc.sc().getExecutorIds().size()) * max(together, 1)

    def label(self, some: DataFrame) -> pa.Table:
        """Return what is predicted for some rows, which must fit into this process."""
        import pyarrow as pa

        found = some.mapInArrow(self._worker, self._told).toArrow()
        return pa.Table.from_batches(found.cast(self.columns).to_batches(), self.columns)


Keep = Callable[[int, "pa.Table", float], None]
Watch = Callable[[], None]


def label_stream(stage: Stage, together: int, progress: str, keep: Keep, watch: Watch) -> None:
    """Label all files that have come since the last time.

    `keep` is given each micro-batch's number, rows and seconds, and the same ones again where a driver was killed
    before it returned; `progress` is the folder, by a URL that Spark knows, in which the stream notes where it is.
    `watch` is called every second, and ends the stream by what it raises.

    Raises:
        TinderboxError: A task has failed again and again, or Spark has stopped.
    """
    trouble: list[Exception] = []

    def run(batch: DataFrame, number: int) -> None:
        begin = time.monotonic()
        try:
            keep(number, stage.label(batch), time.monotonic() - begin)
        except Exception as error:
            trouble.append(error)
            raise

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
        if isinstance(found, TinderboxError | OSError):
            raise found from error
        raise TinderboxError(f"rows cannot be labelled: {first_line(found)}") from error
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
        try:
            found = _watched(partial(stage.label, some), stage.spark, watch)
        except PySparkException as error:
            raise TinderboxError(f"rows cannot be labelled: {first_line(error)}") from error
        keep(number, found, time.monotonic() - begin)


def _watched(call: Callable[[], T], spark: SparkSession, watch: Watch) -> T:
    """Return what a call that waits for Spark returns; what `watch` raises meanwhile cancels it."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(call)
        try:
            while not wait([future], LOOK_SECONDS).done:
                watch()
        except BaseException:
            with suppress(Py4JError, OSError):
                spark.sparkContext.cancelAllJobs()
            raise
        return future.result()
