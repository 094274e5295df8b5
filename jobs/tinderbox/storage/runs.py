"""A folder of a run below a storage folder or URL: its job, its identity, and whole files."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

import fsspec
import yaml

from tinderbox import checkpoint
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.run import Run


class RunFolder:
    """What all kinds of runs keep.

    job.yaml      the job, as it was run, under a name that says its kind
    run.json      its identity: digests and versions
    submission    by what a cluster's driver was last submitted

    Raises:
        BadInput: The URL is of a kind that is not known, or needs a package that is not installed.
    """

    kind: ClassVar[str]
    """What a run of this kind is called."""

    job_file: ClassVar[str]
    """The name of its job; whether there is a run of this kind is whether this is there."""

    def __init__(self, storage: str, name: str) -> None:
        self._files, root = open_storage(storage)
        self.name, self.root = name, f"{root}/{name}"
        self.is_local = "file" in self._files.protocol

    def path(self, *parts: str) -> str:
        """Return a path below the run's folder."""
        return "/".join([self.root, *parts])

    def exists(self) -> bool:
        """Whether there is a run of this kind and name."""
        return self.has(self.job_file)

    def note(self, submission: str) -> None:
        """Keep which submission the run is of, if of one."""
        if submission:
            self.write("submission", submission.encode())

    def is_of(self, submission: str) -> bool:
        """Whether the run was last begun or continued by this submission."""
        return bool(submission) and self.has("submission") and self.read("submission").decode() == submission

    def set_aside(self) -> str:
        """Rename the run to the first free name of the form NAME-1, and return that name."""
        number = next(n for n in itertools.count(1) if not self._files.exists(f"{self.root}-{n}"))
        self._files.mv(self.root, f"{self.root}-{number}", recursive=True)
        return f"{self.name}-{number}"

    # The job and its identity

    def write_job(self, job: dict[str, Any], run: Run) -> None:
        """Keep a job and its identity.

        Raises:
            BadInput: Storage cannot be written, and no such run is there.
            TinderboxError: Storage cannot be written now; the run that is there stays as it is.
        """
        try:
            self.write("run.json", json.dumps(asdict(run), indent=2).encode())
            self.write(self.job_file, yaml.safe_dump(job, sort_keys=False).encode())
        except OSError as error:
            sentence = f"storage {self.root} cannot be written: {error.strerror or error}"
            if self._is_absent():
                raise BadInput(f"{sentence}; give another") from error
            raise TinderboxError(f"{sentence}; start the {self.kind} again once it can") from error

    def _is_absent(self) -> bool:
        """Whether there is surely no run that could be read; storage that does not answer may hold one."""
        try:
            self._files.info(self.path(self.job_file))
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return True
        except OSError:
            return False
        return False

    def read_job(self) -> dict[str, Any]:
        """Return the job of the run.

        Raises:
            BadInput: There is no such run, or its job is damaged.
        """
        if not self.exists():
            storage = self.root.rpartition("/")[0]
            known = ", ".join(run_names(self._files, storage, self.job_file)) or "none"
            raise BadInput(f"there is no {self.kind} {self.name!r} in {storage}; it holds {known}")
        told = f"{self.kind} {self.name!r}: its {self.job_file}"
        try:
            tree = yaml.safe_load(self.read(self.job_file))
        except (yaml.YAMLError, ValueError) as error:
            raise BadInput(f"{told} is not YAML: {error}; move {self.root} away") from error
        if not isinstance(tree, dict):
            raise BadInput(f"{told} holds no job, got {tree!r}; move {self.root} away")
        return tree

    def read_run(self) -> Run:
        """Return the identity of the run.

        Raises:
            BadInput: It is missing or damaged.
        """
        try:
            return Run(**json.loads(self.read("run.json")))
        except (FileNotFoundError, ValueError, TypeError) as error:
            sentence = f"{self.kind} {self.name!r}: its run.json cannot be read: {error}"
            raise BadInput(f"{sentence}; move {self.root} away") from error

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

    def read_log(self, name: str) -> str:
        """Return what was printed into a file, nothing where nothing was."""
        return self.read(name).decode(errors="replace") if self.has(name) else ""

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""
        with suppress(FileNotFoundError):
            self._files.rm_file(self.path(name))

    def has(self, name: str) -> bool:
        """Whether a file or folder is there.

        Raises:
            TinderboxError: Storage cannot tell now.
        """
        try:
            self._files.info(self.path(name))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:  # for which fsspec's own exists() says no, and what is there would be made again
            raise self._unreadable(error) from error
        return True

    def _unreadable(self, error: OSError) -> TinderboxError:
        sentence = f"storage {self.root} cannot be read: {error.strerror or error}"
        return TinderboxError(f"{sentence}; start the {self.kind} again once it can")

    def names(self, *below: str) -> list[str]:
        """Return the names of all files of the run, or of those below a path in it."""
        return sorted(path.partition(f"{self.root}/")[2] for path in self._files.find(self.path(*below)))

    def fetch(self, name: str, folder: Path) -> Path:
        """Return a file on this machine with the content of a stored one, copied where storage is elsewhere."""
        return fetch_file(self._files, self.path(name), folder)


def open_storage(storage: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return the file system and the root of a folder or URL.

    Raises:
        BadInput: The URL is of a kind that is not known, or needs a package that is not installed.
    """
    try:
        files, root = fsspec.url_to_fs(storage)
    except (ImportError, ValueError) as error:
        raise BadInput(f"storage {storage!r} cannot be opened: {error}; give a folder or another URL") from error
    return files, root.rstrip("/")


def fetch_file(files: fsspec.AbstractFileSystem, path: str, folder: Path) -> Path:
    """Return a file on this machine: the one at a path, or its copy in a folder where it is elsewhere."""
    if "file" in files.protocol:
        return Path(path)
    target = folder / path.replace("/", "-")
    files.get_file(path, str(target))
    return target


def run_names(files: fsspec.AbstractFileSystem, root: str, job_file: str) -> list[str]:
    """Return the names of the runs below a root."""
    return sorted(path.split("/")[-2] for path in files.glob(f"{root}/*/{job_file}"))
