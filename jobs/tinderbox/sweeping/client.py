"""A slot's side of the HTTP door: messages out, answers in, repeated until they arrive."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import urllib3

from tinderbox import checkpoint
from tinderbox.errors import BadInput, StaleAttempt, TinderboxError
from tinderbox.sweeping.messages import (
    ANSWER,
    ASK,
    DECISION,
    FINISH,
    HEARTBEAT,
    REPORT,
    Answer,
    Ask,
    Decision,
    Finish,
    Heartbeat,
    Report,
    Resume,
)

_REPEATED = urllib3.Retry(total=8, backoff_factor=0.2, backoff_max=5.0, allowed_methods=None, status_forcelist=[503])
"""Every message may be sent again, so a lost connection or a busy driver is waited for: about 25 s in all."""

LARGEST_PACKET = 64 << 10
"""In bytes; what is longer leaves in parts, so that a checkpoint is never in memory as a whole."""

_LONGEST_WAIT = urllib3.Timeout(connect=5.0, read=60.0)
_LONGEST_UPLOAD = urllib3.Timeout(connect=60.0, read=600.0)
"""In seconds; the driver replies once storage has all of a state, and the slot's heartbeats go on meanwhile.

The first one is also the longest time in which nothing of it leaves.
"""


class _Connection(urllib3.connection.HTTPConnection):
    """Sends the head of a message and its body in one packet, for each packet wakes the coordinator."""

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


class Client:
    """Speaks to one coordinator; safe to use from several threads."""

    def __init__(self, url: str, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = urllib3.connection_from_url(url, maxsize=4, retries=_REPEATED, timeout=_LONGEST_WAIT)
        self._pool.ConnectionCls = _Connection

    def lease(self, ask: Ask) -> Answer:
        """Ask for work; waits a while where there is none yet."""
        return ANSWER.validate_json(self._send("POST", "/lease", ASK.dump_json(ask)))

    def report(self, trial: int, report: Report) -> Decision:
        """Deliver a report and return what the trial does next."""
        return DECISION.validate_json(self._send("POST", f"/trials/{trial}/report", REPORT.dump_json(report)))

    def finish(self, trial: int, finish: Finish) -> Answer:
        """Say how an attempt ended and return the next lease."""
        return ANSWER.validate_json(self._send("POST", f"/trials/{trial}/finish", FINISH.dump_json(finish)))

    def heartbeat(self, beat: Heartbeat) -> Decision:
        """Say that the slot is alive, and learn whether its trial should go on."""
        return DECISION.validate_json(self._send("POST", "/heartbeat", HEARTBEAT.dump_json(beat)))

    def upload(self, trial: int, attempt: int, epoch: int, slot: str, path: Path) -> None:
        """Bring a checkpoint to storage; it is streamed, and refused unless it arrives whole.

        Raises:
            TinderboxError: Storage does not take it, or not in time.
        """
        sha256, size = checkpoint.digest(path)
        query = urlencode({"attempt": attempt, "epoch": epoch, "slot": slot, "sha256": sha256})
        target, headers = f"/trials/{trial}/checkpoint?{query}", {"Content-Length": str(size)}
        retries = _REPEATED.new(read=1)  # as each may take so long
        try:
            with path.open("rb") as file:
                self._send("PUT", target, file, headers, timeout=_LONGEST_UPLOAD, retries=retries)
        except urllib3.exceptions.HTTPError as error:
            if isinstance(getattr(error, "reason", None), urllib3.exceptions.ReadTimeoutError):
                longest = f"{_LONGEST_UPLOAD.read_timeout:g} s"
                raise TinderboxError(f"storage did not take its {size} bytes within {longest}, twice") from error
            raise TinderboxError(f"the driver does not take it: {error}") from error

    def note_state(self, trial: int, attempt: int, epoch: int, slot: str, path: str, sha256: str, size: int) -> None:
        """Say that a slot has brought a checkpoint to storage itself."""
        state = {"attempt": attempt, "epoch": epoch, "slot": slot, "path": path, "sha256": sha256, "size": size}
        self._send("POST", f"/trials/{trial}/state?{urlencode(state)}", b"")

    def download(self, trial: int, attempt: int, slot: str, resume: Resume, path: Path) -> None:
        """Fetch the state that an attempt goes on from.

        Raises:
            TinderboxError: It did not arrive as it was saved.
        """
        target = f"/trials/{trial}/checkpoint?{urlencode({'attempt': attempt, 'slot': slot})}"
        try:
            with self._pool.urlopen("GET", target, headers=self._headers, preload_content=False) as reply:
                if reply.status != 200:
                    _refuse(reply.status, reply.headers.get("Content-Type", ""), reply.read())
                with path.open("wb") as file:
                    shutil.copyfileobj(reply, file)
        except urllib3.exceptions.HTTPError as error:
            raise TinderboxError(f"the driver does not send it: {error}") from error
        if checkpoint.digest(path) != (resume.sha256, resume.size):
            raise TinderboxError(f"what arrived for epoch {resume.epoch} is not what was saved")

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str] | None = None, **limits: Any) -> bytes:
        reply = self._pool.urlopen(method, path, body=body, headers={**self._headers, **(headers or {})}, **limits)
        if reply.status != 200:
            _refuse(reply.status, reply.headers.get("Content-Type", ""), reply.data)
        return reply.data


def _refuse(status: int, kind: str, body: bytes) -> NoReturn:
    """Raise what a refusal means."""
    reason = json.loads(body)["error"] if kind.startswith("application/json") else f"HTTP {status}"
    raise {400: BadInput, 409: StaleAttempt}.get(status, TinderboxError)(reason)
