"""A small Prometheus that answers as the real one does, and what panels are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from monitoring.preview.answers import Answer, Asked, Desk
from monitoring.preview.boards import Board, Panel, Place
from monitoring.preview.frames import Field, Frame, from_series
from monitoring.preview.prometheus import Prometheus, Series
from monitoring.preview.window import Window

START, END, STEP = 1_800_000_000.0, 1_800_000_600.0, 15.0

Thing = dict[str, Any]


@dataclass
class Fake:
    """What the server is asked, and what it answers: by expression, labels of series and the value of all of them."""

    url: str = ""
    series: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    always: list[tuple[dict[str, str], float]] = field(default_factory=list)
    asked: list[Thing] = field(default_factory=list)

    def answer(self, path: str, given: dict[str, str]) -> tuple[int, Thing]:
        """Return a status and its JSON."""
        self.asked.append({"path": path, **given})
        if path.startswith("/api/v1/label/"):
            return 200, {"status": "success", "data": self.values.get(path.split("/")[4], [])}
        if error := self.errors.get(given["query"]):
            return 400, {"status": "error", "errorType": "bad_data", "error": error}
        found = self.series.get(given["query"], self.always)
        if path.endswith("query_range"):
            start, end, step = (float(given[name]) for name in ("start", "end", "step"))
            moments = [start + step * number for number in range(int((end - start) / step) + 1)]
            result = [{"metric": it, "values": [[at, str(value)] for at in moments]} for it, value in found]
            return 200, {"status": "success", "data": {"resultType": "matrix", "result": result}}
        result = [{"metric": it, "value": [float(given["time"]), str(value)]} for it, value in found]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture
def prometheus() -> Iterator[Fake]:
    """A server on this machine; what it answers may be changed while it runs."""
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(urlparse(self.path).query)

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _answer(self, form: str) -> None:
            status, told = fake.answer(urlparse(self.path).path, {key: it[0] for key, it in parse_qs(form).items()})
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        yield fake
        server.shutdown()
        thread.join()


@pytest.fixture
def desk(prometheus: Fake) -> Desk:
    """A dashboard without panels that is looked at for ten minutes."""
    return Desk(Board("empty", "Empty", "Nothing.", [], [], []), Prometheus(prometheus.url), Window(START, END, STEP))


@pytest.fixture
def series() -> Callable[..., list[Frame]]:
    """A function that returns series over those ten minutes, by their legends; None is a point that is not there."""

    def make(**named: list[float | None]) -> list[Frame]:
        frames = []
        for name, values in named.items():
            points = [(START + STEP * number, value) for number, value in enumerate(values) if value is not None]
            frames += from_series([Series({"name": name}, tuple(points))], "A", name, "")
        return frames

    return make


@pytest.fixture
def table() -> Callable[..., Frame]:
    """A function that returns a table of these columns."""

    def make(**columns: list[Any]) -> Frame:
        kinds = {
            name: "string" if any(isinstance(it, str) for it in values) else "number"
            for name, values in columns.items()
        }
        return Frame([Field(name.replace("_", " "), kinds[name], values) for name, values in columns.items()])

    return make


@pytest.fixture
def make_answer() -> Callable[..., Answer]:
    """A function that returns what a panel has to show: its frames, its settings of fields, and its options."""

    def make(kind: str, frames: list[Frame], defaults: Thing | None = None, **options: Any) -> Answer:
        panel = Panel(kind, "Title", "Told.", Place(0, 0, 12, 8), [], {"options": options})
        shown = [
            Frame([it.but(**{**(defaults or {}), **it.config}) for it in frame.fields], frame.ref) for frame in frames
        ]
        return Answer(panel, "Title", [Asked("A", "up", len(frames), step=STEP)], shown)

    return make


@pytest.fixture
def write_board(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a dashboard of these panels, and returns its folder."""

    def write(*panels: Thing, variables: list[Thing] | None = None, annotations: list[Thing] | None = None) -> Path:
        folder = tmp_path / "dashboards"
        folder.mkdir(exist_ok=True)
        told = {"title": "Small", "panels": [a_panel(number, it) for number, it in enumerate(panels)]}
        told |= {"templating": {"list": variables or []}, "annotations": {"list": annotations or []}}
        (folder / "small.json").write_text(json.dumps(told))
        return folder

    return write


def a_panel(number: int, changes: Thing) -> Thing:
    """Return a stat, one below the other, with changes."""
    panel = {"type": "stat", "title": f"Panel {number}", "gridPos": {"x": 0, "y": 4 * number, "w": 6, "h": 4}}
    return {**panel, "targets": [{"refId": "A", "expr": "up", "instant": True, "range": False}], **changes}
