"""Model files: what is in them, whatever they are called."""

from __future__ import annotations

import zipfile
from pathlib import Path


def is_keras(path: Path) -> bool:
    """Whether a file is a model in Keras's own format: a zip with a description of the model and of the format."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"metadata.json", "config.json"} <= set(archive.namelist())
