"""A watcher's side of the HTTP door: where a study stands, and what it has left behind."""

from __future__ import annotations

from tinderbox.sweeping.status import Status
from tinderbox.web.onlooker import Looker, of_another_version


class Onlooker(Looker):
    """Looks at one coordinator."""

    def status(self) -> Status:
        """Return where the study stands."""
        tree = self.tree("/status")
        try:
            return Status(**tree)
        except TypeError as error:
            raise of_another_version(error) from error

    def keepsakes(self) -> list[str] | None:
        """Return the names of the files worth taking home, None until all are there."""
        names: list[str] | None = self.tree("/files")["names"]
        return names

    def read(self, name: str) -> bytes:
        """Return what is in one of these files."""
        return self.get(f"/files/{name}")
