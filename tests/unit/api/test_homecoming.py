"""What comes home from elsewhere, through a real server of files as a release's console has one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tinderbox.api.homecoming import bring_home, bring_rows_home, bring_training_home
from tinderbox.api.result import open_study
from tinderbox.errors import BadInput
from tinderbox.inference.summary import Summary, to_json
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder

Restart = Callable[[StudyFolder], None]


def content(folder: StudyFolder) -> dict[str, bytes]:
    """All that is in a study."""
    return {name: folder.read(name) for name in folder.names()}


def test_a_study_comes_home(console: str, recorded: StudyFolder, tmp_path: Path) -> None:
    """Byte for byte, its trials' logs too, but without checkpoints and what is just being written."""
    recorded.write("best/model.keras", bytes(range(256)) * 5000)
    Path(recorded.path("logs", "trial-00002", ".attempt-2.log.x7")).write_bytes(b"hal")
    home = bring_home("small", console, str(tmp_path / "home"))
    expected = {n: c for n, c in content(recorded).items() if "checkpoints" not in n and "/." not in n}
    assert content(home) == expected
    assert open_study("small", str(tmp_path / "home")).log(2, 1) == "first attempt\n"


def test_the_same_study_is_brought_again(console: str, recorded: StudyFolder, restart: Restart, tmp_path: Path) -> None:
    """What is new is added, though its driver was replaced, and what was deleted here comes again."""
    home = bring_home("small", console, str(tmp_path / "home"))
    Path(home.path("logs", "trial-00002", "attempt-1.log")).unlink()
    recorded.write("events/000001-000000.jsonl", recorded.read("events/000001-000000.jsonl") + b'{"kin')
    restart(recorded)
    recorded.write("report.html", b"new")
    bring_home("small", console, str(tmp_path / "home"))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["small"]
    assert home.read("report.html") == b"new"
    assert home.has("logs/trial-00002/attempt-1.log")
    assert home.has("events/000002-000000.jsonl")


def test_another_study_of_the_same_name_is_set_aside(
    console: str, recorded: StudyFolder, restart: Restart, tmp_path: Path
) -> None:
    """Though it is of the same job, data and code, as one that ran here, or that was begun anew there."""
    home = bring_home("small", console, str(tmp_path / "home"))
    restart(home)
    mine = content(home)
    bring_home("small", console, str(tmp_path / "home"))
    assert content(StudyFolder(str(tmp_path / "home"), "small-1")) == mine
    assert not home.has("events/000002-000000.jsonl")
    record = recorded.read("events/000001-000000.jsonl")
    recorded.write("events/000001-000000.jsonl", record.replace(b"100", b"200", 1))
    bring_home("small", console, str(tmp_path / "home"))
    assert StudyFolder(str(tmp_path / "home"), "small-2").read("events/000001-000000.jsonl") == record
    assert home.read("events/000001-000000.jsonl") != record


def test_a_study_without_a_record_is_another(console: str, tmp_path: Path) -> None:
    """What a folder of this name holds is not written over unless it is known to be a part of the study."""
    home = bring_home("small", console, str(tmp_path / "home"))
    shutil.rmtree(home.path("events"))
    bring_home("small", console, str(tmp_path / "home"))
    assert StudyFolder(str(tmp_path / "home"), "small-1").exists()


def test_a_study_that_is_not_there(console: str, tmp_path: Path) -> None:
    """The sentence says which are, and nothing is made at home."""
    with pytest.raises(BadInput, match=rf"^there is no study 'smal' in {console}; it holds small$"):
        bring_home("smal", console, str(tmp_path / "home"))
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written(console: str, tmp_path: Path) -> None:
    """Is one sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(BadInput) as refused:
        bring_home("small", console, str(tmp_path / "file"))
    assert str(refused.value) == f"{tmp_path}/file/small cannot be written: Not a directory; name another folder"


def test_a_copy_that_breaks_off_is_no_study(console: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until all its files are there it has no job.yaml."""
    write = StudyFolder.write

    def refuse(folder: StudyFolder, name: str, content: bytes) -> None:
        if name == "run.json":
            raise OSError("full")
        write(folder, name, content)

    monkeypatch.setattr(StudyFolder, "write", refuse)
    with pytest.raises(BadInput, match="full"):
        bring_home("small", console, str(tmp_path / "home"))
    home = StudyFolder(str(tmp_path / "home"), "small")
    assert home.has("events/000001-000000.jsonl")
    assert not home.exists()


