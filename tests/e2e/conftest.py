"""Folders in which a person runs `tinderbox sweep`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def lay_out(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], Path]:
    """A function that makes a folder with job.yaml, forty examples in data.npz, and code.

    The code is a module of some name, and `place`, which tells it the folder's own path as FOLDER.
    """

    def make(module: str, function: str, job: str) -> Path:
        folder = tmp_path_factory.mktemp(module)
        (folder / "code").mkdir()
        (folder / "code" / f"{module}.py").write_text(function)
        (folder / "code" / "place.py").write_text(f"FOLDER = {str(folder)!r}\n")
        (folder / "job.yaml").write_text(job)
        np.savez(folder / "data.npz", x=np.zeros((40, 2)), y=np.arange(40) % 2)
        return folder

    return make
