"""Each kind of storage: a folder of this machine, and a file system that only has whole objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the folder or URL of an empty storage."""
    if request.param == "local":
        yield str(tmp_path / "studies")
    else:
        files = fsspec.filesystem("memory")
        files.store.clear()
        yield "memory://studies"
        files.store.clear()