def test_a_study_is_read_where_it_is(console: str) -> None:
    """Its record and a trial's log, through the console."""
    result = open_study("small", console)
    assert result.best_value == 0.25
    assert result.log(2, 1) == "first attempt\n"


def test_a_training_comes_home(trained: TrainFolder, tmp_path: Path) -> None:
    """With its model and its logs, but without checkpoints; what is there and is not the same is set aside."""
    storage, home = trained.root.rpartition("/")[0], str(tmp_path / "home")
    trained.write("checkpoints/step-000000009/part-0", b"x")
    trained.write("model.keras", b"model")
    Path(trained.path(".half")).write_bytes(b"hal")
    RowsFolder(home, "lenet").write("infer.yaml", b"kind: infer")
    brought = bring_training_home("lenet", storage, home)
    assert set(brought.names()) == {n for n in trained.names() if "checkpoints" not in n and n != ".half"}
    assert brought.read("model.keras") == b"model"
    assert RowsFolder(home, "lenet-1").exists()
    trained.write("report.html", b"new")
    assert bring_training_home("lenet", storage, home).read("report.html") == b"new"
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["lenet", "lenet-1"]
    brought.write("events/000001-000000.jsonl", b"mine\n")
    assert bring_training_home("lenet", storage, home).read("events/000001-000000.jsonl") != b"mine\n"
    assert TrainFolder(home, "lenet-2").read("events/000001-000000.jsonl") == b"mine\n"
    with pytest.raises(BadInput, match=r"^there is no training 'small' in "):
        bring_training_home("small", storage, home)


def test_rows_come_home(tmp_path: Path) -> None:
    """All but the stream's progress, and what is half written."""
    there = RowsFolder(str(tmp_path / "there"), "photos", "0123456789ab")
    for name in ("progress/0123456789ab/offsets/0", "rows/version=0123456789ab/.half", "report.html"):
        there.write(name, b"x")
    there.keep(0, pa.table({"path": ["a", "b"]}), to_json(Summary(rows=2, labelled=2)))
    there.write("infer.yaml", b"kind: infer")
    home = bring_rows_home("photos", str(tmp_path / "there"), str(tmp_path / "home"))
    assert home.names() == [
        "infer.yaml",
        "report.html",
        "rows/version=0123456789ab/batch-000000.parquet",
        "summaries/0123456789ab/batch-000000.json",
    ]
    with pytest.raises(BadInput, match="there is no batch inference 'others'"):
        bring_rows_home("others", str(tmp_path / "there"), str(tmp_path / "home"))


def test_rows_that_come_home_again_are_those_that_are_there(tmp_path: Path) -> None:
    """Micro-batches that are gone since all was labelled anew are no rows at home; what has run at home is kept."""
    storage, to = str(tmp_path / "there"), str(tmp_path / "home")
    there, home = RowsFolder(storage, "photos", "0123456789ab"), RowsFolder(to, "photos", "0123456789ab")
    there.begin(anew=False)
    there.write("infer.yaml", b"kind: infer")
    for number in range(2):
        there.keep(number, pa.table({"path": [str(number)]}), to_json(Summary(rows=1)))
    bring_rows_home("photos", storage, to)
    there.begin(anew=True)
    there.keep(0, pa.table({"path": ["0", "1"]}), to_json(Summary(rows=2)))
    there.write("anew-0123456789ab", b"")
    bring_rows_home("photos", storage, to)
    kept = [name for name in there.names() if not name.startswith(("driver-", "anew-"))]
    assert home.names() == kept
    home.write("progress/0123456789ab/offsets/0", b"x")
    bring_rows_home("photos", storage, to)
    assert home.names() == kept
    assert RowsFolder(to, "photos-1").has("progress/0123456789ab/offsets/0")


def test_a_run_of_the_other_kind_is_set_aside(recorded: StudyFolder, labelled: RowsFolder, tmp_path: Path) -> None:
    """A study and a batch inference of one name, as two clusters may have them, do not share a folder at home."""
    storage, to = str(tmp_path / "studies"), str(tmp_path / "home")
    StudyFolder(to, "photos").write("job.yaml", b"kind: sweep")
    bring_rows_home("photos", storage, to)
    assert StudyFolder(to, "photos-1").names() == ["job.yaml"]
    assert not StudyFolder(to, "photos").exists()
    RowsFolder(to, "small").write("infer.yaml", b"kind: infer")
    bring_home("small", storage, to)
    assert RowsFolder(to, "small-1").names() == ["infer.yaml"]
    assert not RowsFolder(to, "small").exists()
