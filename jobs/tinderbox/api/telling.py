"""What a driver tells Prometheus of its study, batch inference or training while that runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tinderbox.api.keeping import Keeper
from tinderbox.config import SweepJob, TrainJob
from tinderbox.inference.measures import Left, measure
from tinderbox.inference.summary import Summary, from_json, merge
from tinderbox.storage.room import look_at_room
from tinderbox.storage.rows import RowsFolder
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.measures import Measures
from tinderbox.sweeping.server import Server
from tinderbox.training.history import Training
from tinderbox.training.measures import measure_training
from tinderbox.training.status import TrainStatus

if TYPE_CHECKING:
    from tinderbox.metrics.catalogue import Sample
    from tinderbox.metrics.exporter import Source


def study_source(server: Server, job: SweepJob) -> Source:
    """Return what tells of a study that a server runs."""
    measures = Measures(server.coordinator.study, job)

    def look(coordinator: Coordinator) -> list[Sample]:
        return list(measures.take(server.status(), coordinator.roster, server.wanted))

    def tell() -> Iterator[Sample]:
        if server.is_running:
            yield from server.call(look)
        yield from look_at_room(job.storage)

    return tell


def training_source(look: Callable[[], tuple[Training, TrainStatus] | None], job: TrainJob) -> Source:
    """Return what tells of a training; `look` returns its record and how it stands, None while nobody can tell."""

    def tell() -> Iterator[Sample]:
        if (found := look()) is not None:
            yield from measure_training(job, *found)
        yield from look_at_room(job.storage)

    return tell


class RowsSource:
    """Tells of a batch inference that is under way; `files` is how many its input has, None where it has none."""

    def __init__(self, folder: RowsFolder, keeper: Keeper, storage: str, files: int | None) -> None:
        self._folder, self._keeper, self._storage, self._begun = folder, keeper, storage, time.monotonic()
        following, done = (None, 0) if files is None else folder.settled()
        # What a killed driver has left of the next micro-batch is made again.
        self._before = merge(map(from_json, folder.summaries(following)))
        self._left = None if files is None else files - done
        self._whole: Summary | None = None

    def finish(self, whole: Summary) -> None:
        """Tell from now on that all is labelled, and of these rows."""
        self._whole = whole

    def __call__(self) -> Iterator[Sample]:
        """Yield all there is to tell now."""
        over, summary = self._whole is not None, self._whole or self._before + self._keeper.summary
        yield from measure(self._folder.name, summary, over, self._look_ahead(over))
        yield from look_at_room(self._storage)

    def _look_ahead(self, over: bool) -> Left | None:
        if self._left is None or over:
            return None if self._left is None else Left(0, None)
        done = self._keeper.files
        files = max(self._left - done, 0)
        return Left(files, files * (time.monotonic() - self._begun) / done if done else None)
