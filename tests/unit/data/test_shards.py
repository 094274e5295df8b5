"""Tables in shards: every row is read by one worker, the same rows are held out, and what is wrong is told."""

from __future__ import annotations

import gzip
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinderbox.config import Sharded
from tinderbox.data import Dataset, Doors, Shards, plan_shards
from tinderbox.data.shards import RowFile, held_rows, span
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.storage.fetching import listed, opened

DOORS = Doors(listed, opened)


def table(begin: int, end: int) -> pa.Table:
    """Rows whose first feature is their number, whose others follow from it, and whose class is its last digit."""
    numbers = np.arange(begin, end)
    pairs = pa.FixedSizeListArray.from_arrays(pa.array((numbers[:, None] + [0.25, 0.5]).ravel(), pa.float32()), 2)
    return pa.table({"row": numbers, "pair": pairs, "digit": [str(number % 10) for number in numbers]})


def write(folder: Path, *ends: int, group: int = 7) -> None:
    """Write Parquet files of rows up to each end, in small row groups."""
    begin = 0
    for number, end in enumerate(ends):
        pq.write_table(table(begin, end), folder / f"part-{number}.parquet", row_group_size=group)
        begin = end


def plan(folder: Path, **keys: Any) -> Shards:
    """The tables of a folder, planned."""
    config = Sharded.model_validate({"source": "shards", "path": str(folder), "target": "digit"} | keys)
    return plan_shards(config, folder, DOORS)


def read_all(shards: Shards, workers: int, folder: Path) -> list[Dataset]:
    """What each of the workers reads."""
    return [shards.read(rank, workers, folder) for rank in range(workers)]


def rows_of(dataset: Dataset, part: str) -> list[int]:
    """The numbers of the rows that a worker has."""
    return [int(row) for row in getattr(dataset, part).x[:, 0]]


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 29])
def test_every_row_is_one_workers(tmp_path: Path, workers: int) -> None:
    """Files are uneven, workers are more than row groups, and no worker has more than one example more than another."""
    write(tmp_path, 3, 40, 41, 100, group=50)
    shards = plan(tmp_path)
    sets = read_all(shards, workers, tmp_path / "scratch")
    train, validation = ([row for each in sets for row in rows_of(each, part)] for part in ("train", "validation"))
    assert sorted(train + validation) == list(range(100))
    assert (len(train), len(validation)) == shards.counts
    assert train == sorted(train)
    assert validation == sorted(validation)
    for rank, each in enumerate(sets):
        assert (len(each.train), len(each.validation)) == shards.counts_of(rank, workers)
    for part in ("train", "validation"):
        lengths = [len(getattr(each, part)) for each in sets]
        assert max(lengths) - min(lengths) <= 1


def test_features_and_targets_are_those_of_the_row(tmp_path: Path) -> None:
    """Lists of numbers stand beside numbers, in 32 bits; labels are places in the sorted names."""
    write(tmp_path, 30, 60)
    shards = plan(tmp_path)
    assert (shards.shape, shards.classes) == ((3,), tuple("0123456789"))
    examples = shards.read(0, 2, tmp_path / "scratch").train
    assert examples.x.dtype == np.float32
    np.testing.assert_array_equal(examples.x, examples.x[:, :1] + [0, 0.25, 0.5])
    assert examples.y.tolist() == [row % 10 for row in examples.x[:, 0]]


