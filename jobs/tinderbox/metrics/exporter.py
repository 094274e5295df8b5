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
from tinderbox.metrics.ledger import Key, Ledger, fits

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
        self._lock, self._asked = threading.Lock(), threading.Lock()
        self._sources, self._failing = list[Source](), set[Source]()

    # What is told

    @contextmanager
    def asking(self, source: Source) -> Iterator[None]:
        """Ask a source, too, until the block ends; it is not under way any more then."""
        self._sources.append(source)
        try:
            yield
        finally:
            with self._asked:
                self._sources.remove(source)
                self._failing.discard(source)

    def take(self, message: bytes) -> None:
        """Add up what a worker has sent; what is not in the catalogue is refused, and counted."""
        try:
            entries = [_entry(*entry) for entry in json.loads(message)]
        except Exception:  # whatever it is, the next one is heard
            self._refused += 1
            return
        with self._lock:
            for key, sums in entries:
                self._refused += not (fits(key, sums) and self._sums.add(key, sums))

    def collect(self) -> Iterator[Family]:
        """Yield all there is as prometheus_client has it."""
        self.scrapes += 1
        samples = defaultdict[Metric, dict[tuple[str, ...], float]](dict)
        samples[catalogue.REFUSED][(self.node,)] = self._refused
        with self._asked:
            for sample in [sample for source in self._sources for sample in self._ask(source)]:
                samples[sample.metric][sample.labels] = sample.value
        for metric, values in samples.items():
            yield _family(metric, ((labels, [value]) for labels, value in values.items()))
        yield from self._counted()

    def _ask(self, source: Source) -> list[Sample]:
        """Return what a source knows; one that fails is left out, and the log tells the first time only."""
        try:
            return list(source())
        except Exception as error:
            if source not in self._failing:
                self._failing.add(source)
                LOG.warning("metrics are left out while this lasts: %s: %s", type(error).__name__, error)
            return []

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
        with self._answering(port) as bound, self._listening(path):
            self.is_open = True
            try:
                yield bound
            finally:
                self.is_open = False

    @contextmanager
    def _answering(self, port: int) -> Iterator[int]:
        server, thread = self._serve(port)
        try:
            yield int(server.server_port)
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _serve(self, port: int) -> tuple[Any, threading.Thread]:
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        try:
            return start_http_server(port, registry=registry)
        except (OSError, OverflowError) as error:
            raise BadInput(
                f"the port of the metrics must be a free one, got {port}: {getattr(error, 'strerror', error)}; "
                "name another one in TINDERBOX_METRICS_PORT, or none"
            ) from error

    @contextmanager
    def _listening(self, path: Path) -> Iterator[None]:
        door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            if path.is_socket():  # an exporter that was killed has left it
                path.unlink()
            door.bind(str(path))
            path.chmod(0o600)
        except OSError as error:
            door.close()
            raise BadInput(
                "TINDERBOX_METRICS_SOCKET must name a file that is not there yet, in a folder that can be written, "
                f"got {path}: {error.strerror or error}; name another one, or none"
            ) from error
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


def _entry(name: object, labels: Iterable[object], sums: Iterable[float]) -> tuple[Key, list[float]]:
    """Return what is added to a metric's sums, in the types that it is kept in."""
    key = str(name), tuple(str(label) for label in labels)
    "".join(key[1]).encode()  # JSON may have halves of characters, of which Prometheus cannot be told
    return key, [float(amount) for amount in sums]


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
