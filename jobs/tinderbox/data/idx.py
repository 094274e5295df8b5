"""MNIST from its four idx files, gzipped or not."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinderbox.data.refusal import refusing
from tinderbox.errors import BadInput

_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def read_mnist(folder: Path, validation: int) -> dict[str, NDArray[np.uint8]]:
    """Return images of shape (n, 28, 28, 1) and labels; the first `validation` training images are held out.

    The split of TensorFlow's MNIST tutorial, and so of the Databricks study: in order, not shuffled.

    Raises:
        BadInput: A file is missing or broken, or nothing is left to train on.
    """
    arrays = {name: read_idx(_find(folder, file)) for name, file in _FILES.items()}
    for name in ("x_train", "x_test"):
        arrays[name] = arrays[name][..., np.newaxis]
    if validation >= len(arrays["x_train"]):
        raise BadInput(
            f"{folder}: validation must leave images to train on, got {validation} of {len(arrays['x_train'])}"
        )
    for axis in ("x", "y"):
        whole = arrays[f"{axis}_train"]
        arrays[f"{axis}_validation"], arrays[f"{axis}_train"] = whole[:validation], whole[validation:]
    return arrays


def _find(folder: Path, file: str) -> Path:
    """Return the gzipped file where there is one, the plain one otherwise."""
    packed = folder / f"{file}.gz"
    return packed if packed.exists() else folder / file


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of bytes in an idx file, the format that MNIST's page describes.

    A header of two zero bytes, the type (8: unsigned bytes) and the number of dimensions; their sizes, four bytes
    each, most significant first; then the data, last dimension fastest.

    Raises:
        BadInput: The file is missing, is no idx file of bytes, or is cut off.
    """
    with refusing(path):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if content[:3] != b"\0\0\x08" or len(content) < 4 or len(content) < 4 + 4 * content[3]:
        raise BadInput(f"{path}: is no idx file of bytes, got the header {content[:4]!r}; fetch it again")
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    start = 4 + 4 * len(shape)
    if len(content) - start != math.prod(shape):
        raise BadInput(
            f"{path}: must hold {math.prod(shape)} bytes for shape {shape}, got {len(content) - start}; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
