"""A watcher's side of a driver's HTTP door."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from tinderbox.errors import TinderboxError

_PATIENCE = urllib3.Timeout(connect=2.0, read=30.0)


class Looker:
    """Looks at one driver; nothing is asked twice, for the caller asks again anyway."""

    def __init__(self, url: str, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pool = urllib3.connection_from_url(url, retries=False, timeout=_PATIENCE)

    def get(self, path: str) -> bytes:
        """Return what is at a path.

        Raises:
            TinderboxError: The driver does not answer, or refuses.
        """
        try:
            reply = self._pool.urlopen("GET", path, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise TinderboxError(f"the driver does not answer: {error}") from error
        if reply.status != 200:
            raise TinderboxError(f"the driver answers {reply.status}: {reply.data.decode(errors='replace')}")
        return reply.data

    def tree(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path.

        Raises:
            TinderboxError: The driver does not answer, or refuses.
        """
        found: dict[str, Any] = json.loads(self.get(path))
        return found


def of_another_version(error: TypeError) -> TinderboxError:
    """Return what is said of a status that has other keys than those known here."""
    return TinderboxError(f"the driver tells its status as another version does: {error}")
