"""Every path of a study, on each kind of storage."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.run import Run
from tinderbox.storage import StudyFolder, check_storage, find_studies, log_name
from tinderbox.storage.folder import BLOCK

RUN = Run("small", "c" * 64, "d" * 64, "", "3.11.7", {"numpy": "2.0"})


@pytest.fixture
def folder(storage: str) -> StudyFolder:
    """Return the folder of a study that was begun."""
    made = StudyFolder(storage, "small")
    made.write_job({"kind": "sweep", "name": "small", "parameters": {"b": 1, "a": 1e-05}}, RUN)
    return made


async def blocks(*content: bytes) -> AsyncIterator[bytes]:
    """Send blocks."""
    for block in content:
        yield block


def keep(folder: StudyFolder, content: list[bytes], sha256: str) -> tuple[str, int]:
    """Keep a checkpoint."""
    return asyncio.run(folder.keep_checkpoint(7, 1, 6, blocks(*content), sha256))


def test_a_job_and_its_identity_come_back(folder: StudyFolder) -> None:
    """As they were, keys in order."""
    job = folder.read_job()
    assert job == {"kind": "sweep", "name": "small", "parameters": {"b": 1, "a": 1e-05}}
    assert list(job["parameters"]) == ["b", "a"]
    assert folder.read_run() == RUN
    assert folder.exists()


def test_an_identity_of_an_earlier_release_comes_back(folder: StudyFolder) -> None:
    """It knows nothing of a model."""
    told = json.loads(folder.read("run.json"))
    del told["model"]
    folder.write("run.json", json.dumps(told).encode())
    assert folder.read_run() == RUN


def test_studies_are_found_by_name(storage: str, folder: StudyFolder) -> None:
    """Only folders with a job are studies."""
    StudyFolder(storage, "other").write_job({}, RUN)
    StudyFolder(storage, "no-job").write("report.html", b"x")
    assert find_studies(storage) == ["other", "small"]
    assert find_studies(f"{storage}/") == ["other", "small"]


def test_no_studies(storage: str) -> None:
    """A storage that is not there yet holds none."""
    assert find_studies(storage) == []
    assert not StudyFolder(storage, "small").exists()


def test_a_record_says_how_much_it_holds(folder: StudyFolder) -> None:
    """Files and bytes, which grow with every event, and nothing of other files."""
    assert folder.extent() == (0, 0)
    log = folder.log()
    log.append(b"one\n")
    before = folder.extent()
    log.append(b"two\n")
    log.close()
    assert before[1] == 4
    assert folder.extent()[1] == 8
    assert folder.extent() > before


def test_a_storage_that_can_be_read_is_not_refused(storage: str, folder: StudyFolder) -> None:
    """Nor one that is not there yet."""
    check_storage(storage)
    check_storage(f"{storage}/missing")


def test_a_file_is_no_storage(storage: str, folder: StudyFolder) -> None:
    """The sentence says what is wanted."""
    with pytest.raises(BadInput, match=r"small/job.yaml' must be a folder or URL, got a file; give the folder that"):
        check_storage(f"{storage}/small/job.yaml")


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (PermissionError("denied"), BadInput, "must not be read: denied; give a folder or another URL"),
        (OSError("timed out"), TinderboxError, "cannot be read: timed out; start again once it can"),
    ],
)
def test_a_storage_that_does_not_answer(
    storage: str, monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type[Exception], sentence: str
) -> None:
    """Whether it will later, or will not, is told apart."""

    def ls(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(type(StudyFolder(storage, "small")._files), "ls", ls)
    with pytest.raises(kind, match=sentence):
        check_storage(storage)


def test_a_study_that_does_not_exist(storage: str, folder: StudyFolder) -> None:
    """The sentence says which there are."""
    with pytest.raises(BadInput) as refusal:
        StudyFolder(storage, "smal").read_job()
    where = folder.root.rpartition("/")[0]
    assert str(refusal.value) == f"there is no study 'smal' in {where}; it holds small"


def test_in_an_empty_storage_there_is_none(storage: str) -> None:
    """And the sentence says so."""
    with pytest.raises(BadInput, match=r"it holds none$"):
        StudyFolder(storage, "small").read_job()


def test_a_study_is_set_aside(storage: str, folder: StudyFolder) -> None:
    """Under the first free name, with all that is in it."""
    folder.write("best/model.keras", b"first")
    assert folder.set_aside() == "small-1"
    assert not folder.exists()
    folder.write_job({}, RUN)
    assert folder.set_aside() == "small-2"
    assert StudyFolder(storage, "small-1").read("best/model.keras") == b"first"
    assert find_studies(storage) == ["small-1", "small-2"]


@pytest.mark.parametrize("looks", [True, False])
def test_a_hiccup_of_storage_does_not_end_a_study(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """A driver that continues a study may be started again, also where storage does not answer at all."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(folder, "write", fail)
    if not looks:
        monkeypatch.setattr(folder._files, "info", fail)
    with pytest.raises(TinderboxError, match="Input/output error; start the study again once it can") as stop:
        folder.write_job({}, RUN)
    assert stop.value.exit_code == 1


