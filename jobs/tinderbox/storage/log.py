"""The append-only log of a record: one segment for each driver generation, safe when `append` returns."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import fsspec

from tinderbox.errors import Superseded

QUICK_SECONDS = 0.003
"""A thread's turn costs about a millisecond where the event loop is busy, and nobody is answered meanwhile."""


class SegmentLog:
    """Segments below a folder of any file system.

    A local segment is one file, synced after every append. Object storage cannot append, so a segment there is a
    row of objects, each whole and durable once it is put.
    """

    def __init__(self, files: fsspec.AbstractFileSystem, folder: str) -> None:
        self._files, self._folder = files, folder
        self._is_local = "file" in files.protocol
        self._descriptor: int | None = None
        self._parts = 0
        self._took = QUICK_SECONDS
        files.makedirs(folder, exist_ok=True)
        self.generation = max(self._generations(), default=0) + 1

    @property
    def is_quick(self) -> bool:
        """Whether the last append was over in `QUICK_SECONDS`."""
        return self._took < QUICK_SECONDS

    def read(self) -> Iterator[bytes]:
        """Return what is in each earlier segment, oldest first."""
        for generation in self._generations():
            if generation < self.generation:
                yield b"".join(self._files.cat_file(path) for path in self._paths(generation))

    def append(self, lines: bytes) -> None:
        """Add lines to this generation's segment and return when they are safe.

        Raises:
            Superseded: A later generation has begun.
            OSError: Storage does not take them.
        """
        began = time.perf_counter()
        self._files.invalidate_cache(self._folder)
        if self._files.exists(self._part(self.generation + 1, 0)):
            raise Superseded(f"a later driver has taken over {self._folder}; this one stops")
        if self._is_local:
            self._append_locally(lines)
        else:
            self._files.pipe_file(self._part(self.generation, self._parts), lines)
            self._parts += 1
        self._took = time.perf_counter() - began

    def _append_locally(self, lines: bytes) -> None:
        if self._descriptor is None:
            # Exclusive: of two drivers that start at once, one gets this generation.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            try:
                self._descriptor = os.open(self._part(self.generation, 0), flags, 0o644)
            except FileExistsError as error:
                raise Superseded(f"another driver has taken over {self._folder}; this one stops") from error
        written = 0
        while written < len(lines):
            written += os.write(self._descriptor, lines[written:])
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the segment."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _generations(self) -> list[int]:
        names = [path.rpartition("/")[2] for path in self._files.ls(self._folder, detail=False, refresh=True)]
        return sorted({int(name.partition("-")[0]) for name in names if name.endswith(".jsonl")})

    def _paths(self, generation: int) -> list[str]:
        return sorted(self._files.glob(f"{self._folder}/{generation:06d}-*.jsonl"))

    def _part(self, generation: int, part: int) -> str:
        return f"{self._folder}/{generation:06d}-{part:06d}.jsonl"
