"""Sources of data, each turned into arrays named as in an npz archive: x and y, or x_train ... y_test."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinderbox.config.data import AnyData, Digits, Function, Memory, Mnist, Npz, Table
from tinderbox.data.idx import read_mnist
from tinderbox.data.refusal import refusing
from tinderbox.data.tables import read_table
from tinderbox.errors import BadInput

Arrays = Mapping[str, Any]


def read(config: AnyData, base: Path, functions: Callable[[str], Any]) -> tuple[str, Arrays]:
    """Return what messages call the source, and its arrays.

    Raises:
        BadInput: The source cannot be read.
    """
    match config:
        case Digits():
            return "digits", read_digits()
        case Mnist():
            return str(base / config.folder), read_mnist(base / config.folder, config.validation)
        case Npz():
            return str(base / config.path), read_npz(base / config.path)
        case Table():
            return str(base / config.path), read_table(base / config.path, config)
        case Function():
            return config.function, call(functions(config.function), config.function)
        case Memory():
            raise BadInput("memory: holds arrays of a notebook, which are gone; pass them as data again")


def read_digits() -> Arrays:
    """Return scikit-learn's digits: x of shape (1797, 8, 8, 1), from 0 to 255 so that one network serves MNIST too."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return {"x": x[..., np.newaxis], "y": digits.target}


def read_npz(path: Path) -> Arrays:
    """Return the arrays of a NumPy archive; Python objects are refused, for reading them could run anything.

    Raises:
        BadInput: The file is no such archive, or holds Python objects.
    """
    with refusing(path), path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise BadInput(f"{path}: is no NumPy archive; write it by np.savez(path, x=..., y=...)")
        file.seek(0)
        return dict(np.load(file, allow_pickle=False))


def call(function: Callable[[], Any], name: str) -> Arrays:
    """Return the mapping of arrays that a user's function returns.

    Raises:
        BadInput: The function raises, or returns no mapping.
    """
    try:
        found = function()
    except (Exception, SystemExit) as error:  # sys.exit() must not end the command, with success at that
        raise BadInput(f"{name}: raised {type(error).__name__}: {error}") from error
    if not isinstance(found, Mapping):
        raise BadInput(f"{name}: must return a mapping such as dict(x=..., y=...), got {type(found).__name__}")
    return found
