"""Files by a path or URL: read where they are, or brought to this machine and taken away again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.storage.fetching import fetched, has_held, listed, opened, spoken


@pytest.fixture(params=["local", "memory"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A folder or URL with a file, and a folder of two files."""
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
    root = str(tmp_path) if request.param == "local" else "memory://base"
    for name in ("a [1] é%41.txt", "model/saved_model.pb", "model/variables/data"):
        with fsspec.open(f"{root}/{name}", "wb", auto_mkdir=True) as file:
            file.write(name.encode())
    yield root
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/a b%20c.tar", "/data/a b%20c.tar"),
        ("file:/data/a.tar", "/data/a.tar"),
        ("file:///data/a%20b.tar", "/data/a b.tar"),
        ("s3a://bucket/a%20b.tar", "s3://bucket/a%20b.tar"),
        ("s3n://bucket/a.tar", "s3://bucket/a.tar"),
        ("s3://bucket/a.tar", "s3://bucket/a.tar"),
        ("abfss://box@account/a.tar", "abfs://box@account/a.tar"),
        ("hdfs://node:8020/a.tar", "hdfs://node:8020/a.tar"),
        ("/data/12:30.tar", "/data/12:30.tar"),
        ("relative/a.tar", "relative/a.tar"),
    ],
)
def test_what_spark_calls_a_file(path: str, expected: str) -> None:
    """Spark and fsspec have other names for some kinds of storage."""
    assert spoken(path) == expected


def test_a_file_is_opened_where_it_is(base: str) -> None:
    """Whatever its name holds that might be a pattern or a code."""
    with opened(f"{base}/a [1] é%41.txt") as file:
        assert file.read(3) + file.read() == "a [1] é%41.txt".encode()


def test_a_file_that_is_gone_is_not_opened(base: str) -> None:
    """It is an OSError, as of any file."""
    with pytest.raises(FileNotFoundError), opened(f"{base}/gone"):
        pass


def test_a_file_is_brought_here(base: str) -> None:
    """It has its own name; a copy is taken away afterwards, and an original is not."""
    with fetched(f"{base}/a [1] é%41.txt") as path:
        assert (path.name, path.read_text()) == ("a [1] é%41.txt",) * 2
    assert path.exists() == (not base.startswith("memory"))


def test_a_folder_is_brought_here_whole(base: str) -> None:
    """With what is below it, also where its name ends in a slash."""
    for name in ("model", "model/"):
        with fetched(f"{base}/{name}") as path:
            found = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
            assert found == {"saved_model.pb", "variables/data"}
        assert path.exists() == (not base.startswith("memory"))


def test_what_a_file_held(base: str) -> None:
    """One that is empty, gone, younger or of a kind that is not known here held nothing for sure."""
    with fsspec.open(f"{base}/empty", "wb"):
        pass
    later = time.time() + 60
    assert has_held(f"{base}/model/saved_model.pb", later)
    assert not has_held(f"{base}/model/saved_model.pb", later - 3_600)
    for name in ("empty", "gone"):
        assert not has_held(f"{base}/{name}", later)
    assert not has_held("nonsense://x", later)


def test_files_are_listed(base: str) -> None:
    """Of a folder, a glob or a path, with their bytes and a mark, whatever a name holds that might be a pattern."""
    root = base.replace("memory://", "memory:///")
    model = [(f"{root}/model/saved_model.pb", 20), (f"{root}/model/variables/data", 20)]
    note = (f"{root}/a [1] é%41.txt", len("a [1] é%41.txt".encode()))
    for path, expected in (
        (base, [note, *model]),
        (f"{base}/model/", model),
        (f"{base}/m*", model),
        (f"{base}/model/*/data", model[1:]),
        (f"{base}/a [1] é%41.txt", [note]),
    ):
        found = listed(path)
        assert [(name, size) for name, size, _ in found] == expected
        assert all(mark for _, _, mark in found)
        for name, size, _ in found:
            with opened(name) as file:
                assert len(file.read()) == size


def test_what_is_no_data_is_not_listed(base: str) -> None:
    """What writers leave beside it, but not what was asked for by its name."""
    for name in ("_SUCCESS", ".part.crc", "_temporary/0/part", "model/_metadata"):
        with fsspec.open(f"{base}/{name}", "wb", auto_mkdir=True) as file:
            file.write(b"x")
    assert len(listed(base)) == 3
    assert len(listed(f"{base}/_temporary")) == 1


@pytest.mark.parametrize("name", ["gone", "gone*", "gone/"])
def test_nothing_to_list_is_one_sentence(base: str, name: str) -> None:
    """It names the path as it was given."""
    with pytest.raises(BadInput) as refusal:
        listed(f"{base}/{name}")
    assert str(refusal.value) == f"{base}/{name} is not there; give a path or URL that is"


def test_another_content_has_another_mark(base: str) -> None:
    """Of as many bytes, too."""
    (before,) = listed(f"{base}/model/saved_model.pb")
    time.sleep(0.01)
    with fsspec.open(before[0], "wb") as file:
        file.write(b"model/saved_model.pX")
    (after,) = listed(f"{base}/model/saved_model.pb")
    assert before[:2] == after[:2]
    assert before[2] != after[2]


def test_what_is_not_there_is_one_sentence(base: str) -> None:
    """It names the path as it was given."""
    with pytest.raises(BadInput) as refusal, fetched(f"{base}/gone.keras"):
        pass
    assert str(refusal.value) == f"{base}/gone.keras is not there; give a path or URL that is"


def test_a_url_of_an_unknown_kind_is_one_sentence() -> None:
    """So is one that needs a package."""
    with pytest.raises(BadInput, match=r"^nonsense://x cannot be opened: .*; give a path or another URL$"):
        fetched("nonsense://x").__enter__()


@pytest.mark.parametrize("call", ["info", "get_file"])
@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (TimeoutError("timed out"), TinderboxError, "cannot be read: timed out; start again once it can"),
        (PermissionError("no key"), BadInput, "must not be read: no key; give a path or another URL"),
        (FileNotFoundError("x"), BadInput, "is not there; give a path or URL that is"),
    ],
)
def test_storage_that_fails_is_one_sentence(
    call: str, error: OSError, kind: type[TinderboxError], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that breaks says nothing of the file: only what is asked for in vain is bad input."""
    files = fsspec.filesystem("memory")
    files.pipe_file("/broken.keras", b"x")

    def fail(*args: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(type(files), call, fail)
    with pytest.raises(TinderboxError) as failed:
        fetched("memory://broken.keras").__enter__()
    assert (type(failed.value), str(failed.value)) == (kind, f"memory://broken.keras {sentence}")
    monkeypatch.undo()
    files.rm_file("/broken.keras")
