"""Files that an executor fetches from a driver, of which connections get lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tinderbox.errors import TinderboxError
from tinderbox.web.client import MOST_TRIES, Connection

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"


@contextmanager
def sending(answers: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one request after the other with some bytes, and hang up; yield the URL and the requests."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for content in answers:
                connection, _ = server.accept()
                with connection:
                    requests.append(connection.recv(65536))
                    connection.sendall(content)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", requests
        thread.join(30)


def test_a_file_whose_connection_is_lost_is_fetched_again(tmp_path: Path) -> None:
    """All of it."""
    with sending([HEAD + b"st", HEAD + b"state"]) as (url, requests):
        Connection(url, "token").get_file("/part", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b"state"
    assert len(requests) == 2


def test_a_file_that_never_arrives(tmp_path: Path) -> None:
    """It is not fetched for ever."""
    with sending([HEAD + b"st"] * MOST_TRIES) as (url, requests):
        with pytest.raises(TinderboxError, match="the driver does not send it"):
            Connection(url, "token").get_file("/part", tmp_path / "part")
        assert len(requests) == MOST_TRIES
