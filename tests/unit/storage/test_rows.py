"""What a batch inference keeps: each row once for every reader, whatever was killed when."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinderbox.errors import Superseded, TinderboxError
from tinderbox.storage.rows import RowsFolder

SUFFIXES = ["parquet", "csv", "jsonl"]
NASTY = [
    "plain",
    'with "quotes", and a comma',
    "two\nlines",
    "zwölf Boxkämpfer, 猫 🐈",
    "",
    " spaces ",
    "null",
    "\\n'\t",
]


def table(*paths: str) -> pa.Table:
    """Return rows of which only the paths matter."""
    return pa.table({"path": paths})


@pytest.fixture(params=SUFFIXES)
def folder(request: pytest.FixtureRequest, storage: str) -> RowsFolder:
    """The folder of a version, which has no rows yet."""
    return RowsFolder(storage, "photos", "0123456789ab", request.param)


def held(folder: RowsFolder) -> list[str]:
    """Return the names of all files of a run, but that which says who writes it."""
    return [name for name in folder.names() if not name.startswith("driver-")]


def paths(folder: RowsFolder) -> list[str]:
    """Return the paths in all rows of a version, as a reader of the folder finds them."""
    readers: dict[str, Callable[[Any], pd.DataFrame]] = {
        "parquet": pd.read_parquet,
        "csv": lambda file: pd.read_csv(file, keep_default_na=False, dtype=str),
        "jsonl": lambda file: pd.read_json(file, lines=True, dtype=False),
    }
    found: list[str] = []
    for name in folder.names(f"rows/version={folder.version}"):
        if name.endswith(folder.suffix):
            found += readers[folder.suffix](pa.BufferReader(folder.read(name)))["path"].tolist()
    return found


class Killed(Exception):
    """Stands for the end of a driver."""


class Dying(RowsFolder):
    """A folder whose driver is killed at its so-and-so-many-th change; no number lets it live."""

    left: ClassVar[int | None] = None

    def _change(self) -> None:
        if Dying.left == 0:
            raise Killed
        if Dying.left is not None:
            Dying.left -= 1

    def write(self, name: str, content: bytes) -> None:
        """Put a whole file in place, or die before."""
        self._change()
        super().write(name, content)

    def remove(self, name: str) -> None:
        """Remove a file, or die before."""
        self._change()
        super().remove(name)


def test_a_new_folder_has_nothing(folder: RowsFolder) -> None:
    """Neither rows nor a mark, and to begin leaves none behind."""
    folder.begin(anew=False)
    assert not folder.has_rows()
    assert not folder.is_whole()
    assert folder.batches() == set()
    assert list(folder.summaries()) == []
    assert held(folder) == []


def test_rows_of_each_micro_batch_are_one_file(folder: RowsFolder) -> None:
    """Readers find all rows below the version, and the report all summaries in order."""
    folder.begin(anew=False)
    for number in (0, 11, 2):
        folder.keep(number, table(f"{number}"), f"summary {number}")
    folder.finish(3)
    version = f"rows/version={folder.version}"
    assert held(folder) == sorted(
        [
            f"{version}/_SUCCESS",
            *[f"{version}/batch-{number:06d}.{folder.suffix}" for number in (0, 2, 11)],
            *[f"summaries/{folder.version}/batch-{number:06d}.json" for number in (0, 2, 11)],
        ]
    )
    assert paths(folder) == ["0", "2", "11"]
    assert folder.batches() == {0, 2, 11}
    assert list(folder.summaries()) == ["summary 0", "summary 2", "summary 11"]
    assert folder.is_whole()
    assert json.loads(folder.read(f"{version}/_SUCCESS")) == {"rows": 3}


def test_a_micro_batch_that_is_done_again_replaces_itself(folder: RowsFolder) -> None:
    """Each row is there once, also where other rows came of it the second time."""
    folder.keep(0, table("a", "b"), "first")
    folder.keep(0, table("b", "c"), "second")
    assert paths(folder) == ["b", "c"]
    assert list(folder.summaries()) == ["second"]


def test_more_rows_take_the_mark_away(folder: RowsFolder) -> None:
    """Whoever waits for the mark does not take a part for the whole."""
    folder.keep(0, table("a"), "first")
    folder.finish(1)
    folder.begin(anew=False)
    assert folder.is_whole()
    folder.keep(1, table("b"), "second")
    assert not folder.is_whole()


@pytest.mark.parametrize("steps", range(4))
def test_a_kill_while_rows_are_kept(steps: int, storage: str) -> None:
    """After each step the report knows all rows that are there, nothing calls itself whole, and a second try mends."""
    folder = Dying(storage, "photos", "0123456789ab", "parquet")
    Dying.left = None
    folder.keep(0, table("a"), "first")
    folder.finish(1)
    Dying.left = steps
    killed = False
    try:
        folder.keep(1, table("b"), "second")
    except Killed:
        killed = True
    assert killed == (steps < 3)
    assert len(list(folder.summaries())) >= len(paths(folder))
    assert folder.is_whole() == (steps == 0)
    assert paths(folder)[:1] == ["a"]
    Dying.left = None
    folder.keep(1, table("b"), "second")
    assert paths(folder) == ["a", "b"]
    assert list(folder.summaries()) == ["first", "second"]


def test_anew_forgets_one_version(folder: RowsFolder, storage: str) -> None:
    """Rows, summaries and progress are gone; those of another model, the job and the report stay."""
    other = RowsFolder(storage, "photos", "ffffffffffff", folder.suffix)
    for one in (folder, other):
        one.keep(0, table("a"), "first")
        one.write(f"progress/{one.version}/offsets/0", b"{}")
    folder.write("infer.yaml", b"kind: infer")
    folder.begin(anew=True)
    assert not folder.has_rows()
    assert list(folder.summaries()) == []
    assert held(folder) == [
        "infer.yaml",
        "progress/ffffffffffff/offsets/0",
        f"rows/version=ffffffffffff/batch-000000.{folder.suffix}",
        "summaries/ffffffffffff/batch-000000.json",
    ]
    assert paths(other) == ["a"]


@pytest.mark.parametrize("steps", range(7))
def test_a_kill_while_all_is_forgotten(steps: int, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next driver goes on forgetting, without being asked: rows or progress alone would lose or repeat rows."""
    folder = Dying(storage, "photos", "0123456789ab", "parquet")
    Dying.left = None
    folder.keep(0, table("a"), "first")
    folder.write("progress/0123456789ab/offsets/0", b"{}")
    before = held(folder)
    remove = folder._files.rm

    def dying(*args: Any, **named: Any) -> None:
        folder._change()
        remove(*args, **named)

    monkeypatch.setattr(folder._files, "rm", dying)
    Dying.left = steps
    killed = False
    try:
        folder.begin(anew=True)
    except Killed:
        killed = True
    assert killed == (steps < 6)
    Dying.left = None
    folder.begin(anew=False)
    assert held(folder) == (before if steps < 2 else [])


