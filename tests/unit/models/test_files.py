"""Model files are known by what they hold."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tinderbox.models.files import is_keras


@pytest.mark.parametrize(
    ("members", "answer"),
    [
        (["metadata.json", "config.json", "model.weights.h5"], True),
        (["config.json"], False),
        (["x.npy", "y.npy"], False),
    ],
)
def test_keras_models_are_known_by_their_members(tmp_path: Path, members: list[str], answer: bool) -> None:
    """A zip is a Keras model if it describes one, whatever its name."""
    path = tmp_path / "checkpoint"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "{}")
    assert is_keras(path) is answer


def test_other_files_are_no_keras_models(tmp_path: Path) -> None:
    """A file that only has the name of one is none, and neither is a file that is not there."""
    path = tmp_path / "model.keras"
    path.write_bytes(b"a pickle, perhaps")
    assert not is_keras(path)
    assert not is_keras(tmp_path / "missing.keras")
