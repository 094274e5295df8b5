"""A watcher's side of the HTTP door: where a study stands, and what it has left behind."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from tinderbox.errors import TinderboxError
from tinderbox.sweeping.status import Status

_PATIENCE = urllib3.Timeout(connect=2.0, read=30.0)


class Onlooker:
    """Looks at one coordinator; nothing is asked twice, for the caller asks again anyway."""

    def __init__(self, url: str, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = urllib3.connection_from_url(url, retries=False, timeout=_PATIENCE)

    def status(self) -> Status:
        """Return where the study stands."""
        try:
            return Status(**self._tree("/status"))
        except TypeError as error:
            raise TinderboxError(f"the driver tells its status as another version does: {error}") from error

    def keepsakes(self) -> list[str] | None:
        """Return the names of the files worth taking home, None until all are there."""
        names: list[str] | None = self._tree("/files")["names"]
        return names

    def read(self, name: str) -> bytes:
        """Return what is in one of these files."""
        return self._get(f"/files/{name}")

    def _tree(self, path: str) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(self._get(path))
        return tree

    def _get(self, path: str) -> bytes:
        try:
            reply = self._pool.urlopen("GET", path, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise TinderboxError(f"the driver does not answer: {error}") from error
        if reply.status != 200:
            raise TinderboxError(f"the driver answers {reply.status}: {reply.data.decode(errors='replace')}")
        return reply.data