def test_rows_that_were_removed_by_hand_are_made_again(folder: RowsFolder) -> None:
    """Progress without rows would label nothing, and call it whole."""
    folder.keep(0, table("a"), "first")
    folder.write(f"progress/{folder.version}/offsets/0", b"{}")
    folder._files.rm(folder.rows, recursive=True)
    folder.begin(anew=False)
    assert held(folder) == []


@pytest.mark.parametrize("call", ["info", "ls"])
def test_storage_that_does_not_answer_loses_nothing(
    call: str, folder: RowsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That rows cannot be looked for is no sign that there are none."""
    folder.keep(0, table("a"), "first")
    folder.write(f"progress/{folder.version}/offsets/0", b"{}")
    before = held(folder)

    def fail(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    with monkeypatch.context() as broken:
        broken.setattr(folder._files, call, fail)
        with pytest.raises(TinderboxError, match=r"photos cannot be read: timed out; start the batch inference again"):
            folder.begin(anew=False)
    assert held(folder) == before


def test_a_run_that_was_given_up_is_made_again(folder: RowsFolder) -> None:
    """The next driver begins anew without being asked."""
    folder.keep(0, table("a"), "first")
    folder.write(f"progress/{folder.version}/offsets/0", b"{}")
    folder.give_up()
    folder.begin(anew=False)
    assert not folder.has_rows()
    assert not folder.has(f"progress/{folder.version}/offsets/0")


def test_of_two_drivers_the_later_one_writes(folder: RowsFolder, storage: str) -> None:
    """The earlier one stops before it has changed anything, wherever it is; one of another version is none of both."""
    later = RowsFolder(storage, "photos", folder.version, folder.suffix)
    other = RowsFolder(storage, "photos", "ffffffffffff", folder.suffix)
    for one in (folder, later, other):
        one.begin(anew=False)
    later.keep(0, table("a"), "later")
    for deed in (lambda: folder.keep(0, table("b"), "earlier"), lambda: folder.finish(1)):
        with pytest.raises(Superseded, match=r"another driver has taken over .*photos; this one stops"):
            deed()
    assert (paths(folder), list(folder.summaries()), folder.is_whole()) == (["a"], ["later"], False)
    later.finish(1)
    other.keep(0, table("a"), "other")
    assert later.is_whole()


def test_rows_that_are_there_are_left_alone(folder: RowsFolder) -> None:
    """To begin again, without force, goes on with the progress that there is."""
    folder.keep(0, table("a"), "first")
    folder.write(f"progress/{folder.version}/offsets/0", b"{}")
    before = held(folder)
    folder.begin(anew=False)
    assert held(folder) == before


def test_files_that_spark_has_listed_and_not_read(folder: RowsFolder) -> None:
    """Those of which no row is there are told, the ones that were told before are not new, whatever they are called."""
    listed = ["/d/a b.png", '/d/é, "x".png', "/d/two\nlines.png", "/d/50%41.png", "/d/e.png"]
    urls = [f"file://{quote(path)}" for path in listed]
    log = {"9.compact": urls[:2], "8": urls[:1], "10": urls[2:4], "11": urls[4:]}
    for name, paths in log.items():
        lines = ["v1", *(json.dumps({"path": path, "timestamp": 1, "batchId": 1}) for path in paths)]
        folder.write(f"progress/{folder.version}/sources/0/{name}", "\n".join(lines).encode())
    folder.keep(0, table(*listed[1:4]), "first")
    assert folder.unread() == ([listed[0], listed[4]], [listed[0], listed[4]])
    folder.keep(None, table(listed[0]), "unread")
    assert folder.unread() == ([listed[0], listed[4]], [listed[4]])
    assert folder.batches() == {0}


def note(folder: RowsFolder, batches: list[int], files: int, committed: int, compact: int | None = None) -> None:
    """Write what Spark's stream notes of so many files in each micro-batch, in its own format.

    Up to `compact` all is in one file, and no other ones are left; `committed` micro-batches have ended.
    """
    lines = {
        batch: [
            f'{{"path":"file:///d/{quote(f"a b {batch} {number}.png")}","timestamp":1796089652542,"batchId":{batch}}}'
            for number in range(files)
        ]
        for batch in batches
    }
    logs = {str(batch): found for batch, found in lines.items() if compact is None or batch > compact}
    if compact is not None:
        logs[f"{compact}.compact"] = [line for batch in batches if batch <= compact for line in lines[batch]]
    for name, found in logs.items():
        folder.write(f"progress/{folder.version}/sources/0/{name}", "\n".join(["v1", *found]).encode())
        folder.write(f"progress/{folder.version}/sources/0/.{name}.crc", b"crc")
    for batch in range(max(committed - 10, 0), committed):  # Spark keeps the last ones
        folder.write(f"progress/{folder.version}/commits/{batch}", b'v1\n{"nextBatchWatermarkMs":0}')
        folder.write(f"progress/{folder.version}/commits/.{batch}.crc", b"crc")


@pytest.mark.parametrize("compact", [None, 9])
def test_files_of_a_micro_batch(storage: str, compact: int | None) -> None:
    """Each tenth log of the stream has those of all micro-batches before it, and counts its own all the same."""
    folder = RowsFolder(storage, "photos", "v", "parquet")
    assert folder.listed(0) == 0
    note(folder, list(range(13)), 3, committed=12, compact=compact)
    assert [folder.listed(batch) for batch in (1, 9, 10, 11, 12, 13)] == [3 if compact is None else 0, 3, 3, 3, 3, 0]


@pytest.mark.parametrize(
    ("committed", "compact", "expected"),
    [(0, None, (0, 0)), (1, None, (1, 3)), (12, 9, (12, 36)), (12, None, (12, 36)), (13, 9, (13, 39))],
)
def test_where_a_stream_goes_on(storage: str, committed: int, compact: int | None, expected: tuple[int, int]) -> None:
    """A micro-batch that was under way at a kill is done again: its files are still to be labelled."""
    folder = RowsFolder(storage, "photos", "v", "parquet")
    assert folder.settled() == (0, 0)
    note(folder, list(range(13)), 3, committed, compact)
    assert folder.settled() == expected


def test_summaries_before_a_micro_batch(folder: RowsFolder) -> None:
    """Those of files that were listed and not read are of no micro-batch, and always among them."""
    for batch in (0, 1, 12, None):
        folder.keep(batch, table(f"{batch}"), f"summary {batch}")
    assert list(folder.summaries()) == ["summary 0", "summary 1", "summary 12", "summary None"]
    assert list(folder.summaries(before=12)) == ["summary 0", "summary 1", "summary None"]
    assert list(folder.summaries(before=0)) == ["summary None"]


def test_the_extent_of_a_run_changes_with_it(folder: RowsFolder, storage: str) -> None:
    """When there is more of it, when it is whole, and when a driver does as much once more."""
    seen = [folder.extent()]
    deeds: list[Callable[[], Any]] = [
        lambda: folder.begin(anew=False),
        lambda: folder.keep(0, table("a"), "first"),
        lambda: folder.finish(1),
        lambda: folder.begin(anew=True),
        lambda: folder.keep(0, table("a"), "second"),
        lambda: folder.finish(1),
    ]
    for deed in deeds:
        deed()
        assert folder.extent() not in seen
        assert RowsFolder(storage, "photos").extent() == folder.extent()
        seen.append(folder.extent())


def test_what_a_killed_driver_was_writing_is_no_row(tmp_path: Path) -> None:
    """A file that never took its place is hidden from every reader."""
    folder = RowsFolder(str(tmp_path), "photos", "0123456789ab", "parquet")
    folder.keep(0, table("a"), "first")
    folder.write(f"rows/version={folder.version}/.batch-000001.parquet.x1", b"half")
    assert folder.batches() == {0}
    assert pq.read_table(folder.rows)["path"].to_pylist() == ["a"]


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ("/data/some studies", "file:///data/some studies/photos/progress/v"),
        ("memory://x", "memory:///x/photos/progress/v"),
    ],
)
def test_progress_is_where_spark_finds_it(storage: str, expected: str) -> None:
    """Its URL says the kind of storage."""
    assert RowsFolder(storage, "photos", "v", "parquet").progress == expected


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_texts_come_back_as_they_are(suffix: str, storage: str) -> None:
    """Quotes, commas, line breaks and other alphabets survive in each format."""
    folder = RowsFolder(storage, "photos", "v", suffix)
    folder.keep(0, table(*NASTY), "")
    assert paths(folder) == NASTY
