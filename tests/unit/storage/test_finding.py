"""Runs of every kind are found by their names."""

from __future__ import annotations

import pytest

from tinderbox.errors import BadInput
from tinderbox.storage import StudyFolder
from tinderbox.storage.finding import find_inferences, find_run, find_trainings, other_kind
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder


def test_a_run_is_found_by_its_name(storage: str) -> None:
    """It says of which kind it is; where there is none, those that there are are told."""
    with pytest.raises(BadInput, match=r"^there is no study, batch inference or training 'any' in .*; it holds none$"):
        find_run(storage, "any")
    StudyFolder(storage, "small").write("job.yaml", b"kind: sweep")
    RowsFolder(storage, "photos").write("infer.yaml", b"kind: infer")
    TrainFolder(storage, "lenet").write("train.yaml", b"kind: train")
    assert isinstance(find_run(storage, "small"), StudyFolder)
    assert isinstance(find_run(f"{storage}/", "photos"), RowsFolder)
    assert isinstance(find_run(storage, "lenet"), TrainFolder)
    assert (find_inferences(storage), find_trainings(storage)) == (["photos"], ["lenet"])
    with pytest.raises(
        BadInput, match=r"^there is no study, batch inference or training 'any' in .*; it holds lenet, photos, small$"
    ):
        find_run(storage, "any")


def test_a_name_may_be_of_another_kind(storage: str) -> None:
    """One's own kind is none; of others it is told which."""
    kinds = {"study": StudyFolder, "batch inference": RowsFolder, "training": TrainFolder}
    for kind, folder in kinds.items():
        one = folder(storage, kind.replace(" ", "-"))
        assert other_kind(one) is None
        one.write(one.job_file, b"kind: x")
        told = {name: other_kind(other(storage, one.name)) for name, other in kinds.items()}
        assert told == {name: None if name == kind else kind for name in kinds}
