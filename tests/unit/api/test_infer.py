"""What a batch inference decides beside Spark: whether it may begin, goes on, or does it all again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest

from tinderbox.api import infer
from tinderbox.api.infer import run_inference, telling
from tinderbox.api.keeping import Keeper
from tinderbox.api.watcher import Quiet
from tinderbox.errors import BadInput
from tinderbox.inference.summary import Summary
from tinderbox.metrics.exporter import Exporter
from tinderbox.storage.rows import RowsFolder

Plan = Callable[..., Any]
Rows = Callable[..., pa.Table]


def test_a_name_that_is_a_studys(infer_plan: Plan, tmp_path: Path) -> None:
    """A study and a batch inference do not share a folder."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "job.yaml").write_text("kind: sweep\n")
    with pytest.raises(BadInput, match="name 'photos' is a study's"):
        run_inference(infer_plan())


def test_rows_that_must_not_be_added_to(infer_plan: Plan, rows_folder: RowsFolder, make_rows: Rows) -> None:
    """Where the job says so nothing is started."""
    Keeper(rows_folder, Quiet()).keep(0, make_rows(["a"]), 1.0)
    rows_folder.finish(1)
    with pytest.raises(BadInput, match=r"has rows, and output\.mode is refuse"):
        run_inference(infer_plan(output={"mode": "refuse"}))


def test_a_driver_that_starts_again_is_not_forced_again(
    infer_plan: Plan, rows_folder: RowsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a submission was forced to is done once, however often its driver is replaced."""
    begun: list[bool] = []
    monkeypatch.setattr(RowsFolder, "begin", lambda self, anew: begun.append(anew))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(rows=1), Summary()))
    for submission in ("one", "one", "two", "", ""):
        run_inference(infer_plan(), spark=cast("Any", object()), force=True, submission=submission)
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
    infer_plan: Plan,
    rows_folder: RowsFolder,
    make_rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows that an earlier driver of the same work has left are gone on with, and only those of an earlier run not."""
    begun: list[bool] = []
    rows_folder.note("one")
    rows_folder.write(f"progress/{rows_folder.version}/offsets/0", b"{}")
    Keeper(rows_folder, Quiet()).keep(0, make_rows(["a"]), 1.0)
    if whole:
        rows_folder.finish(1)
    monkeypatch.setattr(RowsFolder, "begin", lambda self, anew: begun.append(anew))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "check_input", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(rows=1), Summary()))
    run_inference(infer_plan(output={"mode": mode}), spark=cast("Any", object()), submission=submission)
    assert begun == [anew]


@pytest.mark.parametrize(("held", "progress", "anew"), [(None, "", True), (None, "offsets", False), (list, "", False)])
def test_rows_without_the_progress_of_their_stream(
    held: Any,
    progress: str,
    anew: bool,
    infer_plan: Plan,
    rows_folder: RowsFolder,
    make_rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were brought here: a stream that began beside them would make some of them twice."""
    begun: list[bool] = []
    Keeper(rows_folder, Quiet()).keep(0, make_rows(["a"]), 1.0)
    if progress:
        rows_folder.write(f"progress/{rows_folder.version}/{progress}/0", b"{}")
    monkeypatch.setattr(RowsFolder, "begin", lambda self, anew: begun.append(anew))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "check_input", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(rows=1), Summary()))
    one = infer_plan()
    one.held = held
    run_inference(one, spark=cast("Any", object()))
    assert begun == [anew]


@pytest.mark.parametrize("mode", ["append", "overwrite"])
@pytest.mark.parametrize("empty", [True, False])
def test_rows_stay_where_the_input_is_bad(
    mode: str,
    empty: bool,
    infer_plan: Plan,
    rows_folder: RowsFolder,
    make_rows: Rows,
    asked: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is to be labelled anew is looked for before its rows are forgotten."""

    def fail(*_: object) -> int:
        raise BadInput("input: in cannot be read")

    asked["rows"] = 0
    if not empty:
        monkeypatch.setattr("tinderbox.spark.reading.count_input", fail)
    monkeypatch.setattr(infer, "watching", lambda *_: nullcontext(lambda: None))
    monkeypatch.setattr(RowsFolder, "write_job", lambda *_: None)
    monkeypatch.setattr(infer, "label", lambda *_: (Summary(), Summary()))
    Keeper(rows_folder, Quiet()).keep(0, make_rows(["a"]), 1.0)
    rows_folder.finish(1)
    before = rows_folder.names()
    with pytest.raises(BadInput, match="holds nothing to label" if empty else "cannot be read"):
        run_inference(infer_plan(output={"mode": mode}), spark=cast("Any", object()), force=mode == "append")
    assert rows_folder.names() == before


@pytest.mark.parametrize(("held", "files"), [(None, 7), (list, None)])
def test_files_are_counted_under_the_watch_of_the_run(
    held: Any,
    files: int | None,
    infer_plan: Plan,
    rows_folder: RowsFolder,
    free_port: int,
    scrape: Callable[[int], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Spark may list them with executors, which may not come; what lies in memory has none."""
    watches = list[Any]()

    def watched(call: Callable[[], Any], spark: Any, watch: Any) -> Any:
        watches.append(watch)
        return call()

    def watch() -> None:
        """Look."""

    monkeypatch.setattr("tinderbox.spark.streams.watched", watched)
    monkeypatch.setattr("tinderbox.spark.reading.count_files", lambda spark, job: 7)
    plan, exporter, keeper = infer_plan(), Exporter("n"), Keeper(rows_folder, Quiet())
    plan.held = held
    with (
        exporter.serving(free_port, Path(rows_folder.root).parent / "metrics"),
        telling(plan, cast("Any", None), keeper, rows_folder, watch, exporter) as source,
    ):
        told = scrape(free_port)
    assert source is not None
    assert told.get('tinderbox_inference_left_files{run="photos"}') == files
    assert watches == ([] if files is None else [watch])


def test_without_anybody_who_asks_nothing_is_counted(infer_plan: Plan, rows_folder: RowsFolder) -> None:
    """Listing a large input takes its time."""
    exporter, keeper = Exporter("n"), Keeper(rows_folder, Quiet())
    with telling(infer_plan(), cast("Any", None), keeper, rows_folder, lambda: None, exporter) as source:
        assert source is None
        assert [family.name for family in exporter.collect()] == ["tinderbox_metrics_refused"]
