"""Every path of a study, in one place."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import fsspec

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.storage.log import SegmentLog
from tinderbox.storage.runs import RunFolder, fetch_file, open_storage, run_names

T = TypeVar("T")

BLOCK = 1 << 20
"""In bytes: what is read of a file at a time."""


class StudyFolder(RunFolder):
    """One study below a storage folder or URL.

    job.yaml                                          the job, as it was run
    run.json                                          its identity: digests and versions
    submission                                        by what a cluster's driver was last submitted
    events/000001-000000.jsonl                        the record, a segment for each driver generation
    checkpoints/trial-00007/attempt-1-epoch-6         states that were wanted
    logs/trial-00007/attempt-1.log                    what an attempt printed
    best/model.keras, best/parameters.yaml            the winner
    report.html, optuna.log, plots/                   made from the record

    Where slots save states themselves, those are below `states` instead, which is None where they do not.

    Raises:
        BadInput: The URL is of a kind that is not known, or needs a package that is not installed.
    """

    kind, job_file = "study", "job.yaml"

    def __init__(self, storage: str, name: str) -> None:
        super().__init__(storage, name)
        self.states: str | None = None
        self._logs_come, self._newest_logs = 0, dict[tuple[int, int], int]()
        self._log_locks = tuple(threading.Lock() for _ in range(16))

    def log(self) -> SegmentLog:
        """Return the log of the study's record, with a new generation begun."""
        return SegmentLog(self._files, self.path("events"))

    def extent(self) -> tuple[int, int]:
        """Return how many files the study's record has now, and how many bytes are in them: it only grows."""
        self._files.invalidate_cache()
        sizes = [found["size"] for found in self._files.find(self.path("events"), detail=True).values()]
        return len(sizes), sum(sizes)

    def remove(self, name: str) -> None:
        """Remove a file, or a state by its own path or URL; one that is gone already is no error."""
        files, path = self._find(name)
        with suppress(FileNotFoundError):
            files.rm_file(path)

    def keepsakes(self) -> list[str]:
        """Return the names of the files worth taking home: all but the trials' checkpoints and what they printed."""
        return [name for name in self.names() if name.partition("/")[0] not in ("checkpoints", "logs")]

    def fetch(self, name: str, folder: Path) -> Path:
        """Return a file on this machine with the content of a stored one, copied where storage is elsewhere.

        A state that its slot has saved is named by its own path or URL.
        """
        return fetch_file(*self._find(name), folder)

    def _find(self, name: str) -> tuple[fsspec.AbstractFileSystem, str]:
        """Return where a file is: in the study, or, for a state that its slot has saved, at its own path or URL."""
        return open_storage(name) if is_elsewhere(name) else (self._files, self.path(name))

    # For the routes

    async def keep_checkpoint(
        self, trial: int, attempt: int, epoch: int, blocks: AsyncIterator[bytes], sha256: str
    ) -> tuple[str, int]:
        """Store a checkpoint whole or not at all; return its path in the study and its size in bytes.

        Raises:
            BadInput: What arrived has another digest.
        """
        name = state_name(trial, attempt, epoch)
        hashed, size = hashlib.sha256(), 0
        async with _in_thread(self.replacing(name)) as file:
            async for block in blocks:
                hashed.update(block)
                size += len(block)
                await asyncio.to_thread(file.write, block)
            if hashed.hexdigest() != sha256:
                raise BadInput(f"a checkpoint of trial {trial} arrived with digest {hashed.hexdigest()}, not {sha256}")
        return name, size

    async def send_checkpoint(self, path: str) -> AsyncIterator[bytes]:
        """Yield what is in a checkpoint of the study, in blocks, also in one that its slot has saved."""
        files, place = self._find(path)
        async with _in_thread(files.open(place, "rb")) as file:
            while block := await asyncio.to_thread(file.read, BLOCK):
                yield block

    async def discard(self, path: str) -> None:
        """Throw a checkpoint of the study away; one that is gone already is no error."""
        await asyncio.to_thread(self.remove, path)

    def takes_state(self, path: str) -> bool:
        """Whether this is where slots save states themselves; what is there is thrown away by its path."""
        return self.states is not None and path.startswith(f"{self.states}/checkpoints/")

    async def keep_log(self, trial: int, attempt: int, text: str) -> None:
        """Store what an attempt has printed so far, in place of an earlier call's text and never of a later one's."""
        self._logs_come += 1
        await asyncio.to_thread(self._write_log, trial, attempt, text, self._logs_come)

    def _write_log(self, trial: int, attempt: int, text: str, place: int) -> None:
        # Of two threads the later one may come first, and one whose request was given up goes on by itself.
        with self._log_locks[trial % len(self._log_locks)]:
            if place > self._newest_logs.get((trial, attempt), 0):
                self.write(log_name(trial, attempt), text.encode())
                self._newest_logs[trial, attempt] = place


def state_name(trial: int, attempt: int, epoch: int) -> str:
    """Return the name, in a study, of the state of a trial."""
    return f"checkpoints/trial-{trial:05d}/attempt-{attempt}-epoch-{epoch}"


def is_elsewhere(path: str) -> bool:
    """Whether the path of a state is a whole one, or a URL, and not a name in its study."""
    return "://" in path or path.startswith("/")


def log_name(trial: int, attempt: int) -> str:
    """Return the name, in a study, of what an attempt printed."""
    return f"logs/trial-{trial:05d}/attempt-{attempt}.log"


def check_storage(storage: str) -> None:
    """Look whether a storage folder or URL can be read; one that is not there yet holds nothing, and that is no error.

    Raises:
        BadInput: It is of a kind that is not known, or no folder, or must not be read.
        TinderboxError: It cannot be read now.
    """
    files, root = open_storage(storage)
    try:
        files.ls(root, detail=False)
        is_file = files.isfile(root)
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise BadInput(f"storage {storage!r} must not be read: {error}; give a folder or another URL") from error
    except OSError as error:
        raise TinderboxError(f"storage {storage!r} cannot be read: {error}; start again once it can") from error
    if is_file:
        raise BadInput(f"storage {storage!r} must be a folder or URL, got a file; give the folder that studies are in")


def find_studies(storage: str) -> list[str]:
    """Return the names of the studies that are below a storage folder or URL now."""
    files, root = open_storage(storage)
    files.invalidate_cache()
    return run_names(files, root, StudyFolder.job_file)


@asynccontextmanager
async def _in_thread(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """Enter and leave a context in a thread, because it waits for storage."""
    value = await asyncio.to_thread(context.__enter__)
    try:
        yield value
    except BaseException as error:
        if not await asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await asyncio.to_thread(context.__exit__, None, None, None)
