"""What a driver tells of its study, batch inference or training, while it runs and around that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tinderbox.api.keeping import Keeper
from tinderbox.api.labelled import summary_of
from tinderbox.api.opening import opened_server
from tinderbox.api.plan import Plan, make_plan
from tinderbox.api.telling import RowsSource, study_source, training_source
from tinderbox.api.trained import open_training
from tinderbox.api.watcher import Quiet
from tinderbox.config import check_sweep
from tinderbox.data import from_arrays
from tinderbox.errors import TinderboxError
from tinderbox.metrics.exporter import Exporter
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder
from tinderbox.sweeping.messages import Ask
from tinderbox.training.status import take_status

Rows = Callable[..., pa.Table]


def told(source: Any) -> dict[str, float]:
    """Return what a source tells, by name and labels without the run's."""
    return {" ".join([sample.metric.name, *sample.labels[1:]]): sample.value for sample in source()}


# Studies


@pytest.fixture
def plan(recorded: StudyFolder) -> Plan:
    """The plan of the recorded study, whose trial 4 waits."""
    data = from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})
    return make_plan(check_sweep(recorded.read_job(), "test"), Path(), lambda trial: None, data)


def test_a_study_is_told_while_its_server_runs(plan: Plan, recorded: StudyFolder) -> None:
    """As its record says, with the slots that are there and that are wanted; before and after that, its storage is."""
    with opened_server(plan, recorded, "secret") as server:
        source = study_source(server, plan.job)
        room = told(source)
        assert set(room) == {"tinderbox_storage_size_bytes", "tinderbox_storage_free_bytes"}
        server.start("127.0.0.1")
        server.wanted = 3
        server.call(lambda coordinator: coordinator.lease(Ask(slot="a", node="n", request=1), time.time()))
        found = told(source)
        record = server.coordinator.study
    assert (found["tinderbox_best_value"], found["tinderbox_baseline_value"]) == (0.25, 0.5)
    assert (found["tinderbox_trials complete"], found["tinderbox_trials running"]) == (2, 1)
    assert found["tinderbox_reports_total"] == record.told == 3
    assert found["tinderbox_trial_attempts_total lost"] == 1
    assert (found["tinderbox_slots_wanted"], found["tinderbox_slots busy"]) == (3, 1)
    assert (found["tinderbox_slot_trial a n"], found["tinderbox_study_over"]) == (4, 0)
    assert set(room) <= set(found)
    assert set(told(source)) == set(room)


