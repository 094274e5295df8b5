"""A watcher's side of the HTTP door of a training: where it stands."""

from __future__ import annotations

from tinderbox.training.status import TrainStatus
from tinderbox.web.onlooker import Looker, of_another_version


class TrainOnlooker(Looker):
    """Looks at the driver of one training."""

    def status(self) -> TrainStatus:
        """Return where the training stands."""
        tree = self.tree("/status")
        try:
            return TrainStatus(**tree)
        except TypeError as error:
            raise of_another_version(error) from error
