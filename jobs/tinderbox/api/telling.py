"""What a driver tells Prometheus of its study or batch inference while that runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tinderbox.api.keeping import Keeper
from tinderbox.api.labelled import summary_of
from tinderbox.config import SweepJob
from tinderbox.inference.measures import Left, measure
from tinderbox.inference.summary import Summary
from tinderbox.storage.room import look_at_room
from tinderbox.storage.rows import RowsFolder
from tinderbox.sweeping.coordinator import Coordinator
from tinderbox.sweeping.measures import Measures
from tinderbox.sweeping.server import Server

if TYPE_CHECKING:
    from tinderbox.metrics.catalogue import Sample
    from tinderbox.metrics.exporter import Source


def study_source(server: Server, job: SweepJob) -> Source:
    """Return what tells of a study that a server runs."""
    measures = Measures(server.coordinator.study, job)

    def look(coordinator: Coordinator) -> list[Sample]:
        return list(measures.take(server.status(), coordinator.roster, server.wanted))

    return lambda: [*server.call(look), *look_at_room(job.storage)]


class RowsSource:
    """Tells of a batch inference that is under way; `count` says how many files its input has."""

    def __init__(self, folder: RowsFolder, keeper: Keeper, storage: str, count: Callable[[], int] | None) -> None:
        self._folder, self._keeper, self._storage = folder, keeper, storage
        self._before, self._begun = summary_of(folder), time.monotonic()
        self._left = None if count is None else count() - folder.listed()
        self._whole: Summary | None = None

    def finish(self, whole: Summary) -> None:
        """Tell from now on that all is labelled, and of these rows."""
        self._whole = whole

    def __call__(self) -> Iterator[Sample]:
        """Yield all there is to tell now."""
        over, summary = self._whole is not None, self._whole or self._before + self._keeper.summary
        yield from measure(self._folder.name, summary, over, None if over else self._look_ahead())
        yield from look_at_room(self._storage)

    def _look_ahead(self) -> Left | None:
        if self._left is None:
            return None
        done = self._keeper.files
        files = max(self._left - done, 0)
        return Left(files, files * (time.monotonic() - self._begun) / done if done else None)
