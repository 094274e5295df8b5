"""What a batch inference decides beside Spark: batch size, micro-batches, what is kept, and what is done again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from tinderbox.api import infer
from tinderbox.api.infer import FEW, Keeper, Quiet, choose, portion, run_inference
from tinderbox.config import check_infer
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.inference.probe import Choice, Measured
from tinderbox.inference.recipe import Recipe
from tinderbox.inference.rows import schema
from tinderbox.inference.summary import Summary, from_json, merge
from tinderbox.storage.rows import RowsFolder

Plan = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> RowsFolder:
    """The folder of a run."""
    return RowsFolder(str(tmp_path), "photos", "0123456789ab")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A function that makes a plan with further keys of the job, without a real model."""

    def make(**keys: Any) -> Any:
        tree = {"kind": "infer", "name": "photos", "model": "m", "input": "in", "storage": str(tmp_path), **keys}
        job = check_infer(tree, "test")
        run = SimpleNamespace()
        return SimpleNamespace(
            job=job,
            model=object(),
            recipe=Recipe("m"),
            version="0123456789abcdef",
            held=None,
            run=run,
            code=None,
            width=0,
        )

    return make


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Spark is asked: the number of rows that the input has, and how often a measurement was made."""
    told: dict[str, Any] = {"rows": FEW + 1, "measured": 0}

    def measure(spark: Any, function: Any, cores: int) -> Choice:
        told["measured"] += 1
        return Choice(128, True, 50.0, (Measured(128, True, 50.0, 1.0),))

    monkeypatch.setattr("tinderbox.spark.reading.count_input", lambda spark, job, most: min(told["rows"], most))
    monkeypatch.setattr("tinderbox.spark.streams.on_one_executor", measure)
    monkeypatch.setattr("tinderbox.spark.streams.watched", lambda call, spark, watch: call())
    return told


def ask(plan: Any, folder: RowsFolder) -> Choice:
    """Choose, with nobody watching."""
    return choose(plan, cast("Any", None), folder, Quiet(), lambda: None)


def test_a_measurement_is_made_once(plan: Plan, folder: RowsFolder, spark: dict[str, Any]) -> None:
    """A run that goes on knows what was measured; one that asks for something else measures again."""
    first = ask(plan(), folder)
    assert (first.batch, first.xla, first.rate, spark["measured"]) == (128, True, 50.0, 1)
    again = ask(plan(), folder)
    assert (again.batch, again.xla, again.rate, spark["measured"]) == (128, True, 50.0, 1)
    ask(plan(cores=2), folder)
    assert spark["measured"] == 2


@pytest.mark.parametrize(
    ("rows", "keys", "expected"),
    [
        (FEW, {}, (32, False)),
        (FEW + 1, {"batch": 7, "xla": False}, (7, False)),
        (FEW, {"batch": 7}, (7, False)),
        (FEW, {"xla": True}, (32, True)),
    ],
)
def test_what_is_not_worth_a_measurement(
    plan: Plan, folder: RowsFolder, spark: dict[str, Any], rows: int, keys: dict[str, Any], expected: tuple[int, bool]
) -> None:
    """Few rows, or a job that says all of it."""
    spark["rows"] = rows
    choice = ask(plan(**keys), folder)
    assert ((choice.batch, choice.xla), spark["measured"]) == (expected, 0)


def test_a_tar_may_hold_any_number(plan: Plan, folder: RowsFolder, spark: dict[str, Any]) -> None:
    """One file is no sign of little work where it is an archive."""
    spark["rows"] = 1
    ask(plan(input="all.tar"), folder)
    assert spark["measured"] == 1


@pytest.mark.parametrize(("rate", "rows"), [(0, 2_000), (0.5, 200), (20, 1_200), (1e6, 50_000)])
def test_a_micro_batch_is_about_a_minute(rate: float, rows: int) -> None:
    """Within bounds: a commit for each image would cost more than the image, and a day's work is too much to lose."""
    assert portion(rate) == rows


def table(paths: list[str], error: str | None = None) -> pa.Table:
    """Rows of a micro-batch."""
    columns = schema(regression=False)
    row = dict.fromkeys(columns.names) | {"error": error, "reason": error and "empty", "node": "n", "milliseconds": 1.0}
    good = {} if error else {"label": "cat", "probability": 0.5, "thumbnail": b"jpeg"}
    return pa.Table.from_pylist([{**row, **good, "path": path} for path in paths], columns)


def test_rows_are_kept_without_their_thumbnails(folder: RowsFolder) -> None:
    """Those are in the summary; an empty micro-batch leaves nothing, and one that is done again takes its own place."""
    keeper = Keeper(folder, Quiet())
    for _ in range(2):
        keeper.keep(0, table(["a", "b"]), 2.0)
    keeper.keep(1, table([]), 0.1)
    assert folder.names("rows") == ["rows/version=0123456789ab/batch-000000.parquet"]
    import pyarrow.parquet as pq

    kept = pq.read_table(folder.path(folder.names("rows")[0]))
    assert (kept["path"].to_pylist(), "thumbnail" in kept.column_names) == (["a", "b"], False)
    summary = merge(map(from_json, folder.summaries()))
    assert (summary.rows, summary.labels.kept, keeper.batches) == (2, {"cat": 2}, 3)


