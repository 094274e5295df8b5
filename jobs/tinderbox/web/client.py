"""An executor's side of a driver's HTTP door: messages out, answers in, repeated until they arrive."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NoReturn

import urllib3

from tinderbox.errors import BadInput, StaleAttempt, TinderboxError

REPEATED = urllib3.Retry(total=8, backoff_factor=0.2, backoff_max=5.0, allowed_methods=None, status_forcelist=[503])
"""Every message may be sent again, so a lost connection or a busy driver is waited for: about 25 s in all."""

MOST_TRIES = 3
"""So often a file is fetched that does not arrive as a whole."""

LARGEST_PACKET = 64 << 10
"""In bytes; what is longer leaves in parts, so that a checkpoint is never in memory as a whole."""

_LONGEST_WAIT = urllib3.Timeout(connect=5.0, read=60.0)
_LONGEST_UPLOAD = urllib3.Timeout(connect=60.0, read=600.0)
"""In seconds; the driver replies once storage has all of a state, and heartbeats go on meanwhile.

The first one is also the longest time in which nothing of it leaves.
"""


class _Connection(urllib3.connection.HTTPConnection):
    """Sends the head of a message and its body in one packet, for each packet wakes the driver."""

    _held: bytes | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        self._held = b""
        try:
            super().request(*arguments, **options)
            super().send(self._held)
        finally:
            self._held = None

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)
        elif len(self._held) < LARGEST_PACKET:
            self._held += data
        else:
            super().send(self._held + data)
            self._held = b""


class Connection:
    """The way to one driver; safe to use from several threads."""

    def __init__(self, url: str, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = urllib3.connection_from_url(url, maxsize=4, retries=REPEATED, timeout=_LONGEST_WAIT)
        self._pool.ConnectionCls = _Connection

    def send(self, method: str, path: str, body: Any, headers: dict[str, str] | None = None, **limits: Any) -> bytes:
        """Send a message and return what is answered.

        Raises:
            StaleAttempt, BadInput, TinderboxError: It is refused.
        """
        reply = self._pool.urlopen(method, path, body=body, headers={**self._headers, **(headers or {})}, **limits)
        if reply.status != 200:
            _refuse(reply.status, reply.headers.get("Content-Type", ""), reply.data)
        return reply.data

    def put_file(self, target: str, path: Path, size: int) -> bytes:
        """Send a file, in parts, and return what is answered once storage has all of it.

        Raises:
            StaleAttempt, BadInput, TinderboxError: It is refused, or not taken in time.
        """
        retries = REPEATED.new(read=1)  # as each may take so long
        try:
            with path.open("rb") as file:
                headers = {"Content-Length": str(size)}
                return self.send("PUT", target, file, headers, timeout=_LONGEST_UPLOAD, retries=retries)
        except urllib3.exceptions.HTTPError as error:
            if isinstance(getattr(error, "reason", None), urllib3.exceptions.ReadTimeoutError):
                longest = f"{_LONGEST_UPLOAD.read_timeout:g} s"
                raise TinderboxError(f"storage did not take its {size} bytes within {longest}, twice") from error
            raise TinderboxError(f"the driver does not take it: {error}") from error

    def get_file(self, target: str, path: Path) -> None:
        """Fetch what is at a target into a file; all of it again where a connection is lost in its midst.

        Raises:
            StaleAttempt, BadInput, TinderboxError: It is refused, or does not arrive.
        """
        for tries in range(1, MOST_TRIES + 1):
            try:
                self._get_file(target, path)
                break
            except urllib3.exceptions.HTTPError as error:
                if tries == MOST_TRIES or isinstance(error, urllib3.exceptions.MaxRetryError):
                    raise TinderboxError(f"the driver does not send it: {error}") from error

    def _get_file(self, target: str, path: Path) -> None:
        with self._pool.urlopen("GET", target, headers=self._headers, preload_content=False) as reply:
            if reply.status != 200:
                _refuse(reply.status, reply.headers.get("Content-Type", ""), reply.read())
            with path.open("wb") as file:
                shutil.copyfileobj(reply, file)


def _refuse(status: int, kind: str, body: bytes) -> NoReturn:
    """Raise what a refusal means."""
    reason = json.loads(body)["error"] if kind.startswith("application/json") else f"HTTP {status}"
    raise {400: BadInput, 409: StaleAttempt}.get(status, TinderboxError)(reason)
