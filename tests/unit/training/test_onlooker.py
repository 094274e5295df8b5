"""Somebody who follows a training from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tinderbox.errors import TinderboxError
from tinderbox.training.onlooker import TrainOnlooker

STATUS = {"epoch": 1, "epochs": 3, "share": 0.5, "step": 9, "workers": 2, "wanted": 2, "attempt": 1}


@contextmanager
def answering(status: dict[str, Any]) -> Iterator[str]:
    """Lend the URL of a driver that tells a status to whoever has its token."""

    class Driver(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["Authorization"] == "Bearer secret" and self.path == "/status"
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(json.dumps(status if known else {"error": "no"}).encode())

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Driver) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_where_a_training_stands() -> None:
    """As its driver has it."""
    with answering({**STATUS, "metrics": {"loss": None}}) as url:
        status = TrainOnlooker(url, "secret").status()
    assert (status.epoch, status.share, status.metrics, status.over) == (1, 0.5, {"loss": None}, False)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda url: TrainOnlooker(url, "wrong"), r"^the driver answers 401: "),
        (lambda url: TrainOnlooker("http://127.0.0.1:1", "secret"), r"^the driver does not answer: "),
        (lambda url: TrainOnlooker(url, "secret"), r"^the driver tells its status as another version does: .*'later'"),
    ],
)
def test_what_stands_in_the_way(ask: Callable[[str], TrainOnlooker], sentence: str) -> None:
    """A stranger, nobody there, or a driver of another version is one sentence."""
    with answering({**STATUS, "later": 1}) as url, pytest.raises(TinderboxError, match=sentence):
        ask(url).status()