def test_files_that_spark_passes_over(folder: RowsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are rows with an error, all of them in one file; only the new ones count for this run."""
    keeper = Keeper(folder, Quiet())
    listed = {"a", "b", "empty-1"}
    monkeypatch.setattr(folder, "_listed", lambda: listed)
    keeper.keep(0, table(["a", "b"]), 1.0)
    keeper.keep_unread(Recipe("m"), schema(regression=False))
    assert keeper.summary.rows == 3
    keeper.keep_unread(Recipe("m"), schema(regression=False))
    assert keeper.summary.rows == 3
    listed.add("empty-2")
    later = Keeper(folder, Quiet())
    later.keep_unread(Recipe("m"), schema(regression=False))
    assert (later.summary.rows, later.summary.errors.reasons.kept) == (1, {"empty": 1})
    assert merge(map(from_json, folder.summaries())).rows == 4


def test_files_that_executors_do_not_see(folder: RowsFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not told as empty: the run fails with a sentence, and the next one labels them."""
    image, empty, young = (tmp_path / name for name in ("image.png", "empty.png", "young.png"))
    for path, content in ((image, b"png"), (empty, b""), (young, b"png")):
        path.write_bytes(content)
    os.utime(image, (1, 1))
    os.utime(young, (time.time() + 60,) * 2)  # it was empty when Spark listed it
    monkeypatch.setattr(folder, "_listed", lambda: {str(empty), str(young)})
    keeper = Keeper(folder, Quiet())
    keeper.keep_unread(Recipe("m"), schema(regression=False))
    assert keeper.summary.rows == 2
    monkeypatch.setattr(folder, "_listed", lambda: {str(empty), str(image)})
    with pytest.raises(TinderboxError, match=r"executors cannot read .*image\.png, which the driver can; give their"):
        keeper.keep_unread(Recipe("m"), schema(regression=False))
    folder.begin(anew=False)
    assert not folder.has_rows()


def test_a_name_that_is_a_studys(plan: Plan, tmp_path: Path) -> None:
    """A study and a batch inference do not share a folder."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "job.yaml").write_text("kind: sweep\n")
    with pytest.raises(BadInput, match="name 'photos' is a study's"):
        run_inference(plan())


def test_rows_that_must_not_be_added_to(plan: Plan, folder: RowsFolder) -> None:
    """Where the job says so nothing is started."""
    Keeper(folder, Quiet()).keep(0, table(["a"]), 1.0)
    folder.finish(1)
    with pytest.raises(BadInput, match=r"has rows, and output\.mode is refuse"):
        run_inference(plan(output={"mode": "refuse"}))


def test_a_driver_that_starts_again_is_not_forced_again(
    plan: Plan, folder: RowsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a submission was forced to is done once, however often its driver is replaced."""
    begun: list[bool] = []
    monkeypatch.setattr(RowsFolder, "begin", lambda self, anew: begun.append(anew))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(rows=1), Summary()))
    for submission in ("one", "one", "two", "", ""):
        run_inference(plan(), spark=cast("Any", object()), force=True, submission=submission)
    assert begun == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("mode", "whole", "submission", "anew"),
    [
        ("refuse", False, "", False),
        ("refuse", False, "other", False),
        ("refuse", True, "one", False),
        ("overwrite", False, "", False),
        ("overwrite", True, "", True),
        ("overwrite", False, "one", False),
        ("overwrite", True, "one", False),
        ("overwrite", False, "other", True),
        ("overwrite", True, "other", True),
    ],
)
def test_every_mode_survives_a_kill(
    mode: str,
    whole: bool,
    submission: str,
    anew: bool,
    plan: Plan,
    folder: RowsFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows that an earlier driver of the same work has left are gone on with, and only those of an earlier run not."""
    begun: list[bool] = []
    folder.note("one")
    folder.write(f"progress/{folder.version}/offsets/0", b"{}")
    Keeper(folder, Quiet()).keep(0, table(["a"]), 1.0)
    if whole:
        folder.finish(1)
    monkeypatch.setattr(RowsFolder, "begin", lambda self, anew: begun.append(anew))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "check_input", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(rows=1), Summary()))
    run_inference(plan(output={"mode": mode}), spark=cast("Any", object()), submission=submission)
    assert begun == [anew]


@pytest.mark.parametrize(("held", "progress", "anew"), [(None, "", True), (None, "offsets", False), (list, "", False)])
def test_rows_without_the_progress_of_their_stream(
    held: Any, progress: str, anew: bool, plan: Plan, folder: RowsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were brought here: a stream that began beside them would make some of them twice."""
    begun: list[bool] = []
    Keeper(folder, Quiet()).keep(0, table(["a"]), 1.0)
    if progress:
        folder.write(f"progress/{folder.version}/{progress}/0", b"{}")
    monkeypatch.setattr(RowsFolder, "begin", lambda self, anew: begun.append(anew))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "check_input", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(rows=1), Summary()))
    one = plan()
    one.held = held
    run_inference(one, spark=cast("Any", object()))
    assert begun == [anew]


@pytest.mark.parametrize("mode", ["append", "overwrite"])
@pytest.mark.parametrize("empty", [True, False])
def test_rows_stay_where_the_input_is_bad(
    mode: str, empty: bool, plan: Plan, folder: RowsFolder, spark: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be labelled anew is looked for before its rows are forgotten."""

    def fail(*_: object) -> int:
        raise BadInput("input: in cannot be read")

    spark["rows"] = 0
    if not empty:
        monkeypatch.setattr("tinderbox.spark.reading.count_input", fail)
    monkeypatch.setattr(infer, "watching", lambda *_: nullcontext(lambda: None))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(), Summary()))
    Keeper(folder, Quiet()).keep(0, table(["a"]), 1.0)
    folder.finish(1)
    before = folder.names()
    with pytest.raises(BadInput, match="holds nothing to label" if empty else "cannot be read"):
        run_inference(plan(output={"mode": mode}), spark=cast("Any", object()), force=mode == "append")
    assert folder.names() == before
