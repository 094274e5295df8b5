"""Tells Prometheus of the runs in a storage that have ended: `python -m tinderbox.api.console`.

TINDERBOX_STORAGE names the folder or URL (`studies`), TINDERBOX_METRICS_PORT the port. So yesterday's study is still
shown when its driver is gone; one that runs is told of by its driver.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from tinderbox.api.labelled import open_rows
from tinderbox.api.result import open_study
from tinderbox.api.stock import take_stock
from tinderbox.api.trained import open_training
from tinderbox.errors import TinderboxError
from tinderbox.inference.measures import Left, measure
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import Sample
from tinderbox.metrics.own import opened_exporter
from tinderbox.storage import StudyFolder, check_storage, find_studies
from tinderbox.storage.finding import find_inferences, find_trainings
from tinderbox.storage.room import look_at_room
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder
from tinderbox.sweeping.measures import Measures
from tinderbox.training.measures import measure_training
from tinderbox.training.status import take_status

LOG = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
SILENT_SECONDS = 600.0
"""A run whose record has not grown for so long has no driver, most likely, though it has not ended."""

MOST_RUNS = 10
"""So many runs are told of, those that ended last."""

T = TypeVar("T")
Extent = tuple[bytes | int, ...]
Samples = tuple[Sample, ...]


@dataclass(frozen=True)
class Seen:
    """What was seen of a run: the Unix time of the `newest` that it has kept, if of any, and whether it has ended."""

    extent: Extent
    newest: float
    over: bool

    @property
    def is_told(self) -> bool:
        """Whether no driver tells of it any more."""
        return self.over or 0 < self.newest <= time.time() - SILENT_SECONDS


@dataclass(frozen=True)
class Kind:
    """A kind of runs: how they are found, how much there is of one, and what is in it, with all that is told of it."""

    names: Callable[[str], list[str]]
    extent: Callable[[str, str], Extent]
    read: Callable[[str, str], tuple[float, bool, Samples]]


def read_study(name: str, storage: str) -> tuple[float, bool, Samples]:
    """Return when a study's record has grown last, whether it has ended, and what is told of it."""
    result = open_study(name, storage)
    record, status, over = result.record, take_stock(result), result.record.finished is not None
    if not over:  # its driver was killed, say, and the time since then is none of its own
        status = replace(status, seconds=record.running_time(record.newest), seconds_left=None)
    return record.newest, over, _told(Measures(record, result.job).take(status), over)


def read_rows(name: str, storage: str) -> tuple[float, bool, Samples]:
    """Return when the newest rows of a batch inference were made, whether it has ended, and what is told of it."""
    result = open_rows(name, storage)
    over, summary = result.folder.is_whole(), result.summary
    return summary.ended, over, _told(measure(name, summary, over, Left(0, None) if over else None), over)


def read_training(name: str, storage: str) -> tuple[float, bool, Samples]:
    """Return when a training's record has grown last, whether it has ended, and what is told of it."""
    result = open_training(name, storage)
    record, over = result.record, result.record.ended is not None
    status = replace(take_status(record, record.newest), seconds_left=None)
    return record.newest, over, _told(measure_training(result.job, record, status, led=False), over)


def _told(samples: Iterable[Sample], over: bool) -> Samples:
    """Return what is told of a run; of one that was left alone nobody knows whether it runs, but its driver."""
    unknown = () if over else (catalogue.STUDY_OVER, catalogue.INFERENCE_OVER, catalogue.TRAINING_OVER)
    return tuple(sample for sample in samples if sample.metric not in unknown)


KINDS = (
    Kind(find_studies, lambda name, storage: StudyFolder(storage, name).extent(), read_study),
    Kind(find_inferences, lambda name, storage: RowsFolder(storage, name).extent(), read_rows),
    Kind(find_trainings, lambda name, storage: TrainFolder(storage, name).extent(), read_training),
)


class Archive:
    """The runs of a storage that have ended; one is read again only when there is more of it."""

    def __init__(self, storage: str) -> None:
        self._storage = storage
        self._seen: dict[str, Seen] = {}
        self._told: dict[str, tuple[Extent, Samples]] = {}
        self._unreadable: set[str] = set()

    def refresh(self) -> None:
        """Look at all runs; what cannot be read is left out, and said once."""
        kinds = self._try(self._storage, lambda: {name: kind for kind in KINDS for name in kind.names(self._storage)})
        if kinds is None:
            return
        self._unreadable &= kinds.keys()
        seen = {name: self._try(name, partial(self._look, name, kind)) for name, kind in kinds.items()}
        self._seen = {name: found for name, found in seen.items() if found is not None}
        told = sorted((found.newest, name) for name, found in self._seen.items() if found.is_told)[-MOST_RUNS:]
        samples = {name: self._try(name, partial(self._tell, name, kinds[name])) for _, name in told}
        self._told = {name: (self._seen[name].extent, found) for name, found in samples.items() if found is not None}

    def samples(self) -> Iterator[Sample]:
        """Yield what was known when all runs were looked at last."""
        for _, samples in self._told.values():
            yield from samples
        yield from look_at_room(self._storage)

    def _look(self, name: str, kind: Kind) -> Seen:
        extent, known = kind.extent(name, self._storage), self._seen.get(name)
        if known is not None and known.extent == extent:
            return known
        newest, over, _ = kind.read(name, self._storage)
        return Seen(extent, newest, over)

    def _tell(self, name: str, kind: Kind) -> Samples:
        """Return what is told of a run, which only those that are told keep."""
        extent, samples = self._told.get(name, ((), ()))
        return samples if extent == self._seen[name].extent else kind.read(name, self._storage)[2]

    def _try(self, about: str, action: Callable[[], T]) -> T | None:
        try:
            return action()
        except Exception as error:  # whatever is wrong with one, the others are told
            if about not in self._unreadable:
                LOG.warning("%s is left out: %s", about, error)
            self._unreadable.add(about)
            return None


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
