"""The user's function on its way to the executors: a name with the modules around it, or the function itself."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinderbox.data import unpack
from tinderbox.errors import BadInput
from tinderbox.functions import find_function
from tinderbox.sweeping.fingerprint import fingerprint

LARGEST_CODE = 64 << 20

_RUNS = {"job.yaml", "train.yaml", "infer.yaml"}
"""A folder with one of these and a run.json is a study, a training or a batch inference."""


@dataclass(frozen=True)
class Objective:
    """A function by name (`module:function`, with a zip of the folder it is imported from) or by value.

    `pickled` holds a function of a notebook, by cloudpickle; it reaches an executor inside Spark's own closure.
    `fingerprint` says what a function does that is not among the modules of `code`.
    """

    name: str
    code: bytes | None = None
    pickled: bytes | None = None
    fingerprint: str = ""

    @property
    def digest(self) -> str:
        """The SHA-256 of all that travels, in hexadecimal."""
        return hashlib.sha256(self.name.encode() + (self.code or b"") + (self.pickled or b"")).hexdigest()

    @property
    def identity(self) -> str:
        """The SHA-256 of what runs, in hexadecimal: name, fingerprint, and the modules among the code.

        Other files of the folder do not count, for job files, notebooks and results come and go there.
        """
        hashed = hashlib.sha256(f"{self.name}\n{self.fingerprint}\n".encode())
        for name, module in _modules_in(self.code) if self.code else ():
            hashed.update(f"{name} {len(module)}\n".encode() + module)
        return hashed.hexdigest()

    def unpack(self, folder: Path) -> None:
        """Lay the code out in a folder, once for all processes that will load it from there."""
        if self.code is not None:
            code = self.code
            unpack(lambda: code, folder)

    def load(self, folder: Path) -> Callable[..., Any]:
        """Return the function, from the folder where its code was unpacked.

        Raises:
            BadInput: The module does not import, or has no such function.
        """
        if self.code is not None:
            sys.path.insert(0, str(folder))
        if self.pickled is None:
            return find_function(self.name)
        function: Callable[..., Any] = pickle.loads(self.pickled)  # noqa: S301 - from our own closure, not the network
        return function


def by_value(function: Callable[..., Any], folder: Path | None = None) -> Objective:
    """Return a function of a notebook or a script as an objective, with the folder of modules that it needs.

    Raises:
        BadInput: The function holds something that cannot travel, or the folder cannot be packed.
    """
    import cloudpickle

    name = getattr(function, "__qualname__", type(function).__name__)
    try:
        pickled = cloudpickle.dumps(function)
    except Exception as error:
        raise BadInput(f"{name} cannot be sent to the executors: {error}; create inside it what it holds") from error
    return Objective(name, None if folder is None else pack_code(folder), pickled, fingerprint(function))


def by_name(name: str, folder: Path | None) -> Objective:
    """Return the objective `module:function`, with the folder of code that travels with it, or as it is installed.

    Raises:
        BadInput: The folder does not exist, or its files are larger than 64 MiB together.
    """
    if folder is None:
        return Objective(name, fingerprint=fingerprint(find_function(name)))
    return Objective(name, code=pack_code(folder))


def pack_code(folder: Path) -> bytes:
    """Return a zip of the modules and small files below a folder, the same bytes for the same files.

    Hidden files, caches and runs of any kind that lie in the folder are left out. A zip that was packed before, as by
    `tinderbox submit`, is returned as it is.

    Raises:
        BadInput: The folder does not exist, its files are larger than 64 MiB together, or one of them cannot travel.
    """
    if zipfile.is_zipfile(folder):
        return folder.read_bytes()
    if not folder.is_dir():
        raise BadInput(f"code must name a folder with your modules, got {folder}, which is none")
    paths = _find_code(folder)
    size = sum(path.stat().st_size for path in paths)
    if size > LARGEST_CODE:
        raise BadInput(
            f"code must be at most 64 MiB of modules, got {size >> 20} MiB in {folder}; bring data in by data"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            name = str(path.relative_to(folder))
            try:
                # Without a date, so that equal code has an equal digest.
                archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
            except UnicodeEncodeError as error:
                raise BadInput(f"code holds a file whose name is not UTF-8, got {name!r}; rename it") from error
            except OSError as error:
                raise BadInput(f"code holds {name}, which cannot be read: {error.strerror}") from error
    return buffer.getvalue()


def _modules_in(code: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        for name in archive.namelist():
            if name.endswith(".py"):
                yield name, archive.read(name)


def _find_code(folder: Path) -> list[Path]:
    """Return the files below a folder that travel, in order; what is left out is not looked into."""
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        if "run.json" in files and not _RUNS.isdisjoint(files):
            folders.clear()
            continue
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        found += [Path(root, name) for name in files if not name.endswith(".pyc") and not name.startswith(".")]
    return sorted(path for path in found if path.is_file())
