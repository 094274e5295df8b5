"""All studies of a storage in optuna-dashboard, as they grow: `python -m tinderbox.report.dashboard`.

TINDERBOX_STORAGE names the folder or URL (`studies`), TINDERBOX_DASHBOARD_PORT the port (8081) of 127.0.0.1. Records
are looked at every half a minute, and nothing that is done in the browser changes a study. An open page never looks at
a trial again that it has seen ended: one that was paused on a rung and goes on is shown when the page is loaded anew.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.report.library import Library

REFRESH_SECONDS = 30.0

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def serving(library: Library, port: int, every: float = REFRESH_SECONDS) -> Iterator[WSGIServer]:
    """Lend a server of a library on this machine only; the library is refreshed as long as it is lent.

    Raises:
        BadInput: optuna-dashboard is not installed, or the port cannot be had.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise BadInput("optuna-dashboard is not installed; run pip install 'tinderbox[console]'") from error
    library.refresh()
    application = _reading(wsgi(library.shelf))
    try:
        server = make_server("127.0.0.1", port, application, _Server, _Handler)
    except (OSError, OverflowError) as error:
        raise BadInput(f"port {port} of 127.0.0.1 cannot be had: {error}; give another, or end who has it") from error
    ended = threading.Event()
    with server:
        threading.Thread(target=_keep_fresh, args=(library, every, ended), daemon=True).start()
        try:
            yield server
        finally:
            ended.set()


def _keep_fresh(library: Library, every: float, ended: threading.Event) -> None:
    while not ended.wait(every):
        library.refresh()


class _Server(ThreadingMixIn, WSGIServer):
    """One thread for each request: a browser asks for several things at once."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    """Answers without a line in the log for each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in its base class
        pass


def _reading(application: Application) -> Application:
    """Refuse what would change something: the studies' records are not Optuna's."""

    def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environment["REQUEST_METHOD"] in ("GET", "HEAD"):
            return application(environment, start)
        start("405 Method Not Allowed", [("Content-Type", "application/json"), ("Allow", "GET, HEAD")])
        return [b'{"reason": "studies are only shown here, and cannot be changed"}']

    return answer


def find_port() -> int:
    """Return the port that the environment names.

    Raises:
        BadInput: It is no port.
    """
    given = os.environ.get("TINDERBOX_DASHBOARD_PORT") or "8081"
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise BadInput(f"TINDERBOX_DASHBOARD_PORT must be a number from 1 to 65535, got {given!r}")
    return int(given)


def main() -> int:
    """Serve until the process is ended; a mistake is one sentence and an exit code."""
    storage = os.environ.get("TINDERBOX_STORAGE") or "studies"
    try:
        with serving(Library(storage, _tell), find_port()) as server:
            _tell(f"studies of {storage}: http://127.0.0.1:{server.server_port}/dashboard")
            server.serve_forever()
    except TinderboxError as error:
        _tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
