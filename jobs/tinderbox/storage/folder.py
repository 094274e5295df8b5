"""Every path of a study, in one place."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import fsspec
import yaml

from tinderbox import checkpoint
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.run import Run
from tinderbox.storage.log import SegmentLog

T = TypeVar("T")

BLOCK = 1 << 20
"""In bytes: what is read of a file at a time."""


class StudyFolder:
    """One study below a storage folder or URL.

    job.yaml                                          the job, as it was run
    run.json                                          its identity: digests and versions
    submission                                        by what a cluster's driver was last submitted
    events/000001-000000.jsonl                        the record, a segment for each driver generation
    checkpoints/trial-00007/attempt-1-epoch-6         states that were wanted
    logs/trial-00007/attempt-1.log                    what an attempt printed
    best/model.keras, best/parameters.yaml            the winner
    report.html, optuna.log, plots/                   made from the record

    Where slots save states themselves, those are below `states` instead.

    Raises:
        BadInput: The URL is of a kind that is not known, or needs a package that is not installed.
    """

    def __init__(self, storage: str, name: str, states: str | None = None) -> None:
        self._files, root = _open(storage)
        self.name, self.root = name, f"{root}/{name}"
        self.is_local, self.states = "file" in self._files.protocol, states
        self._logs_come, self._newest_logs = 0, dict[tuple[int, int], int]()
        self._log_locks = tuple(threading.Lock() for _ in range(16))

    def path(self, *parts: str) -> str:
        """Return a path below the study's folder."""
        return "/".join([self.root, *parts])

    def exists(self) -> bool:
        """Whether there is a study of this name."""
        return self.has("job.yaml")

    def note(self, submission: str) -> None:
        """Keep which submission the study is of, if of one."""
        if submission:
            self.write("submission", submission.encode())

    def is_of(self, submission: str) -> bool:
        """Whether the study was last begun or continued by this submission."""
        return bool(submission) and self.has("submission") and self.read("submission").decode() == submission

    def set_aside(self) -> str:
        """Rename the study to the first free name of the form NAME-1, and return that name."""
        number = next(n for n in itertools.count(1) if not self._files.exists(f"{self.root}-{n}"))
        self._files.mv(self.root, f"{self.root}-{number}", recursive=True)
        return f"{self.name}-{number}"

    def log(self) -> SegmentLog:
        """Return the log of the study's record, with a new generation begun."""
        return SegmentLog(self._files, self.path("events"))

    # The job and its identity

    def write_job(self, job: dict[str, Any], run: Run) -> None:
        """Keep a job and its identity.

        Raises:
            BadInput: Storage cannot be written, and no such study is there.
            TinderboxError: Storage cannot be written now; the study that is there stays as it is.
        """
        try:
            self.write("run.json", json.dumps(asdict(run), indent=2).encode())
            self.write("job.yaml", yaml.safe_dump(job, sort_keys=False).encode())
        except OSError as error:
            sentence = f"storage {self.root} cannot be written: {error.strerror or error}"
            if self._is_absent():
                raise BadInput(f"{sentence}; give another") from error
            raise TinderboxError(f"{sentence}; start the study again once it can") from error

    def _is_absent(self) -> bool:
        """Whether there is surely no study that could be read; storage that does not answer may hold one."""
        try:
            self._files.info(self.path("job.yaml"))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return True
        except OSError:
            return False
        return False

    def read_job(self) -> dict[str, Any]:
        """Return the job that the study runs.

        Raises:
            BadInput: There is no such study, or its job is damaged.
        """
        if not self.exists():
            storage = self.root.rpartition("/")[0]
            known = ", ".join(_names(self._files, storage)) or "none"
            raise BadInput(f"there is no study {self.name!r} in {storage}; it holds {known}")
        try:
            tree = yaml.safe_load(self.read("job.yaml"))
        except (yaml.YAMLError, ValueError) as error:
            raise BadInput(f"study {self.name!r}: its job.yaml is not YAML: {error}; move {self.root} away") from error
        if not isinstance(tree, dict):
            raise BadInput(f"study {self.name!r}: its job.yaml holds no job, got {tree!r}; move {self.root} away")
        return tree

    def read_run(self) -> Run:
        """Return the identity of the run."""
        return Run(**json.loads(self.read("run.json")))

    # Whole files

    @contextmanager
    def replacing(self, name: str) -> Iterator[BinaryIO]:
        """Open a file that takes the place of a stored one when the block ends well, whole and durable."""
        if self.is_local:
            with checkpoint.replacing(Path(self.path(name))) as file:
                yield file
        else:
            with tempfile.NamedTemporaryFile() as spool:
                yield cast("BinaryIO", spool)
                spool.flush()
                self._files.put_file(spool.name, self.path(name))

    def write(self, name: str, content: bytes) -> None:
        """Put a whole file in place; a reader sees the old one or the new one."""
        with self.replacing(name) as file:
            file.write(content)

    def read(self, name: str) -> bytes:
        """Return what is in a file."""
        content: bytes = self._files.cat_file(self.path(name))
        return content

    def remove(self, name: str) -> None:
        """Remove a file, or a state by its own path or URL; one that is gone already is no error."""
        files, path = self._find(name)
        with suppress(FileNotFoundError):
            files.rm_file(path)

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return bool(self._files.exists(self.path(name)))

    def keepsakes(self) -> list[str]:
        """Return the names of the files worth taking home: all but the trials' checkpoints and what they printed."""
        return [name for name in self.names() if name.partition("/")[0] not in ("checkpoints", "logs")]

    def names(self, *below: str) -> list[str]:
        """Return the names of all files of the study, or of those below a path in it."""
        return sorted(path.partition(f"{self.root}/")[2] for path in self._files.find(self.path(*below)))

    def fetch(self, name: str, folder: Path) -> Path:
        """Return a file on this machine with the content of a stored one, copied where storage is elsewhere.

        A state that its slot has saved is named by its own path or URL.
        """
        files, path = self._find(name)
        if "file" in files.protocol:
            return Path(path)
        target = folder / path.replace("/", "-")
        files.get_file(path, str(target))
        return target

    def _find(self, name: str) -> tuple[fsspec.AbstractFileSystem, str]:
        """Return where a file is: in the study, or, for a state that its slot has saved, at its own path or URL."""
        return _open(name) if is_elsewhere(name) else (self._files, self.path(name))

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
        """Yield what is in a checkpoint of the study, in blocks."""
        async with _in_thread(self._files.open(self.path(path), "rb")) as file:
            while block := await asyncio.to_thread(file.read, BLOCK):
                yield block

    async def discard(self, path: str) -> None:
        """Throw a checkpoint of the study away; one that is gone already is no error."""
        await asyncio.to_thread(self.remove, path)

    def takes_state(self, path: str) -> bool:
        """Whether this is where slots save states themselves; what is there is thrown away by its path."""
        return self.states is not None and path.startswith(f"{self.states.rstrip('/')}/{self.name}/checkpoints/")

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


def find_studies(storage: str) -> list[str]:
    """Return the names of the studies below a storage folder or URL."""
    return _names(*_open(storage))


def _open(storage: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        files, root = fsspec.url_to_fs(storage)
    except (ImportError, ValueError) as error:
        raise BadInput(f"storage {storage!r} cannot be opened: {error}; give a folder or another URL") from error
    return files, root.rstrip("/")


def _names(files: fsspec.AbstractFileSystem, root: str) -> list[str]:
    return sorted(path.split("/")[-2] for path in files.glob(f"{root}/*/job.yaml"))


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
