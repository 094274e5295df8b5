"""The study's record on its way to storage: events go down in groups, and nobody is answered before they are safe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tinderbox.config import Constraint, Metric
from tinderbox.journal import Lines, Log
from tinderbox.sweeping.events import EVENTS, CheckpointSaved, Event, Reported, encode
from tinderbox.sweeping.study import Study


def rebuild(
    segments: Iterable[bytes],
    metric: str,
    direction: str,
    further: Sequence[Metric] = (),
    constraints: Sequence[Constraint] = (),
) -> Study:
    """Return the study that a record adds up to, with the aims of its job.

    Raises:
        TinderboxError: A line inside a segment is not an event, or tells of what was never begun.
    """
    study = Study(metric, direction, further, constraints)
    EVENTS.rebuild(segments, study.apply)
    return study


class Journal(Lines):
    """The events of a study on their way to storage.

    `news` counts the events among them after which a slot that waits, or the search, may have something to do.
    """

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.news = 0

    def add(self, event: Event) -> None:
        """Take an event; it is safe once a `flush` begun afterwards has returned."""
        self.put(encode(event))
        self.news += not isinstance(event, Reported | CheckpointSaved)
