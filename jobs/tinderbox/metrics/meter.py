"""A worker's side: counts and times add up here, and go to the exporter of the pod when it has room for them.

They go as datagrams through a socket of this machine's file system: a sender never waits, a worker that dies leaves
nothing behind, and what could not be sent stays in the sum for the next time.
"""

from __future__ import annotations

import json
import os
import socket
import time
from functools import cache
from itertools import islice

from tinderbox.metrics.catalogue import Metric
from tinderbox.metrics.ledger import Ledger

SOCKET_VARIABLE = "TINDERBOX_METRICS_SOCKET"
"""Names the exporter's socket; without it nobody wants to know."""

SEND_SECONDS = 1.0
TOGETHER = 50
"""So many sums are in one datagram, which has a few kilobytes then."""


class Meter:
    """Counts and times what this process does for one `run`; of no thread but its own.

    Without the path of a socket it does nothing, at the cost of a call.
    """

    def __init__(self, run: str, path: str | None) -> None:
        self._run, self._path = run, path
        self._sums, self._sent = Ledger(), time.monotonic()

    def count(self, metric: Metric, amount: float, *labels: str) -> None:
        """Add to a counter, whose labels after node and run are given."""
        if self._path is not None and amount:
            self._sums.add((metric.name, (self._run, *labels)), [amount])
            self._send_now_and_then()

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Count a value into a histogram, whose labels after node and run are given."""
        if self._path is not None:
            self._sums.observe(metric, (self._run, *labels), value)
            self._send_now_and_then()

    def merge(self, metric: Metric, amounts: list[float]) -> None:
        """Add sums that another process has made of a metric with the labels node and run alone."""
        if self._path is not None:
            self._sums.add((metric.name, (self._run,)), amounts)
            self._send_now_and_then()

    def flush(self, patience: float = 0.5) -> None:
        """Send what is left, trying for up to so many seconds while the exporter is busy."""
        deadline = time.monotonic() + patience
        while self._send() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _send_now_and_then(self) -> None:
        if time.monotonic() - self._sent >= SEND_SECONDS:
            self._send()

    def _send(self) -> bool:
        """Send all sums that the exporter has room for, and return whether it is there but had none for the rest."""
        self._sent = time.monotonic()
        while some := list(islice(self._sums.items(), TOGETHER)):
            message = json.dumps([[*key, sums] for key, sums in some]).encode()
            try:
                self._post(message)
            except OSError as error:
                return isinstance(error, BlockingIOError)  # or it is not there yet, or not any more
            self._sums.discard([key for key, _ in some])
        return False

    def _post(self, message: bytes) -> None:
        """Send a message to whichever exporter hears at the path now: one that crashes is followed by another."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message, str(self._path))


NOBODY = Meter("", None)
"""Tells nobody anything."""


def find_meter(run: str) -> Meter:
    """Return this process's meter for a run, one that does nothing where no exporter is named.

    A worker that does task after task has the same one, with what could not be sent at the end of an earlier task.
    """
    return _meter(run, os.environ.get(SOCKET_VARIABLE) or None)


@cache
def _meter(run: str, path: str | None) -> Meter:
    return Meter(run, path)
