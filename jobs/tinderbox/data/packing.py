"""Data sets on their way to the executors: one archive, laid out once on each, shared by its processes."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinderbox.data.dataset import Dataset, Examples

_PARTS = ("train", "validation", "test")


def pack(dataset: Dataset) -> bytes:
    """Return an uncompressed archive of what trials may see: everything but the test examples."""
    arrays = {
        "x_train": dataset.train.x,
        "y_train": dataset.train.y,
        "x_validation": dataset.validation.x,
        "y_validation": dataset.validation.y,
    }
    if dataset.classes is not None:
        arrays["classes"] = np.array(dataset.classes)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unpack(fetch: Callable[[], bytes], folder: Path) -> None:
    """Lay the zip archive that `fetch` returns out in a folder that is either complete or not there."""

    def extract(partial: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(fetch())) as members:
            members.extractall(partial)

    lay_out(extract, folder)


def lay_out(fill: Callable[[Path], None], folder: Path) -> None:
    """Let `fill` write the files of a folder that is either complete or not there.

    Any number of processes may ask for the same folder: one does the work, the others wait for it. A folder
    that exists is left as it is.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return
        partial = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        fill(partial)
        partial.replace(folder)


def open_packed(folder: Path) -> Dataset:
    """Return the data set in a folder that `unpack` made, as read-only memory maps that all processes share."""
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
    classes = arrays["classes"].tolist() if "classes" in arrays else None
    train, validation = (Examples(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "validation"))
    return Dataset(train, validation, None, classes)


def digest(dataset: Dataset) -> str:
    """Return the SHA-256, in hexadecimal, of all that is in a data set, the test examples included."""
    sha256 = hashlib.sha256(json.dumps(dataset.classes).encode())
    for part in _PARTS:
        examples: Examples | None = getattr(dataset, part)
        for array in () if examples is None else (examples.x, examples.y):
            sha256.update(json.dumps([part, array.dtype.str, array.shape]).encode())
            sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()
