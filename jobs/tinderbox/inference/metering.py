"""What a worker tells of the rows that it labels, for the dashboards."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tinderbox.inference.blocks import Block
from tinderbox.metrics.catalogue import BATCH_SECONDS, EXAMPLES, ROWS_FAILED
from tinderbox.metrics.meter import Meter


def metered(blocks: Iterable[Block], meter: Meter) -> Iterator[Block]:
    """Yield blocks, and tell how long each was waited for."""
    coming = iter(blocks)
    begin = time.perf_counter()
    while (block := next(coming, None)) is not None:
        meter.observe(BATCH_SECONDS, time.perf_counter() - begin, "read")
        yield block
        begin = time.perf_counter()


@contextmanager
def timed(meter: Meter, phase: str) -> Iterator[None]:
    """Tell how long a phase of a batch has taken."""
    begin = time.perf_counter()
    yield
    meter.observe(BATCH_SECONDS, time.perf_counter() - begin, phase)


def count_rows(meter: Meter, done: Block) -> None:
    """Tell how many rows were labelled, and how many are broken, and why."""
    meter.count(EXAMPLES, len(done.paths) + len(done.mistakes), "infer")
    for mistake in done.mistakes:
        meter.count(ROWS_FAILED, 1, mistake.reason)
