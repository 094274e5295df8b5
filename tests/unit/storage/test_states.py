"""States that slots keep themselves: whole, noted once they are there, read by whoever goes on."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tinderbox.errors import StaleAttempt, TinderboxError
from tinderbox.storage import StudyFolder
from tinderbox.storage.states import DirectClient, place_of, remove_strays
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.events import StudyStarted
from tinderbox.sweeping.history import Attempt, Trial
from tinderbox.sweeping.history import Checkpoint as StateKept
from tinderbox.sweeping.messages import Resume
from tinderbox.sweeping.study import Study

STATE = b"weights" * 1000
URL = "http://127.0.0.1:1"
BEGAN = 1_000.25
PLACE = "small/19700101T001640.250000Z"
"""Of a study's states, below the folder or URL that studies share, by when it began."""

SHA256 = hashlib.sha256(STATE).hexdigest()


class Coordinator:
    """Notes states, or refuses."""

    def __init__(self) -> None:
        self.noted: list[tuple[Any, ...]] = []
        self.refused = False
        self.fetched: list[tuple[int, int, str]] = []
        self.content: bytes | None = None

    def note_state(self, *state: Any) -> None:
        """Note a state."""
        if self.refused:
            raise StaleAttempt("attempt 1 of trial 3 is over")
        self.noted.append(state)

    def download(self, trial: int, attempt: int, slot: str, resume: Resume, path: Path) -> None:
        """Fetch a state through the driver."""
        self.fetched.append((trial, attempt, slot))
        if self.content is not None:
            path.write_bytes(self.content)


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> Coordinator:
    """The coordinator, in the place of one that a client would reach over a network."""
    coordinator = Coordinator()
    monkeypatch.setattr(Client, "note_state", lambda client, *state: coordinator.note_state(*state))
    monkeypatch.setattr(Client, "download", lambda client, *asked: coordinator.download(*asked))
    return coordinator


