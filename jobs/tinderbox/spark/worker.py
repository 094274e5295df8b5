"""What a Python worker of an executor does in a batch inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pyspark import Broadcast, TaskContext
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from tinderbox.config.inputs import Held, Images, Records, Rows, Tars
from tinderbox.errors import BadInput
from tinderbox.inference.blocks import Block, number_blocks, picture_blocks, raw_blocks
from tinderbox.inference.labelling import Labeller, find_labeller
from tinderbox.inference.own import OwnLabeller
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.sources import Files, from_columns, from_records, from_tars
from tinderbox.metrics.meter import Meter, find_meter
from tinderbox.models.network import PackedModel
from tinderbox.process import set_gpus, set_threads
from tinderbox.spark.executor import find_gpus, find_place
from tinderbox.spark.jobs import first_line

if TYPE_CHECKING:
    import pyarrow as pa

    Tables = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Worker:
    """What a Python worker does with the rows of its task; it travels in Spark's closure.

    `own` are the columns of a user's function, None where there is a model; `limit` is the largest file in bytes, and
    `run` the name of the batch inference.
    """

    source: Images | Tars | Records | Rows | Held
    limit: int
    recipe: Recipe
    model: Broadcast[PackedModel | None]
    files: Files
    own: pa.Schema | None = None
    run: str = ""

    def __call__(self, tables: Tables) -> Tables:
        """Yield what is predicted for a task's rows."""
        set_threads(self.recipe.threads)
        set_gpus(find_gpus(TaskContext.get()))
        meter = find_meter(self.run)
        labeller = self._labeller(meter)
        with ThreadPoolExecutor(self.recipe.threads) as threads:
            yield from labeller.label(self._blocks(tables, threads), find_place()[0], meter)
        meter.flush()

    def _labeller(self, meter: Meter) -> Labeller | OwnLabeller:
        if self.own is None:
            return find_labeller(self.recipe, self._take, meter)
        called = "values" if self.recipe.features else "image" if self.recipe.frame else "content"
        return OwnLabeller(self.recipe.predict, called, self.own, self.recipe.model)

    def _take(self) -> PackedModel:
        """Return the packed model, of which the broadcast keeps no copy: the loaded one is enough for a worker."""
        packed = self.model.value
        if "_path" in vars(self.model):  # where it is read again, should another recipe ask for it
            vars(self.model).pop("_value", None)
        return cast("PackedModel", packed)

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
