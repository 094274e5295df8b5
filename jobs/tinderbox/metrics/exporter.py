"""A pod's exporter: adds up what its workers send, asks those who know more, and answers Prometheus."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinderbox.errors import BadInput
from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import METRICS, Metric, Sample
from tinderbox.metrics.ledger import Ledger, fits

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

LOG = logging.getLogger(__name__)

LARGEST = 64 << 10
"""Bytes of a datagram; a meter's have a tenth of that."""

Source = Callable[[], Iterable[Sample]]
"""Somebody who knows values of metrics, and is asked at each scrape."""


class Exporter:
    """Answers on one port, and hears the workers of `node` through a socket; `scrapes` counts its answers.

    Once there is no more to come, it stays for up to `patience` seconds until that is known.
    """

    def __init__(self, node: str, patience: float = 0) -> None:
        self.node, self.scrapes, self.is_open, self._patience = node, 0, False, patience
        self._sums, self._refused = Ledger(), 0
        self._lock = threading.Lock()
        self._sources: list[Source] = []

    # What is told

    @contextmanager
    def asking(self, source: Source) -> Iterator[None]:
        """Ask a source, too, until the block ends."""
        self._sources.append(source)
        try:
            yield
        finally:
            self._sources.remove(source)

    def take(self, message: bytes) -> None:
        """Add up what a worker has sent; what is not in the catalogue is refused, and counted."""
        try:
            for name, labels, sums in json.loads(message):
                key = str(name), tuple(map(str, labels))
                with self._lock:
                    if not (fits(key, sums) and self._sums.add(key, sums)):
                        self._refused += 1
        except (ValueError, TypeError):
            self._refused += 1

    def collect(self) -> Iterator[Family]:
        """Yield all there is as prometheus_client has it; a source that fails is left out this time."""
        self.scrapes += 1
        samples = defaultdict[Metric, dict[tuple[str, ...], float]](dict)
        for source in list(self._sources):
            try:
                for sample in source():
                    samples[sample.metric][sample.labels] = sample.value
            except Exception as error:
                LOG.warning("metrics: left out of one scrape: %s", error)
        samples[catalogue.REFUSED][(self.node,)] = self._refused
        for metric, values in samples.items():
            yield _family(metric, ((labels, [value]) for labels, value in values.items()))
        yield from self._counted()

    def _counted(self) -> Iterator[Family]:
        """Yield what workers have sent."""
        sums = defaultdict[Metric, list[tuple[tuple[str, ...], list[float]]]](list)
        with self._lock:
            for (name, labels), amounts in self._sums.items():
                sums[METRICS[name]].append(((self.node, *labels), list(amounts)))
        for metric, found in sums.items():
            yield _family(metric, found)

    def linger(self) -> None:
        """Return once Prometheus has the last values, if it comes at all; for as long as there is patience.

        It comes to all pods in turn, so when it was here twice it was everywhere once.
        """
        wanted, deadline = self.scrapes + 2, time.monotonic() + self._patience
        while self.scrapes and self.scrapes < wanted and time.monotonic() < deadline:
            time.sleep(0.1)

    # Its doors

    @contextmanager
    def serving(self, port: int, path: Path) -> Iterator[int]:
        """Answer on a port, any free one for 0, which is lent, and hear workers through a socket, until the block ends.

        Raises:
            BadInput: The port is taken, or no socket can be made there.
        """
        with self._listening(path):
            server, thread = self._serve(port)
            self.is_open = True
            try:
                yield int(server.server_port)
            finally:
                self.is_open = False
                server.shutdown()
                server.server_close()
                thread.join()

    def _serve(self, port: int) -> tuple[Any, threading.Thread]:
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        try:
            return start_http_server(port, registry=registry)
        except OSError as error:
            raise BadInput(
                f"the port of the metrics must be free, got {port}: {error.strerror}; name another one in "
                "TINDERBOX_METRICS_PORT, or none"
            ) from error

    @contextmanager
    def _listening(self, path: Path) -> Iterator[None]:
        path.unlink(missing_ok=True)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            door.bind(str(path))
        except OSError as error:
            door.close()
            raise BadInput(
                f"TINDERBOX_METRICS_SOCKET must name a file in a folder that can be written, got {path}: {error}"
            ) from error
        path.chmod(0o600)
        door.settimeout(0.2)
        over = threading.Event()
        thread = threading.Thread(target=self._hear, args=(door, over), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            door.close()
            path.unlink(missing_ok=True)

    def _hear(self, door: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                self.take(door.recv(LARGEST))

    def describe(self) -> list[Family]:
        """Return nothing: what there is to tell changes."""
        return []


def _family(metric: Metric, found: Iterable[tuple[tuple[str, ...], list[float]]]) -> Family:
    """Return samples of one metric as prometheus_client has them."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        ends = [*map(str, metric.buckets), "+Inf"]
        for labels, sums in found:
            histogram.add_metric(labels, list(zip(ends, accumulate(sums[:-1]), strict=True)), sums[-1])
        return histogram
    kind = GaugeMetricFamily if metric.kind == "gauge" else CounterMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, (value,) in found:
        family.add_metric(labels, value)
    return family
