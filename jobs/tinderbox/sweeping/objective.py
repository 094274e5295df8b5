"""The user's function on its way to the executors: a name with the modules around it, or the function itself."""

from __future__ import annotations

import hashlib
import importlib
import io
import pickle
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinderbox.data import unpack
from tinderbox.errors import BadInput

LARGEST_CODE = 64 << 20


@dataclass(frozen=True)
class Objective:
    """A function by name (`module:function`, with a zip of the folder it is imported from) or by value.

    `pickled` holds a function of a notebook, by cloudpickle; it reaches an executor inside Spark's own closure.
    """

    name: str
    code: bytes | None = None
    pickled: bytes | None = None

    @property
    def digest(self) -> str:
        """The SHA-256 of name and code, in hexadecimal."""
        return hashlib.sha256(self.name.encode() + (self.code or b"") + (self.pickled or b"")).hexdigest()

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
    return Objective(name, None if folder is None else pack_code(folder), pickled)


def by_name(name: str, folder: Path | None) -> Objective:
    """Return the objective `module:function`, with the folder of code that travels with it.

    Raises:
        BadInput: The folder does not exist, or its files are larger than 64 MiB together.
    """
    return Objective(name, code=None if folder is None else pack_code(folder))


def find_function(name: str) -> Callable[..., Any]:
    """Return the function `module:function`.

    Raises:
        BadInput: The module does not import, or has no such function.
    """
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a script without a guard may end the process that imports it
        raise BadInput(f"{name}: module {module_name} does not import: {type(error).__name__}: {error}") from error
    function: Callable[..., Any] | None = getattr(module, function_name, None)
    if not callable(function):
        raise BadInput(f"{name}: module {module_name} has no function {function_name}")
    return function


def pack_code(folder: Path) -> bytes:
    """Return a zip of the modules and small files below a folder, the same bytes for the same files.

    Hidden files, caches and studies that lie in the folder are left out.

    Raises:
        BadInput: The folder does not exist, or its files are larger than 64 MiB together.
    """
    if not folder.is_dir():
        raise BadInput(f"code must name a folder with your modules, got {folder}, which is none")
    studies = [path.parent for path in folder.rglob("job.yaml") if path.with_name("events").is_dir()]
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not _is_left_out(path.relative_to(folder))
        and not any(path.is_relative_to(study) for study in studies)
    ]
    size = sum(path.stat().st_size for path in paths)
    if size > LARGEST_CODE:
        raise BadInput(
            f"code must be at most 64 MiB of modules, got {size >> 20} MiB in {folder}; bring data in by data"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            # Without a date, so that equal code has an equal digest.
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes())
    return buffer.getvalue()


def _is_left_out(path: Path) -> bool:
    return path.suffix == ".pyc" or any(part == "__pycache__" or part.startswith(".") for part in path.parts)
