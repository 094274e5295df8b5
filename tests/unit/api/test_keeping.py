"""What is kept of a micro-batch, and of the files that Spark has passed over."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinderbox.api.keeping import Keeper
from tinderbox.api.watcher import Quiet
from tinderbox.errors import TinderboxError
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import schema
from tinderbox.inference.summary import from_json, merge
from tinderbox.storage.rows import RowsFolder

Rows = Callable[..., pa.Table]


def test_rows_are_kept_without_their_thumbnails(rows_folder: RowsFolder, make_rows: Rows) -> None:
    """Those are in the summary; an empty micro-batch leaves nothing, and one that is done again takes its own place."""
    keeper = Keeper(rows_folder, Quiet())
    for _ in range(2):
        keeper.keep(0, make_rows(["a", "b"]), 2.0)
    keeper.keep(1, make_rows([]), 0.1)
    assert rows_folder.names("rows") == ["rows/version=0123456789ab/batch-000000.parquet"]
    kept = pq.read_table(rows_folder.path(rows_folder.names("rows")[0]))
    assert (kept["path"].to_pylist(), "thumbnail" in kept.column_names) == (["a", "b"], False)
    summary = merge(map(from_json, rows_folder.summaries()))
    assert (summary.rows, summary.labels.kept, keeper.batches) == (2, {"cat": 2}, 3)


def test_files_that_spark_passes_over(
    rows_folder: RowsFolder, make_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are rows with an error, in one file, of the driver's node; only the new ones count for this run."""
    monkeypatch.setenv("TINDERBOX_NODE", "n")  # that of the other rows
    keeper = Keeper(rows_folder, Quiet())
    listed = {"a", "b", "empty-1"}
    monkeypatch.setattr(rows_folder, "_listed", lambda: listed)
    keeper.keep(0, make_rows(["a", "b"]), 1.0)
    keeper.keep_unread(Recipe("m"), schema(regression=False))
    assert keeper.summary.rows == 3
    keeper.keep_unread(Recipe("m"), schema(regression=False))
    assert keeper.summary.rows == 3
    listed.add("empty-2")
    later = Keeper(rows_folder, Quiet())
    later.keep_unread(Recipe("m"), schema(regression=False))
    assert (later.summary.rows, later.summary.errors.reasons.kept) == (1, {"empty": 1})
    whole = merge(map(from_json, rows_folder.summaries()))
    assert (whole.rows, {name: node.rows for name, node in whole.nodes.by_name.items()}) == (4, {"n": 4})


def test_files_that_executors_do_not_see(
    rows_folder: RowsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not told as empty: the run fails with a sentence, and the next one labels them."""
    image, empty, young = (tmp_path / name for name in ("image.png", "empty.png", "young.png"))
    for path, content in ((image, b"png"), (empty, b""), (young, b"png")):
        path.write_bytes(content)
    os.utime(image, (1, 1))
    os.utime(young, (time.time() + 60,) * 2)  # it was empty when Spark listed it
    monkeypatch.setattr(rows_folder, "_listed", lambda: {str(empty), str(young)})
    keeper = Keeper(rows_folder, Quiet())
    keeper.keep_unread(Recipe("m"), schema(regression=False))
    assert keeper.summary.rows == 2
    monkeypatch.setattr(rows_folder, "_listed", lambda: {str(empty), str(image)})
    with pytest.raises(TinderboxError, match=r"executors cannot read .*image\.png, which the driver can; give their"):
        keeper.keep_unread(Recipe("m"), schema(regression=False))
    rows_folder.begin(anew=False)
    assert not rows_folder.has_rows()
