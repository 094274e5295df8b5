"""The input of a batch inference as Spark reads it: a table, or a stream of what has come since the last time."""

from __future__ import annotations

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as all of Spark's users call it
from pyspark.sql.streaming.readwriter import DataStreamReader

from tinderbox.config import InferJob
from tinderbox.config.inputs import Held, Images, Records, Rows, Tars
from tinderbox.errors import BadInput
from tinderbox.spark.jobs import first_line

_BYTES, _NUMBERS = 256 << 20, 16 << 20
"""A micro-batch of archives or tables: of numbers 20 bytes may be a row, and what comes out is larger than that."""

_EVER = "36500d"
"""By default a stream passes over files that are a week older than the newest it has seen."""

_HIDDEN = r"^\.|^_(SUCCESS|temporary|spark_metadata|started_\d+|committed_\d+)$"
"""By default Spark passes over all names that begin with `_` too; those that are left out here are its own."""

_FILE = "path string, modificationTime timestamp, length long, content binary"


def count_input(spark: SparkSession, job: InferJob, most: int) -> int:
    """Return how many files, or rows of tables, the input has, `most` where there are more.

    Raises:
        BadInput: There is no such path, or its columns are not those that the job names.
    """
    return read_input(spark, job).select("path").limit(most).count()


def count_files(spark: SparkSession, job: InferJob) -> int:
    """Return how many files the input has, by their list alone.

    Raises:
        BadInput: There is no such path, or its columns are not those that the job names.
    """
    return len(read_input(spark, job)._jdf.inputFiles())


def read_input(spark: SparkSession, job: InferJob, rows: int = 0) -> DataFrame:
    """Return the input as columns `path` and `content`, or `path` and the features, or the paths of archives.

    With `rows` it is a stream, of which a micro-batch has so many files, or of archives and tables a volume of bytes.

    Raises:
        BadInput: There is no such path, or its columns are not those that the job names.
    """
    source = job.input
    assert not isinstance(source, Held)  # noqa: S101 - it lies in this process
    try:
        reader: DataFrameReader | DataStreamReader = spark.read
        if rows:
            reader = spark.readStream.option("maxFileAge", _EVER).option(*_portion(spark, job, rows))
        if isinstance(source, Rows):
            # Without types of its own, or the key 007 would be 7.
            schema = spark.read.options(header="true", recursiveFileLookup="true")
            columns = schema.format(source.source).load(source.path).schema
            # Without a schema that is enforced, a file whose columns are in another order is refused, and not misread.
            reader = reader.options(header="true", recursiveFileLookup="true", enforceSchema="false")
            found = reader.schema(columns).format(source.source).load(source.path)
            return select_columns(found, source, job.limits.bytes)
        files = _files(reader, source)
    except AnalysisException as error:
        raise BadInput(f"input: {source.path} cannot be read: {first_line(error)}") from error
    files = files.withColumn("path", F.regexp_replace("path", "^file:/+", "/"))
    if not isinstance(source, Images):
        return files.select("path")
    # Spark reads a file as a whole, and fails above 2 GiB: those that are too large must never be opened.
    small = files.filter(F.col("length") <= job.limits.bytes).select("path", "content")
    large = files.filter(F.col("length") > job.limits.bytes).select("path", F.lit(None).cast("binary").alias("content"))
    return small.union(large)


def _files(reader: DataFrameReader | DataStreamReader, source: Images | Tars | Records) -> DataFrame:
    reader = reader.options(recursiveFileLookup="true", ignoredPathSegmentRegex=_HIDDEN)
    if isinstance(source, Images) and source.pattern is not None:
        reader = reader.option("pathGlobFilter", source.pattern)
    return reader.format("binaryFile").schema(_FILE).load(source.path)


def _portion(spark: SparkSession, job: InferJob, rows: int) -> tuple[str, int]:
    if isinstance(job.input, Images):
        return "maxFilesPerTrigger", rows
    return "maxBytesPerTrigger", find_volume(spark, job)


def find_volume(spark: SparkSession, job: InferJob) -> int:
    """Return how many bytes of archives or tables go into a micro-batch, whose rows this process holds."""
    if job.limits.volume is not None:
        return job.limits.volume
    assert not isinstance(job.input, Held)  # noqa: S101 - it lies in this process
    if isinstance(job.input, Rows):
        return _BYTES if job.input.features is None else _NUMBERS
    # One slot reads an archive, so with fewer of them the others would have nothing to do.
    (largest,) = _files(spark.read, job.input).agg(F.max("length")).collect()[0]
    return max(_BYTES, job.slots * (largest or 0))


def select_columns(found: DataFrame, source: Rows, limit: int) -> DataFrame:
    """Return the columns that are needed of a table.

    Raises:
        BadInput: It has not all of them.
    """
    wanted = [name for name in [source.key, source.image, *(source.features or [])] if name is not None]
    for name in wanted:
        if name not in found.columns:
            raise BadInput(f"input: {source.path} has the columns {', '.join(found.columns)}, and not {name}")
    path = _place(source) if source.key is None else _named(source.key).cast("string")
    if source.image is None:
        # What is no number becomes null, and so a row with an error. Spark's mapInArrow knows no name with a dot.
        numbers = [
            _named(name).try_cast("float").alias(f"feature_{at}") for at, name in enumerate(source.features or [])
        ]
        return found.select(path.alias("path"), *numbers)
    held = F.coalesce(_named(source.image), F.lit(b""))  # null is as an empty file, and not as one that is too large
    return found.select(path.alias("path"), F.when(F.length(held) <= limit, held).alias("content"))


def _place(source: Rows) -> Column:
    """Return where a row comes from: its file, and its number there where Spark knows that."""
    escaped = F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B"))  # a plus is a blank to url_decode
    file = F.regexp_replace(F.url_decode(escaped), "^file:/+", "/")
    return F.concat(file, F.lit("#"), F.col("_metadata.row_index")) if source.source == "parquet" else file


def _named(name: str) -> Column:
    """Return the column of this name, in which a dot is nothing but a dot."""
    return F.col("`" + name.replace("`", "``") + "`")