def test_the_same_rows_are_held_out_by_any_workers(tmp_path: Path) -> None:
    """The split follows from a file's name and a row's number; a copy elsewhere with one more file has it, too."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, ends in ((first, (50, 120)), (second, (50, 120, 150))):
        folder.mkdir()
        write(folder, *ends)
    held = [
        {
            row
            for each in read_all(plan(folder, validation=0.3), workers, tmp_path / "s")
            for row in rows_of(each, "validation")
        }
        for folder, workers in ((first, 1), (first, 4), (second, 3))
    ]
    assert held[0] == held[1] == {row for row in held[2] if row < 120}
    assert 20 < len(held[0]) < 52


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_as_many_rows_are_held_out_as_was_asked_for(share: float) -> None:
    """A hash that was not even would hold out another share."""
    held = held_rows(RowFile("/a/b.csv", "b.csv", 100_000), share)
    assert held.mean() == pytest.approx(share, abs=0.005)
    assert (held != held_rows(RowFile("/a/c.csv", "c.csv", 100_000), share)).mean() > 0.05


def test_validation_may_have_files_of_its_own(tmp_path: Path) -> None:
    """Then no other row is held out, and each worker has its part of them."""
    for name, ends in (("train", (40,)), ("test", (5, 11))):
        (tmp_path / name).mkdir()
        write(tmp_path / name, *ends)
    shards = plan(tmp_path, path="train", validation_path="test")
    assert shards.counts == (40, 11)
    sets = read_all(shards, 3, tmp_path / "scratch")
    assert [row for each in sets for row in rows_of(each, "validation")] == list(range(11))
    assert [len(each.train) for each in sets] == [13, 13, 14]


def test_images_are_bytes_of_a_shape(tmp_path: Path) -> None:
    """Lists of bytes stay bytes, and take the shape that is given."""
    pixels = np.arange(20 * 12, dtype=np.uint8).reshape(20, 12)
    images = pa.array(pixels.tolist(), pa.list_(pa.uint8()))
    pq.write_table(pa.table({"image": images, "digit": [row % 3 for row in range(20)]}), tmp_path / "a.parquet")
    shards = plan(tmp_path, shape=[2, 6, 1])
    sets = read_all(shards, 1, tmp_path / "scratch")
    assert sets[0].train.x.dtype == np.uint8
    assert sets[0].train.x.shape == (shards.counts[0], 2, 6, 1)
    found = np.concatenate([sets[0].train.x, sets[0].validation.x]).reshape(20, 12)
    np.testing.assert_array_equal(np.sort(found[:, 0]), np.sort(pixels[:, 0]))
    assert shards.classes == ("0", "1", "2")


def test_what_is_read_stays(tmp_path: Path) -> None:
    """A second attempt on the same machine opens what the first one has read; rows are memory maps, not in memory."""
    write(tmp_path, 60)
    shards = plan(tmp_path)
    before = shards.read(1, 2, tmp_path / "scratch")
    (tmp_path / "part-0.parquet").unlink()
    after = shards.read(1, 2, tmp_path / "scratch")
    assert isinstance(after.train.x, np.memmap)
    np.testing.assert_array_equal(before.train.x, after.train.x)


def test_what_was_read_for_other_workers_goes(tmp_path: Path) -> None:
    """An attempt with fewer workers does not leave the rows of the one before on the disk, too; open maps live on."""
    write(tmp_path, 60)
    shards, scratch = plan(tmp_path), tmp_path / "scratch"
    before = read_all(shards, 3, scratch)
    for rank in (0, 1):
        after = shards.read(rank, 2, scratch)
        assert len(after.train) == shards.counts_of(rank, 2)[0]
    left = sorted(path.name for path in scratch.glob("shard-*"))
    assert len(left) == 2
    assert all(name.endswith("of-2") for name in left), "the other worker's is still there"
    assert sum(len(rows_of(each, "train")) for each in before) == shards.counts[0]


def test_a_read_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The next attempt begins anew, and so may find the file that is there again."""
    write(tmp_path, 30, 60)
    shards = plan(tmp_path)
    away = (tmp_path / "part-1.parquet").rename(tmp_path / "away")
    with pytest.raises(BadInput, match=r"part-1\.parquet is not there"):
        shards.read(1, 2, tmp_path / "scratch")
    assert not [path for path in (tmp_path / "scratch").iterdir() if path.name.startswith("shard-")]
    away.rename(tmp_path / "part-1.parquet")
    assert len(shards.read(1, 2, tmp_path / "scratch").train) == shards.counts_of(1, 2)[0]


def test_a_worker_reads_no_file_of_others(tmp_path: Path) -> None:
    """The last of three workers opens the last of three files, and so no machine has to read all."""
    write(tmp_path, 30, 60, 90)
    shards = plan(tmp_path)
    asked = []

    def spying(path: str) -> Any:
        asked.append(Path(path).name)
        return opened(path)

    replace(shards, opened=spying).read(2, 3, tmp_path / "scratch")
    assert "part-0.parquet" not in asked
    assert "part-2.parquet" in asked


