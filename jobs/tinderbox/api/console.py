"""Tells Prometheus of the runs in a storage that have ended: `python -m tinderbox.api.console`.

TINDERBOX_STORAGE names the folder or URL (`studies`), TINDERBOX_METRICS_PORT the port. So yesterday's study is still
shown when its driver is gone; one that runs is told of by its driver.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tinderbox.api.labelled import open_rows
from tinderbox.api.result import open_study
from tinderbox.api.stock import take_stock
from tinderbox.errors import TinderboxError
from tinderbox.inference.measures import measure
from tinderbox.metrics.catalogue import Sample
from tinderbox.metrics.own import opened_exporter
from tinderbox.storage import StudyFolder, check_storage, find_studies
from tinderbox.storage.finding import find_inferences
from tinderbox.storage.room import look_at_room
from tinderbox.storage.rows import RowsFolder
from tinderbox.sweeping.measures import Measures

LOG = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
SILENT_SECONDS = 600.0
"""A run whose record has not grown for so long has no driver, though it has not ended."""

MOST_RUNS = 10
"""So many runs are told of, those that ended last."""


@dataclass(frozen=True)
class Ended:
    """What is told of a run that ended at a Unix time; `extent` is how much there was of it."""

    extent: tuple[int, ...]
    time: float
    samples: list[Sample]


class Archive:
    """The runs of a storage that have ended; one is read again only when there is more of it."""

    def __init__(self, storage: str) -> None:
        self._storage = storage
        self._ended: dict[str, Ended] = {}

    def refresh(self) -> None:
        """Look at all runs; one that cannot be read is left out, and said once."""
        found = {}
        for names, look in ((find_studies, self._look_at_study), (find_inferences, self._look_at_rows)):
            for name in names(self._storage):
                try:
                    ended = look(name)
                except (TinderboxError, OSError) as error:
                    LOG.warning("%s is left out: %s", name, error)
                    continue
                if ended is not None:
                    found[name] = ended
        self._ended = found

    def samples(self) -> Iterator[Sample]:
        """Yield what was known when all runs were looked at last."""
        newest = sorted(self._ended.values(), key=lambda ended: ended.time)[-MOST_RUNS:]
        for ended in newest:
            yield from ended.samples
        yield from look_at_room(self._storage)

    def _known(self, name: str, extent: tuple[int, ...]) -> Ended | None:
        known = self._ended.get(name)
        return known if known is not None and known.extent == extent else None

    def _look_at_study(self, name: str) -> Ended | None:
        extent = StudyFolder(self._storage, name).extent()
        if (known := self._known(name, extent)) is not None:
            return known
        result = open_study(name, self._storage)
        record, status = result.record, take_stock(result)
        if record.finished is None and time.time() - record.newest < SILENT_SECONDS:
            return None
        return Ended(extent, record.newest, list(Measures(record, result.job).take(status)))

    def _look_at_rows(self, name: str) -> Ended | None:
        extent = (len(RowsFolder(self._storage, name).names("summaries")),)
        if (known := self._known(name, extent)) is not None:
            return known
        result = open_rows(name, self._storage)
        if not result.folder.is_whole():
            return None
        return Ended(extent, result.summary.ended, list(measure(name, result.summary, over=True)))


def main() -> int:
    """Serve until the process is ended; a mistake is one sentence and an exit code."""
    logging.basicConfig(format="%(message)s")
    storage = os.environ.get("TINDERBOX_STORAGE") or "studies"
    try:
        check_storage(storage)
        archive = Archive(storage)
        with opened_exporter("console") as exporter, exporter.asking(archive.samples):
            while True:
                archive.refresh()
                time.sleep(REFRESH_SECONDS)
    except TinderboxError as error:
        LOG.error("tinderbox: %s", error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
