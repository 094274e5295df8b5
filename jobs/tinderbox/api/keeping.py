"""What becomes of the rows of a micro-batch, and of the files that Spark has passed over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tinderbox.api.watcher import InferWatcher
from tinderbox.errors import TinderboxError
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import THUMBNAIL, unread_table
from tinderbox.inference.summary import Summary, summarise, to_json
from tinderbox.storage.fetching import has_held
from tinderbox.storage.rows import RowsFolder

if TYPE_CHECKING:
    import pyarrow as pa

MANY = 1_000_000
"""Of so many files Spark's list alone takes hundreds of megabytes of the driver's memory."""


class Keeper:
    """Hands Spark's rows to the folder, and adds up what they are."""

    def __init__(self, folder: RowsFolder, watcher: InferWatcher) -> None:
        self._folder, self._watcher = folder, watcher
        self.summary, self.batches, self.files, self._begun = Summary(), 0, 0, time.time()

    def keep(self, batch: int, table: pa.Table, seconds: float) -> None:
        """Write a micro-batch's rows and their summary; one that is empty leaves nothing."""
        self.batches += 1
        self.files += self._folder.listed(batch)
        if not len(table):
            return
        found = summarise(table, time.time() - seconds, seconds)
        self._folder.keep(batch, table.drop_columns([THUMBNAIL]), to_json(found))
        self.summary += found
        self._watcher.show(self.summary)

    def keep_unread(self, recipe: Recipe, columns: pa.Schema) -> None:
        """Write rows for the files that Spark has passed over, those of earlier runs among them.

        Raises:
            TinderboxError: One of them is not empty, so executors have no access to what the driver has listed.
        """
        from tinderbox.spark.executor import find_place

        unread, new = self._folder.unread()
        lost = next((path for path in new if has_held(path, self._begun)), None)
        if lost is not None:
            self._folder.give_up()  # Spark has noted these files as done
            raise TinderboxError(
                f"executors cannot read {lost}, which the driver can; give their pods the input's volume, "
                "and start again: all is labelled then"
            )
        if new:
            place = {"model": recipe.model, "node": find_place()[0]}
            table = unread_table(columns, unread, place, recipe.truth)
            self._folder.keep(None, table.drop_columns([THUMBNAIL]), to_json(summarise(table, time.time(), 0.0)))
            self.summary += summarise(unread_table(columns, new, place, recipe.truth), time.time(), 0.0)
        if self.summary.rows >= MANY:
            self._watcher.tell("more than a million files: put them into tars or Parquet, where memory stays as it is")
