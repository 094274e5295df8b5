"""How much room there is where studies are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tinderbox.metrics.catalogue import STORAGE_FREE, STORAGE_SIZE
from tinderbox.storage.room import look_at_room


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_volume_has_a_size_and_free_room(tmp_path: Path, scheme: str) -> None:
    """As the machine itself counts them; the free room is what a study may use."""
    found = {sample.metric: sample.value for sample in look_at_room(f"{scheme}{tmp_path}")}
    used = shutil.disk_usage(tmp_path)
    assert found[STORAGE_SIZE] == used.total
    assert abs(found[STORAGE_FREE] - used.free) < 1 << 30
    assert 0 < found[STORAGE_FREE] <= found[STORAGE_SIZE]


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """It is made with the first study; until then nothing is told."""
    assert list(look_at_room(str(tmp_path / "studies"))) == []


def test_object_storage_has_neither() -> None:
    """Its bucket has no end."""
    assert list(look_at_room("memory://studies")) == []
