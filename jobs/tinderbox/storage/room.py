"""How much room there is where studies are kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress

from tinderbox.metrics import catalogue
from tinderbox.metrics.catalogue import Sample
from tinderbox.storage.runs import open_storage


def look_at_room(storage: str) -> Iterator[Sample]:
    """Yield size and free room of the volume below a storage folder; object storage has neither."""
    files, root = open_storage(storage)
    if "file" in files.protocol:
        with suppress(OSError):  # it is made with the first study
            room = shutil.disk_usage(root)
            yield catalogue.STORAGE_SIZE.sample(room.total)
            yield catalogue.STORAGE_FREE.sample(room.free)
