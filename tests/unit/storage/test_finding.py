"""Runs of either kind are found by their names."""

from __future__ import annotations

import pytest

from tinderbox.errors import BadInput
from tinderbox.storage import StudyFolder
from tinderbox.storage.finding import find_inferences, find_run
from tinderbox.storage.rows import RowsFolder


def test_a_run_is_found_by_its_name(storage: str) -> None:
    """It says of which kind it is; where there is none, those that there are are told."""
    with pytest.raises(BadInput, match=r"^there is no study or batch inference 'any' in .*; it holds none$"):
        find_run(storage, "any")
    StudyFolder(storage, "small").write("job.yaml", b"kind: sweep")
    RowsFolder(storage, "photos").write("infer.yaml", b"kind: infer")
    assert isinstance(find_run(storage, "small"), StudyFolder)
    assert isinstance(find_run(f"{storage}/", "photos"), RowsFolder)
    assert find_inferences(storage) == ["photos"]
    with pytest.raises(BadInput, match=r"^there is no study or batch inference 'any' in .*; it holds photos, small$"):
        find_run(storage, "any")