def test_storage_that_a_new_study_cannot_be_written_to(storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused: nothing was started."""

    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    made = StudyFolder(storage, "small")
    monkeypatch.setattr(made, "write", fail)
    with pytest.raises(BadInput, match="cannot be written: Permission denied; give another"):
        made.write_job({}, RUN)


def test_files_are_replaced_whole(folder: StudyFolder) -> None:
    """What fails on the way leaves the old content."""
    folder.write("best/model.keras", b"old")

    def fail() -> None:
        with folder.replacing("best/model.keras") as file:
            file.write(b"ne")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail()
    assert folder.read("best/model.keras") == b"old"
    folder.write("best/model.keras", b"new")
    assert folder.read("best/model.keras") == b"new"
    assert folder.has("best/model.keras")
    assert not folder.has("best/other")


def test_a_file_is_fetched(folder: StudyFolder, tmp_path: Path) -> None:
    """To a path of this machine, which is its own one where storage is here."""
    folder.write("checkpoints/trial-00001/attempt-1-epoch-2", b"state")
    path = folder.fetch("checkpoints/trial-00001/attempt-1-epoch-2", tmp_path)
    assert path.read_bytes() == b"state"
    assert path.is_relative_to(tmp_path)


def test_a_checkpoint_is_kept_whole(folder: StudyFolder) -> None:
    """Block after block, with its size, under a name of its own."""
    content = [b"a" * 100_000, b"", b"b" * 5]
    name, size = keep(folder, content, hashlib.sha256(b"".join(content)).hexdigest())
    assert (name, size) == ("checkpoints/trial-00007/attempt-1-epoch-6", 100_005)
    assert folder.read(name) == b"".join(content)


def test_a_damaged_checkpoint_is_not_kept(folder: StudyFolder) -> None:
    """The sentence has both digests, and no piece is left."""
    arrived, sent = hashlib.sha256(b"other").hexdigest(), hashlib.sha256(b"state").hexdigest()
    with pytest.raises(BadInput) as refusal:
        keep(folder, [b"oth", b"er"], sent)
    assert str(refusal.value) == f"a checkpoint of trial 7 arrived with digest {arrived}, not {sent}"
    assert not folder.has("checkpoints/trial-00007/attempt-1-epoch-6")


def test_an_upload_that_breaks_off_is_not_kept(folder: StudyFolder) -> None:
    """Whatever was there before stays, and no temporary file is left beside it."""
    name, _ = keep(folder, [b"old"], hashlib.sha256(b"old").hexdigest())

    async def broken() -> AsyncIterator[bytes]:
        yield b"ne"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(folder.keep_checkpoint(7, 1, 6, broken(), "00"))
    assert folder.read(name) == b"old"
    if folder.is_local:
        assert [path.name for path in Path(folder.path(name)).parent.iterdir()] == ["attempt-1-epoch-6"]


def test_an_upload_that_is_cancelled_is_not_kept(folder: StudyFolder) -> None:
    """As when the slot hangs up."""

    async def stuck() -> AsyncIterator[bytes]:
        yield b"ne"
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(folder.keep_checkpoint(7, 1, 6, stuck(), "00"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert not folder.has("checkpoints/trial-00007/attempt-1-epoch-6")


async def gather(blocks_: AsyncIterator[bytes]) -> list[bytes]:
    """Return all blocks."""
    return [block async for block in blocks_]


@pytest.mark.parametrize("size", [0, 5, BLOCK, BLOCK + 1])
def test_a_checkpoint_is_sent_as_it_was_kept(folder: StudyFolder, size: int) -> None:
    """Block by block, none of them large, and none of them empty."""
    content = bytes(index % 251 for index in range(size))
    name, _ = keep(folder, [content], hashlib.sha256(content).hexdigest())
    sent = asyncio.run(gather(folder.send_checkpoint(name)))
    assert b"".join(sent) == content
    assert all(0 < len(block) <= BLOCK for block in sent)


def test_a_checkpoint_that_is_gone_is_not_sent(folder: StudyFolder) -> None:
    """There is nothing instead of it, not even an empty one."""
    with pytest.raises(FileNotFoundError):
        asyncio.run(gather(folder.send_checkpoint("checkpoints/trial-00007/attempt-1-epoch-6")))


def test_a_checkpoint_is_thrown_away(folder: StudyFolder) -> None:
    """That one alone, and one that is gone already is no error."""
    content = [b"state"]
    name, _ = keep(folder, content, hashlib.sha256(b"state").hexdigest())
    folder.write("checkpoints/trial-00007/attempt-1-epoch-9", b"newer")
    for _ in range(2):
        asyncio.run(folder.discard(name))
        assert [path for path in folder.names() if path.startswith("checkpoints/")] == [
            "checkpoints/trial-00007/attempt-1-epoch-9"
        ]


def test_logs_are_kept_by_attempt(folder: StudyFolder) -> None:
    """The newest text replaces the one before."""
    for text in ("first", "first and \N{GRINNING FACE}"):
        asyncio.run(folder.keep_log(7, 2, text))
    assert log_name(7, 2) == "logs/trial-00007/attempt-2.log"
    assert folder.read(log_name(7, 2)).decode() == "first and \N{GRINNING FACE}"


def test_a_log_whose_request_was_given_up(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread goes on by itself; the newer text waits for it, and other trials do not."""
    write, began, go_on = folder.write, threading.Event(), threading.Event()

    def write_slowly(name: str, content: bytes) -> None:
        if content == b"older":
            began.set()
            assert go_on.wait(10)
        write(name, content)

    async def main() -> None:
        older = asyncio.create_task(folder.keep_log(7, 2, "older"))
        assert await asyncio.to_thread(began.wait, 10)
        older.cancel()
        newer = asyncio.create_task(folder.keep_log(7, 2, "newer"))
        await asyncio.wait_for(folder.keep_log(8, 1, "other"), 10)
        assert not newer.done()
        go_on.set()
        await newer

    monkeypatch.setattr(folder, "write", write_slowly)
    asyncio.run(main())
    assert folder.read(log_name(7, 2)) == b"newer"


def test_a_log_that_was_overtaken(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the older text's thread comes last, what it brings is dropped."""
    threads: list[Callable[[], None]] = []

    async def hold(function: Callable[..., None], *arguments: object) -> None:
        threads.append(partial(function, *arguments))

    async def main() -> None:
        await folder.keep_log(7, 2, "older")
        await folder.keep_log(7, 2, "newer")

    monkeypatch.setattr(asyncio, "to_thread", hold)
    asyncio.run(main())
    for thread in reversed(threads):
        thread()
    assert folder.read(log_name(7, 2)) == b"newer"


def test_a_log_that_could_not_be_written(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slot is told, sends it again, and then it is there."""

    def refuse(name: str, content: bytes) -> None:
        raise OSError("full")

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write", refuse)
        with pytest.raises(OSError, match="full"):
            asyncio.run(folder.keep_log(7, 2, "text"))
    asyncio.run(folder.keep_log(7, 2, "text"))
    assert folder.read(log_name(7, 2)) == b"text"


def test_the_record_is_below_the_study(folder: StudyFolder) -> None:
    """Its segments lie in events/."""
    log = folder.log()
    log.append(b"a\n")
    log.close()
    segments = [name for name in folder.names() if name.startswith("events/")]
    assert b"".join(folder.read(name) for name in segments) == b"a\n"
    assert segments[0] == "events/000001-000000.jsonl"


def test_a_relative_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study does not move when the process changes its folder."""
    monkeypatch.chdir(tmp_path)
    folder = StudyFolder("studies", "small")
    assert folder.path("report.html") == f"{tmp_path}/studies/small/report.html"


def test_the_submission_that_a_study_is_of(folder: StudyFolder) -> None:
    """Is the last one that was noted; none is no submission."""
    assert not folder.is_of("a")
    folder.note("a")
    assert (folder.is_of("a"), folder.is_of("b"), folder.is_of("")) == (True, False, False)
    folder.note("b")
    assert (folder.is_of("a"), folder.is_of("b")) == (False, True)
    folder.note("")
    assert folder.is_of("b")


def test_a_note_makes_no_study(storage: str) -> None:
    """It may be there before the job is."""
    folder = StudyFolder(storage, "early")
    folder.note("a")
    assert folder.is_of("a")
    assert not folder.exists()


def test_names_are_those_of_all_files(storage: str, folder: StudyFolder) -> None:
    """In order, below the study, whatever else storage holds."""
    StudyFolder(storage, "small-1").note("x")
    folder.write("best/model.keras", b"m")
    assert folder.names() == ["best/model.keras", "job.yaml", "run.json"]


def test_a_study_that_is_not_there_has_no_names(storage: str) -> None:
    """And nothing to take home."""
    folder = StudyFolder(storage, "none")
    assert (folder.names(), folder.keepsakes()) == ([], [])


def test_what_is_worth_taking_home(folder: StudyFolder) -> None:
    """All but what only the trials need: record, report and winner, with the submission."""
    kept = ["best/model.keras", "events/000001-000000.jsonl", "plots/history.png", "report.html", "submission"]
    left = ["checkpoints/trial-00001/attempt-1-epoch-2", "logs/trial-00001/attempt-1.log"]
    for name in (*kept, *left):
        folder.write(name, b"x")
    assert folder.keepsakes() == sorted([*kept, "job.yaml", "run.json"])