@pytest.fixture(params=["folder", "memory"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where states are kept: a folder that all machines have, or a URL."""
    return str(tmp_path / "shared") if request.param == "folder" else f"memory://{tmp_path.name}"


@pytest.fixture
def door(coordinator: Any, states: str) -> DirectClient:
    """A slot's door."""
    return open_door(states)


def open_door(states: str) -> DirectClient:
    """Open the door of a slot whose states go there."""
    return DirectClient(place_of(states, "small", Study("loss", "minimize", started=BEGAN)), URL, "secret")


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    """Return a function that writes what a child has saved."""

    def write(content: bytes) -> Path:
        (tmp_path / "saved").write_bytes(content)
        return tmp_path / "saved"

    return write


def resume(path: str, **changes: Any) -> Resume:
    """Return the state that an attempt goes on from."""
    return Resume(**{"epoch": 6, "path": path, "sha256": SHA256, "size": len(STATE), **changes})


def test_a_state_goes_there_and_back(
    door: DirectClient, coordinator: Coordinator, states: str, write: Callable[[bytes], Path], tmp_path: Path
) -> None:
    """Past the driver, which is told where it is."""
    door.upload(3, 1, 6, "a", write(STATE))
    path = f"{states}/{PLACE}/checkpoints/trial-00003/attempt-1-epoch-6"
    assert coordinator.noted == [(3, 1, 6, "a", path, SHA256, len(STATE))]
    door.download(3, 2, "b", resume(path), tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == STATE
    assert coordinator.fetched == []


def test_the_driver_reads_it_and_throws_it_away(
    door: DirectClient, coordinator: Coordinator, states: str, write: Callable[[bytes], Path], tmp_path: Path
) -> None:
    """By its own path; one that is gone is no error."""
    door.upload(3, 1, 6, "a", write(STATE))
    folder, path = StudyFolder(str(tmp_path / "studies"), "small"), coordinator.noted[0][4]
    folder.states = f"{states}/{PLACE}"
    assert folder.takes_state(path)
    assert folder.fetch(path, tmp_path).read_bytes() == STATE
    folder.remove(path)
    folder.remove(path)
    files, place = fsspec.url_to_fs(path)
    assert not files.exists(place)


def test_the_driver_sends_it_though_states_come_through_it_by_now(
    door: DirectClient, coordinator: Coordinator, write: Callable[[bytes], Path], tmp_path: Path
) -> None:
    """`checkpoints.storage` may have been taken out of the job since; one that is gone is told."""
    door.upload(3, 1, 6, "a", write(STATE))
    folder, path = StudyFolder(str(tmp_path / "studies"), "small"), coordinator.noted[0][4]

    async def send(path: str) -> bytes:
        return b"".join([block async for block in folder.send_checkpoint(path)])

    assert asyncio.run(send(path)) == STATE
    with pytest.raises(FileNotFoundError):
        asyncio.run(send(f"{path}0"))


def test_an_attempt_that_is_over_leaves_its_state_to_the_driver(
    door: DirectClient, coordinator: Coordinator, states: str, write: Callable[[bytes], Path]
) -> None:
    """A note that is repeated late is refused too, and then it is the state that the trial goes on from."""
    coordinator.refused = True
    with pytest.raises(StaleAttempt):
        door.upload(3, 1, 6, "a", write(STATE))
    assert StudyFolder(states, PLACE).names() == ["checkpoints/trial-00003/attempt-1-epoch-6"]


def name(trial: int, epoch: int, attempt: int = 1) -> str:
    """Return the name of a state in its study."""
    return f"checkpoints/trial-{trial:05d}/attempt-{attempt}-epoch-{epoch}"


def knowing(*paths: str) -> Study:
    """Return a study whose trials have had one attempt each, and go on from these states."""
    study = Study("loss", "minimize")
    for number, path in enumerate(paths):
        kept = StateKept(1, 6, path, SHA256, 7) if path else None
        attempts = [Attempt(1, "slot-0", "node", 100.0)]
        study.trials[number] = Trial(number, {}, 7, baseline=False, checkpoint=kept, attempts=attempts)
    return study


def test_states_that_no_record_knows_are_removed(states: str, tmp_path: Path) -> None:
    """Those in the study and those that slots brought to storage, whole or not; the trials' own stay, and all else."""
    folder, direct = StudyFolder(str(tmp_path / "studies"), "small"), StudyFolder(states, PLACE)
    folder.states = f"{states}/{PLACE}"
    for place, trial in ((folder, 0), (direct, 1)):
        for kept in (name(trial, 6), "logs/trial-00000/attempt-1.log"):
            place.write(kept, STATE)
        for stray in (name(trial, 3), name(2, 6), "checkpoints/trial-00002/.attempt-1-epoch-6.k2j1"):
            place.write(stray, STATE)
    study = knowing(name(0, 6), f"{states}//{PLACE}/{name(1, 6)}", "")  # the place may have been spelled otherwise
    assert remove_strays(folder, study) == 6
    assert folder.names() == [name(0, 6), "logs/trial-00000/attempt-1.log"]
    assert direct.names() == [name(1, 6), "logs/trial-00000/attempt-1.log"]
    assert remove_strays(folder, study) == 0


def test_states_of_a_later_driver_are_not_removed(states: str, tmp_path: Path) -> None:
    """It has leased attempts that the record did not tell of when this driver read it; what is no state stays too."""
    folder, direct = StudyFolder(str(tmp_path / "studies"), "small"), StudyFolder(states, PLACE)
    folder.states = f"{states}/{PLACE}"
    later = [name(0, 6, attempt=2), name(1, 6), "checkpoints/trial-00000/.attempt-2-epoch-7.k2j1", "checkpoints/notes"]
    for place in (folder, direct):
        for state in later:
            place.write(state, STATE)
    assert remove_strays(folder, knowing("")) == 0
    assert folder.names() == direct.names() == sorted(later)


def test_studies_of_one_name_have_places_of_their_own(states: str, tmp_path: Path) -> None:
    """As in two storage folders, or when one was set aside; a study that is continued finds its own again."""
    study = knowing("")
    study.apply(StudyStarted(time=BEGAN, generation=1))
    place = place_of(states, "small", study)
    assert place == f"{states}/{PLACE}" == place_of(f"{states}/", "small", study)
    study.apply(StudyStarted(time=BEGAN + 60, generation=2))
    assert place_of(states, "small", study) == place
    other = StudyFolder(states, PLACE)
    other.write(name(0, 3), STATE)
    mine = StudyFolder(str(tmp_path / "studies"), "small")
    mine.states = place_of(states, "small", Study("loss", "minimize", started=BEGAN + 0.001))
    assert remove_strays(mine, study) == 0
    assert not mine.takes_state(f"{place}/{name(0, 3)}")
    assert other.names() == [name(0, 3)]


@pytest.mark.parametrize("changes", [{"sha256": "00"}, {"size": 3}])
def test_a_state_that_has_changed_is_told(
    door: DirectClient,
    coordinator: Coordinator,
    write: Callable[[bytes], Path],
    tmp_path: Path,
    changes: dict[str, Any],
) -> None:
    """It would be trained on as if nothing was."""
    door.upload(3, 1, 6, "a", write(STATE))
    path = coordinator.noted[0][4]
    with pytest.raises(TinderboxError, match=r"is not what was saved$"):
        door.download(3, 2, "b", resume(path, **changes), tmp_path / "fetched")


def test_a_state_that_is_gone_is_asked_of_the_driver(
    door: DirectClient, coordinator: Coordinator, states: str, tmp_path: Path
) -> None:
    """Which has it noted, so that the trial begins anew; what only cannot be read is told with its place."""
    coordinator.content = STATE
    door.download(3, 2, "b", resume(f"{states}/{PLACE}/nothing"), tmp_path / "fetched")
    assert coordinator.fetched == [(3, 2, "b")]
    assert (tmp_path / "fetched").read_bytes() == STATE
    (tmp_path / "folder").mkdir()
    with pytest.raises(TinderboxError, match="/folder cannot be read: "):
        door.download(3, 2, "b", resume(f"{tmp_path}/folder"), tmp_path / "fetched")
    assert coordinator.fetched == [(3, 2, "b")]


def test_storage_that_takes_nothing_is_told(coordinator: Any, write: Callable[[bytes], Path], tmp_path: Path) -> None:
    """And the coordinator is not."""
    (tmp_path / "file").write_bytes(b"")
    door = open_door(str(tmp_path / "file"))
    with pytest.raises(TinderboxError, match="does not take a checkpoint: "):
        door.upload(3, 1, 6, "a", write(STATE))
    assert coordinator.noted == []


def test_an_earlier_state_comes_through_the_driver(
    door: DirectClient, coordinator: Coordinator, tmp_path: Path
) -> None:
    """The study may have begun before its states went their own way."""
    door.download(3, 2, "b", resume("checkpoints/trial-00003/attempt-1-epoch-6"), tmp_path / "fetched")
    assert coordinator.fetched == [(3, 2, "b")]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/shared/other/1/checkpoints/x",
        "checkpoints/x",
        "/shared/small/1",
        "/shared/small/1/checkpointsx",
    ],
)
def test_only_states_of_the_study_are_taken(path: str, tmp_path: Path) -> None:
    """What a slot names is removed some day."""
    folder = StudyFolder(str(tmp_path), "small")
    assert not folder.takes_state(path)
    folder.states = "/shared/small/1"
    assert not folder.takes_state(path)
