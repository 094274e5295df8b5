"""Runs without a cluster: a batch inference without model and Spark, and studies behind a server of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from tinderbox.api.sizing import FEW
from tinderbox.config import check_infer
from tinderbox.inference.probe import Choice, Measured
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import schema
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.sweeping.events import StudyStarted, encode

MakePlan = Callable[..., Any]
MakeRows = Callable[..., pa.Table]


@pytest.fixture
def rows_folder(tmp_path: Path) -> RowsFolder:
    """The folder of a run."""
    return RowsFolder(str(tmp_path), "photos", "0123456789ab")


@pytest.fixture
def infer_plan(tmp_path: Path) -> MakePlan:
    """A function that makes a plan with further keys of the job, without a real model."""

    def make(**keys: Any) -> Any:
        tree = {"kind": "infer", "name": "photos", "model": "m", "input": "in", "storage": str(tmp_path), **keys}
        job = check_infer(tree, "test")
        run = SimpleNamespace()
        return SimpleNamespace(
            job=job,
            model=object(),
            recipe=Recipe("m"),
            version="0123456789abcdef",
            held=None,
            run=run,
            code=None,
            width=0,
        )

    return make


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Spark is asked: the number of rows that the input has, and how often a measurement was made."""
    told: dict[str, Any] = {"rows": FEW + 1, "measured": 0}

    def measure(spark: Any, function: Any, cores: int) -> Choice:
        told["measured"] += 1
        return Choice(128, True, 50.0, (Measured(128, True, 50.0, 1.0),))

    monkeypatch.setattr("tinderbox.spark.reading.count_input", lambda spark, job, most: min(told["rows"], most))
    monkeypatch.setattr("tinderbox.spark.streams.on_one_executor", measure)
    monkeypatch.setattr("tinderbox.spark.streams.watched", lambda call, spark, watch: call())
    return told


@pytest.fixture
def make_rows() -> MakeRows:
    """A function that makes rows of a micro-batch: of images that are labelled, or broken ones."""

    def make(paths: list[str], error: str | None = None) -> pa.Table:
        columns = schema(regression=False)
        row = dict.fromkeys(columns.names) | {
            "error": error,
            "reason": error and "empty",
            "node": "n",
            "milliseconds": 1.0,
        }
        good = {} if error else {"label": "cat", "probability": 0.5, "thumbnail": b"jpeg"}
        return pa.Table.from_pylist([{**row, **good, "path": path} for path in paths], columns)

    return make


class Files(SimpleHTTPRequestHandler):
    """Serves files as the console does, and prints nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
        """Print nothing."""


@pytest.fixture
def console(recorded: StudyFolder) -> Iterator[str]:
    """The URL of a server of the folder that holds the recorded study, as the release's console has one."""
    storage = recorded.root.rpartition("/")[0]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=storage)) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def restart() -> Callable[[StudyFolder], None]:
    """A function that lets another driver continue a study."""

    def go_on(folder: StudyFolder) -> None:
        log = folder.log()
        log.append(encode(StudyStarted(time=120.0, generation=2)))
        log.close()

    return go_on