def test_it_travels(tmp_path: Path) -> None:
    """To a worker it is pickled, as Spark does; of the rows nothing goes along."""
    write(tmp_path, 2000)
    shards = plan(tmp_path)
    sent = pickle.dumps(shards)
    assert len(sent) < 2000
    assert pickle.loads(sent) == shards  # noqa: S301 - of our own making


def test_there_must_be_an_example_for_each_worker(tmp_path: Path) -> None:
    """More workers than examples are refused; a worker without an example for validation is not."""
    write(tmp_path, 20)
    shards = plan(tmp_path, validation=0.2)
    train, validation = shards.counts
    assert 1 < validation < train
    assert {len(each.validation) for each in read_all(shards, train, tmp_path / "scratch")} == {0, 1}
    with pytest.raises(
        BadInput, match=f"^data: {train} examples do not give each of {train + 1} workers one; use fewer$"
    ):
        shards.read(0, train + 1, tmp_path / "scratch")


@pytest.mark.parametrize(("kind", "rows"), [("parquet", 59), ("parquet", 61), ("csv", 59)])
def test_a_file_that_changed_is_refused(tmp_path: Path, kind: str, rows: int) -> None:
    """Rows that came or went since the training began would be read twice, or never."""
    write_csv(tmp_path / "a.csv", 60) if kind == "csv" else write(tmp_path, 60)
    shards = plan(tmp_path, features=["row"])
    write_csv(tmp_path / "a.csv", rows) if kind == "csv" else write(tmp_path, rows)
    with pytest.raises(BadInput, match="must have 60 rows, as when the training began"):
        shards.read(0, 1, tmp_path / "scratch")


@pytest.mark.parametrize("error", [TimeoutError("timed out"), OSError(5, "timed out")])
def test_a_way_that_is_broken_is_not_a_broken_file(tmp_path: Path, error: OSError) -> None:
    """Storage that does not answer is worth another attempt, and so no bad input."""
    write(tmp_path, 60)

    def failing(path: str) -> Any:
        raise error

    with pytest.raises(TinderboxError, match="timed out; start again once it can") as refusal:
        replace(plan(tmp_path), opened=failing).read(0, 1, tmp_path / "scratch")
    assert not isinstance(refusal.value, BadInput)


def write_csv(path: Path, rows: int) -> None:
    """Write the numbers of rows, and their last digits."""
    text = "row,digit\n" + "".join(f"{row},{row % 10}\n" for row in range(rows))
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_csv_files_are_shards(tmp_path: Path, name: str) -> None:
    """With an empty one and one of no rows among them, gzipped or not, larger than one block."""
    write_csv(tmp_path / name, 300_000)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("row,digit\n")
    shards = plan(tmp_path)
    sets = read_all(shards, 2, tmp_path / "scratch")
    rows = [row for each in sets for part in ("train", "validation") for row in rows_of(each, part)]
    assert sorted(rows) == list(range(300_000))
    assert sets[1].train.y.tolist() == [row % 10 for row in rows_of(sets[1], "train")]


def test_a_remote_table_is_read(tmp_path: Path) -> None:
    """By any URL that fsspec knows; in memory here."""
    import fsspec

    files = fsspec.filesystem("memory")
    files.store.clear()
    write(tmp_path, 40, 80)
    for path in tmp_path.glob("*.parquet"):
        files.pipe(f"/tables/{path.name}", path.read_bytes())
    files.pipe("/tables/_SUCCESS", b"")
    there, here = plan(tmp_path, path="memory://tables"), plan(tmp_path)
    assert there.counts == here.counts
    assert rows_of(there.read(1, 2, tmp_path / "scratch"), "validation") == rows_of(
        here.read(1, 2, tmp_path / "own"), "validation"
    )
    assert there.digest == here.digest
    files.store.clear()


def test_no_part_is_larger_than_another_by_two() -> None:
    """All of it, in order."""
    parts = [span(rank, 7, 45) for rank in range(7)]
    assert [number for part in parts for number in part] == list(range(45))
    assert {len(part) for part in parts} == {6, 7}
