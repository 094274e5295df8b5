"""The append-only log of a record: one segment for each driver generation, safe when `append` returns."""

from __future__ import annotations

import fcntl
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec

from tinderbox.errors import Superseded

QUICK_SECONDS = 0.003
"""A thread's turn costs about a millisecond where the event loop is busy, and nobody is answered meanwhile."""


class SegmentLog:
    """Segments below a folder of any file system.

    A local segment is one file, synced after every append. Object storage cannot append, so a segment there is a
    row of objects, each whole and durable once it is put.

    Two drivers may be alive at once, and what the earlier one writes must be read by the later one or refused. On a
    local file system the earlier one looks for a claim, writes and syncs under a lock on its segment, which a claim
    waits for. In object storage a part is only ever created: a claim first takes the part that the earlier driver
    would write next. A store that ignores this condition (S3's If-None-Match) leaves a gap of one request, in which
    an event may be written, and acknowledged, that the later driver has not read.
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

    def claim(self) -> None:
        """Begin this generation: earlier ones are over, and `read` misses nothing of them.

        Raises:
            Superseded: Another driver has begun it.
            OSError: Storage does not take it.
        """
        try:
            if self._is_local:
                self._descriptor = self._claim_locally()
            else:
                self._seal(self.generation - 1)
                self._files.pipe_file(self._part(self.generation, 0), b"", mode="create")
        except FileExistsError as error:
            raise Superseded(f"another driver has taken over {self._folder}; this one stops") from error
        self._parts = 1

    def read(self) -> Iterator[bytes]:
        """Return what is in each earlier segment, oldest first."""
        for generation in self._generations():
            if generation < self.generation:
                yield b"".join(self._files.cat_file(path) for path in self._paths(generation))

    def append(self, lines: bytes) -> None:
        """Add lines to this generation's segment, claimed now if it was not before, and return when they are safe.

        Raises:
            Superseded: A later generation has begun.
            OSError: Storage does not take them.
        """
        if not self._parts:
            self.claim()
        began = time.perf_counter()
        if self._descriptor is None:
            self._append_part(lines)
        else:
            with _locked(self._descriptor):
                self._append_locally(self._descriptor, lines)
        self._took = time.perf_counter() - began

    def _claim_locally(self) -> int:
        """Make the segment between two appends of the driver before; of drivers that start at once, one succeeds."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        if self.generation == 1:
            return os.open(self._part(1, 0), flags, 0o644)
        before = os.open(self._part(self.generation - 1, 0), os.O_WRONLY)
        try:
            with _locked(before):
                return os.open(self._part(self.generation, 0), flags, 0o644)
        finally:
            os.close(before)

    def _seal(self, generation: int) -> None:
        """Take the part that comes next in a segment, so that its driver cannot."""
        self._files.invalidate_cache(self._folder)
        for part in itertools.count(len(self._paths(generation))) if generation else ():
            try:
                self._files.pipe_file(self._part(generation, part), b"", mode="create")
            except FileExistsError:
                continue
            return

    def _check(self) -> None:
        self._files.invalidate_cache(self._folder)
        if self._files.exists(self._part(self.generation + 1, 0)):
            raise Superseded(f"a later driver has taken over {self._folder}; this one stops")

    def _append_locally(self, descriptor: int, lines: bytes) -> None:
        self._check()
        written = 0
        while written < len(lines):
            written += os.write(descriptor, lines[written:])
        os.fsync(descriptor)

    def _append_part(self, lines: bytes) -> None:
        self._check()
        path = self._part(self.generation, self._parts)
        try:
            self._files.pipe_file(path, lines, mode="create")
        except FileExistsError as error:
            # A request that was repeated because its answer was lost finds its own lines there.
            if self._files.cat_file(path) != lines:
                raise Superseded(f"a later driver has taken over {self._folder}; this one stops") from error
        self._parts += 1

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


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    """Keep a file to oneself; the system lets go of it when its holder dies."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