def test_a_record_that_cannot_be_written(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Scrapes go without the study, which ends for it by itself, and the log says so once."""
    exporter, found = Exporter("n"), list[str]()

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    def run() -> None:
        with opened_server(plan, recorded, "secret") as server, exporter.asking(study_source(server, plan.job)):
            server.start("127.0.0.1")
            monkeypatch.setattr("tinderbox.storage.log.SegmentLog.append", refuse)
            with suppress(TinderboxError):
                server.call(lambda coordinator: coordinator.lease(Ask(slot="a", node="n", request=1), time.time()))
            for _ in range(2):
                found.extend(family.name for family in exporter.collect())

    with pytest.raises(TinderboxError, match="No space left on device"):
        run()
    assert found == ["tinderbox_metrics_refused"] * 2
    (message,) = [message for message in caplog.messages if message.startswith("metrics")]
    assert "the study stopped: its record cannot be written" in message


@contextmanager
def scraping(exporter: Exporter) -> Iterator[None]:
    """Scrape without a pause until the block ends."""
    over = threading.Event()

    def scrape() -> None:
        while not over.is_set():
            list(exporter.collect())

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
        assert not thread.is_alive(), "a scrape that asks a server that has gone never ends"


def test_scrapes_at_any_moment_of_a_server(plan: Plan, recorded: StudyFolder, caplog: pytest.LogCaptureFixture) -> None:
    """Before its start, and as it stops: none of them hangs, and none fails."""
    exporter = Exporter("n")
    with scraping(exporter):
        for _ in range(5):
            with opened_server(plan, recorded, "secret") as server, exporter.asking(study_source(server, plan.job)):
                server.start("127.0.0.1")
                time.sleep(0.05)
    assert exporter.scrapes > 5
    assert [message for message in caplog.messages if message.startswith("metrics")] == []


def test_a_server_that_never_starts(plan: Plan, recorded: StudyFolder) -> None:
    """It holds up no scrape, and is held up by none: Spark may not start its slots."""
    exporter = Exporter("n")
    with scraping(exporter), opened_server(plan, recorded, "secret") as server:
        with exporter.asking(study_source(server, plan.job)):
            time.sleep(0.1)
        before = exporter.scrapes
    assert before > 0


# Batch inferences


def note(folder: RowsFolder, batch: int, paths: list[str], committed: bool = True) -> None:
    """Write what Spark's stream notes of a micro-batch of files."""
    lines = ["v1", *(f'{{"path":"file://{path}","timestamp":1,"batchId":{batch}}}' for path in paths)]
    folder.write(f"progress/{folder.version}/sources/0/{batch}", "\n".join(lines).encode())
    if committed:
        folder.write(f"progress/{folder.version}/commits/{batch}", b"v1\n{}")


def test_rows_are_told_as_they_are_kept(rows_folder: RowsFolder, make_rows: Rows) -> None:
    """With those of earlier runs, and how many files are left, in how much time by the rate so far."""
    note(rows_folder, 0, ["/a", "/b"])
    Keeper(rows_folder, Quiet()).keep(0, make_rows(["/a", "/b"]), 1.0)
    keeper = Keeper(rows_folder, Quiet())
    source = RowsSource(rows_folder, keeper, rows_folder.root.rpartition("/")[0], files=7)
    found = told(source)
    assert found["tinderbox_inference_rows labelled"] == 2
    assert (found["tinderbox_inference_left_files"], found["tinderbox_inference_over"]) == (5, 0)
    assert "tinderbox_inference_left_seconds" not in found
    assert found["tinderbox_storage_free_bytes"] > 0
    note(rows_folder, 1, ["/c", "/d", "/e"], committed=False)
    time.sleep(0.2)
    keeper.keep(1, make_rows(["/c", "/d", "/e"], error="no"), 1.0)
    found = told(source)
    assert (found["tinderbox_inference_rows labelled"], found["tinderbox_inference_rows error"]) == (2, 3)
    assert found["tinderbox_inference_errors empty"] == 3
    assert found["tinderbox_inference_left_files"] == 2
    assert found["tinderbox_inference_left_seconds"] >= 0.2 * 2 / 3


def test_all_rows_are_told_at_the_end(rows_folder: RowsFolder, make_rows: Rows) -> None:
    """As the report has them, and nothing is left then, whatever came on the way."""
    note(rows_folder, 0, ["/a", "/b"])
    keeper = Keeper(rows_folder, Quiet())
    source = RowsSource(rows_folder, keeper, rows_folder.root, files=9)
    keeper.keep(0, make_rows(["/a", "/b"]), 1.0)
    source.finish(summary_of(rows_folder))
    found = told(source)
    assert found["tinderbox_inference_rows labelled"] == 2
    assert (found["tinderbox_inference_left_files"], found["tinderbox_inference_over"]) == (0, 1)
    assert "tinderbox_inference_left_seconds" not in found


def test_a_micro_batch_that_a_killed_driver_left_counts_once(rows_folder: RowsFolder, make_rows: Rows) -> None:
    """It is labelled again: its rows take the place of those that are there, and its files are still to be done."""
    note(rows_folder, 0, ["/a", "/b"])
    note(rows_folder, 1, ["/c"], committed=False)
    killed = Keeper(rows_folder, Quiet())
    killed.keep(0, make_rows(["/a", "/b"]), 1.0)
    killed.keep(1, make_rows(["/c"]), 1.0)
    keeper = Keeper(rows_folder, Quiet())
    source = RowsSource(rows_folder, keeper, rows_folder.root, files=3)
    found = told(source)
    assert (found["tinderbox_inference_rows labelled"], found["tinderbox_inference_left_files"]) == (2, 1)
    keeper.keep(1, make_rows(["/c"]), 1.0)
    found = told(source)
    assert (found["tinderbox_inference_rows labelled"], found["tinderbox_inference_left_files"]) == (3, 0)


def test_an_input_that_is_no_files(rows_folder: RowsFolder, make_rows: Rows) -> None:
    """Of arrays in memory nobody knows how many are left; those that are there are not labelled again."""
    Keeper(rows_folder, Quiet()).keep(0, make_rows(["0", "1"]), 1.0)
    keeper = Keeper(rows_folder, Quiet())
    source = RowsSource(rows_folder, keeper, rows_folder.root, files=None)
    keeper.keep(1, make_rows(["2"]), 1.0)
    found = told(source)
    assert found["tinderbox_inference_rows labelled"] == 3
    assert not [name for name in found if "left" in name]
    source.finish(summary_of(rows_folder))
    assert not [name for name in told(source) if "left" in name]


def test_files_that_went_meanwhile(rows_folder: RowsFolder, make_rows: Rows) -> None:
    """More were labelled than the input has now: nothing is left, and never less."""
    note(rows_folder, 0, ["/a", "/b", "/c"])
    source = RowsSource(rows_folder, Keeper(rows_folder, Quiet()), rows_folder.root, files=1)
    assert told(source)["tinderbox_inference_left_files"] == 0


# Trainings


def test_a_training_is_told_while_somebody_can_tell(trained: TrainFolder) -> None:
    """Before and after that, its storage is."""
    result = open_training(trained.name, trained.root.rpartition("/")[0])
    now = [None, (result.record, take_status(result.record, 130.0)), None]
    source = training_source(lambda: now.pop(0), result.job)
    before, during, after = told(source), told(source), told(source)
    assert set(before) == set(after) == {"tinderbox_storage_size_bytes", "tinderbox_storage_free_bytes"}
    assert (during["tinderbox_training_over"], during["tinderbox_training_step"]) == (1, 26)
    assert during["tinderbox_training_attempts_total killed"] == 1
    assert set(before) < set(during)
