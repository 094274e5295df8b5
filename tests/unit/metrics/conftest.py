"""Exporters on free ports, whose sockets lie in a folder of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tinderbox.metrics import meter
from tinderbox.metrics.exporter import Exporter

Scrape = Callable[[int], dict[str, float]]


@dataclass(frozen=True)
class Open:
    """An exporter that answers: its socket, and what it tells whoever comes."""

    exporter: Exporter
    path: Path
    port: int
    told: Callable[[], dict[str, float]]


@pytest.fixture
def opened(tmp_path: Path, scrape: Scrape) -> Callable[..., object]:
    """A context manager that opens an exporter of a node, at the same socket each time."""

    @contextmanager
    def serve(patience: float = 0, port: int = 0) -> Iterator[Open]:
        exporter, path = Exporter("n", patience), tmp_path / "metrics"
        with exporter.serving(port, path) as bound:
            yield Open(exporter, path, bound, partial(scrape, bound))

    return serve


@pytest.fixture
def each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let meters send with each call, and not once a second."""
    monkeypatch.setattr(meter, "SEND_SECONDS", 0.0)
