"""The studies of a storage, read again when they have grown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinderbox.errors import BadInput
from tinderbox.report.library import Library
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.events import StudyStarted, TrialProposed, encode


@pytest.fixture
def told() -> list[str]:
    """What the library has told."""
    return []


@pytest.fixture
def library(recorded: StudyFolder, told: list[str]) -> Library:
    """The library of a storage with one study, looked at once."""
    library = Library(recorded.root.rpartition("/")[0], told.append)
    library.refresh()
    return library


def shown(library: Library) -> list[tuple[int, str, int]]:
    """Number, name and trials of each study."""
    studies = library.shelf.get_all_studies()
    return [(it._study_id, it.study_name, len(library.shelf.get_all_trials(it._study_id))) for it in studies]


def propose(folder: StudyFolder, trial: int) -> None:
    """Let another driver add a trial."""
    log = folder.log()
    started = StudyStarted(time=200, generation=log.generation)
    log.append(encode(started) + encode(TrialProposed(time=201, trial=trial, parameters={"x": 1.5}, seed=7, known=0)))
    log.close()


def test_a_record_that_has_grown_is_read_again(library: Library, recorded: StudyFolder) -> None:
    """And the study keeps its number."""
    assert shown(library) == [(0, "small", 5)]
    propose(recorded, 5)
    library.refresh()
    assert shown(library) == [(0, "small", 6)]


def test_one_that_has_not_grown_is_left_alone(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is read."""
    monkeypatch.setattr(StudyFolder, "read_job", pytest.fail)
    library.refresh()
    assert shown(library) == [(0, "small", 5)]


def test_studies_come_and_go(library: Library, recorded: StudyFolder) -> None:
    """One that was set aside has its new name; another one of the old name is not taken for it."""
    storage = recorded.root.rpartition("/")[0]
    job, run = recorded.read_job(), recorded.read_run()
    recorded.set_aside()
    again = StudyFolder(storage, "small")
    again.write_job(job, run)
    library.refresh()
    assert shown(library) == [(1, "small-1", 5)]
    propose(again, 0)
    library.refresh()
    assert shown(library) == [(1, "small-1", 5), (2, "small", 1)]


def test_a_damaged_study_is_told_once(library: Library, recorded: StudyFolder, told: list[str]) -> None:
    """As it was before it is shown, beside the others; and again once it is mended."""
    propose(StudyFolder(recorded.root.rpartition("/")[0], "small"), 5)
    whole = recorded.read("events/000002-000000.jsonl")
    recorded.write("events/000002-000000.jsonl", b"no event\n")
    library.refresh()
    library.refresh()
    (sentence,) = told
    assert sentence.startswith("study small: the record is damaged: line 1 of segment 2 is no event")
    assert shown(library) == [(0, "small", 5)]
    recorded.write("events/000002-000000.jsonl", whole)
    library.refresh()
    assert shown(library) == [(0, "small", 6)]


def test_storage_that_does_not_answer_for_a_while(
    library: Library, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before is still shown."""

    def find(storage: str) -> list[str]:
        raise OSError("timed out")

    monkeypatch.setattr("tinderbox.report.library.find_studies", find)
    library.refresh()
    (sentence,) = told
    assert sentence.endswith("cannot be read: timed out; what was read before is shown")
    assert shown(library) == [(0, "small", 5)]


def test_a_storage_that_is_not_there_yet(tmp_path: Path, told: list[str]) -> None:
    """It holds no studies, and is not made."""
    library = Library(str(tmp_path / "studies"), told.append)
    library.refresh()
    assert (shown(library), told, list(tmp_path.iterdir())) == ([], [], [])


def test_a_storage_that_cannot_be_opened(told: list[str]) -> None:
    """Is refused in one sentence."""
    with pytest.raises(BadInput, match=r"storage 'nowhere://studies' cannot be opened: .*; give a folder"):
        Library("nowhere://studies", told.append)
