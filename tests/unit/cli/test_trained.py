"""What a training looks like on a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tinderbox.api.stock import take_training_stock
from tinderbox.api.trained import TrainResult, open_training
from tinderbox.cli.screen import open_console
from tinderbox.cli.trained import Epochs, describe, describe_attempt, last_epochs, print_training
from tinderbox.config.train import EarlyStopping
from tinderbox.storage.training import TrainFolder
from tinderbox.training.status import TrainStatus

BEGUN = TrainStatus(epoch=0, epochs=3, share=0.0, step=0, workers=2, wanted=2, attempt=1)
METRICS = {"loss": 0.25, "val_top1": 0.5}


def printing() -> tuple[Console, io.StringIO]:
    """A console and what it prints."""
    sink = io.StringIO()
    return open_console(file=sink, width=200), sink


def test_a_line_for_each_epoch_and_each_attempt() -> None:
    """Each once, however often the training is shown, with why an attempt follows another."""
    console, sink = printing()
    screen = Epochs(console)
    first = replace(BEGUN, epoch=1, step=9, metrics=METRICS, rate=1234.5, seconds_left=75.0)
    second = replace(first, attempt=2, workers=1, cause="worker 1 was killed by SIGKILL")
    for status in (BEGUN, BEGUN, replace(BEGUN, share=0.5), first, first, second, second):
        screen.show(status)
    screen.show(replace(second, epoch=3, step=30, over=True, metrics={"loss": None}))
    assert sink.getvalue().splitlines() == [
        "attempt 1 with 2 workers",
        "epoch 1/3, loss 0.25, val_top1 0.5, 1,234 examples/s, 1:15 left",
        "attempt 2 with 1 of 2 workers, from step 9 in epoch 2; the one before ended: worker 1 was killed by SIGKILL",
        "epoch 3/3, loss no number, 1,234 examples/s, done",
    ]


def test_an_epoch_that_is_trained_again_is_told_again() -> None:
    """An attempt may go back to a checkpoint before it."""
    console, sink = printing()
    screen = Epochs(console)
    for epoch, attempt in ((0, 1), (1, 1), (2, 1), (1, 2), (2, 2)):
        screen.show(replace(BEGUN, epoch=epoch, attempt=attempt, step=9 * epoch))
    assert [line.partition(",")[0] for line in sink.getvalue().splitlines()] == [
        "attempt 1 with 2 workers", "epoch 1/3", "epoch 2/3", "attempt 2 with 2 workers", "epoch 2/3"
    ]  # fmt: skip


def test_a_long_epoch_is_told_of_meanwhile() -> None:
    """So often as is wanted; nothing is said before the first attempt."""
    console, sink = printing()
    screen = Epochs(console, every=0.0)
    screen.tell("starting Spark")
    screen.tell("starting Spark")
    screen.show(replace(BEGUN, attempt=0, workers=0))
    screen.show(BEGUN)
    screen.show(replace(BEGUN, share=0.25))
    assert sink.getvalue().splitlines() == [
        "starting Spark", "attempt 1 with 2 workers", "epoch 0/3", "epoch 0/3 and 25% of the next"
    ]  # fmt: skip


def test_workers_that_are_missing_are_told() -> None:
    """While there are fewer than were wanted."""
    assert describe(replace(BEGUN, epoch=1, workers=1)) == "epoch 1/3, 1 of 2 workers"
    assert describe_attempt(replace(BEGUN, workers=0)) == "attempt 1 with fewer workers"


@pytest.fixture
def result(trained: TrainFolder) -> TrainResult:
    """A training that has ended."""
    return open_training("lenet", trained.root.rpartition("/")[0])


def test_what_has_ended_is_shown(result: TrainResult) -> None:
    """Its epochs, its score on test data, how attempts were cut short, and where things are."""
    result.folder.write("test.json", b'{"loss": 0.5, "top1": 0.9}')
    console, sink = printing()
    print_training(console, result)
    lines = sink.getvalue().splitlines()
    assert lines[0].strip() == "training lenet: 2 epochs, mode synchronous"
    assert "test: loss 0.5, top1 0.9" in lines
    assert "attempt 1, 2 workers: killed: worker 1 on node-1 was killed by SIGKILL" in lines
    assert f"confusion  {result.folder.path('confusion.json')}" in lines
    cells = [cell.strip() for cell in next(line for line in lines if line.startswith("│ ")).strip("│").split("│")]
    assert cells == ["1", "2", "0.5", "1.5", "0.6", "2", "539", "2.0"]


def test_of_many_epochs_the_last_are_shown(result: TrainResult) -> None:
    """And the one whose model is kept, wherever it is."""
    first = result.record.history[0]
    result.record.history[:] = [replace(first, epoch=epoch) for epoch in range(1, 31)]
    result.record.ended = None
    table = last_epochs(result)
    assert table.title == "training lenet: 30 epochs, mode synchronous, the last 10"
    assert "workers" not in [column.header for column in table.columns], "all had as many"
    assert list(table.columns[0].cells) == [str(epoch) for epoch in range(21, 31)]
    early = result.job.model_copy(update={"early_stopping": EarlyStopping(metric="loss")})
    kept = last_epochs(TrainResult(early, result.record, result.folder))
    assert list(kept.columns[0].cells) == ["1", *(str(epoch) for epoch in range(21, 31))]
    assert [row.style for row in kept.rows][:2] == ["bold green", ""]


def test_a_training_that_has_not_begun(trained: TrainFolder) -> None:
    """Has no table."""
    trained.remove("events/000001-000000.jsonl")
    console, sink = printing()
    print_training(console, open_training("lenet", trained.root.rpartition("/")[0]))
    assert sink.getvalue() == f"confusion  {trained.path('confusion.json')}\n"


def test_where_it_stands_by_its_record(result: TrainResult) -> None:
    """Workers are those of the attempt that runs, none where none does."""
    assert take_training_stock(result).workers == 0
    assert describe(take_training_stock(result)).endswith("val_top5 0.9, done")
    attempt = result.record.attempts[0]
    attempt.ended = result.record.ended = None
    del result.record.attempts[1:], result.record.history[1:]
    assert take_training_stock(result).workers == 2
    assert "epoch 1/2, loss 2" in describe(take_training_stock(result))
