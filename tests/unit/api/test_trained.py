"""A training as a notebook sees it, from its folder alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinderbox.api.trained import TrainResult, open_training, read_classes, write_classes
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.storage.training import CLASSES, TrainFolder


@pytest.fixture
def result(trained: TrainFolder) -> TrainResult:
    """The training, opened by its name."""
    return open_training("lenet", trained.root.rpartition("/")[0])


def test_history_and_metrics(result: TrainResult) -> None:
    """A row for each epoch; the metrics are those of the model, which is of the last epoch."""
    assert list(result.history.index) == [1, 2]
    assert result.history.loc[2, ["val_loss", "step", "workers", "attempt"]].to_list() == [0.75, 26, 1, 2]
    assert result.metrics == {
        "loss": 1.0, "top1": 0.6, "top5": 0.85, "val_loss": 0.75, "val_top1": 0.7, "val_top5": 0.9
    }  # fmt: skip
    assert "<table" in result._repr_html_()
    assert result.test == {}
    result.folder.write("test.json", b'{"loss": 0.5, "top1": 0.9}')
    assert result.test == {"loss": 0.5, "top1": 0.9}


def test_metrics_where_training_may_end_early(result: TrainResult) -> None:
    """They are those of the best epoch, which the model is of then."""
    from tinderbox.config.train import EarlyStopping

    job = result.job.model_copy(update={"early_stopping": EarlyStopping(metric="loss", min_delta=10.0)})
    record = replace(result.record, ended=None)
    assert TrainResult(job, record, result.folder).metrics["val_loss"] == 1.5
    assert TrainResult(job, result.record, result.folder).metrics["val_loss"] == 0.75, (
        "the end says of which epoch it is"
    )


def test_attempts_say_why_they_ended(result: TrainResult) -> None:
    """In the order in which they were made."""
    assert result.attempts.loc[1].to_list() == [2, 0, "killed", "worker 1 on node-1 was killed by SIGKILL"]
    assert result.attempts.loc[2].to_list() == [1, 9, "complete", ""]


def test_confusion_has_the_names_of_the_classes(result: TrainResult) -> None:
    """Rows are what examples are, columns what they were taken for; without names they are numbers."""
    table = result.confusion
    assert table is not None
    assert table.loc["dog", "cat"] == 2
    assert (table.index.name, table.columns.name, result.classes) == ("truth", "taken for", ["cat", "dog"])
    result.folder.remove(CLASSES)
    table = result.confusion
    assert table is not None
    assert table.loc["0", "1"] == 1
    result.folder.remove("confusion.json")
    assert result.confusion is None


def test_the_model(result: TrainResult) -> None:
    """A Keras model, once training has come so far."""
    import keras
    import numpy as np

    with pytest.raises(BadInput, match="training 'lenet' has no model yet; let it end"):
        result.model()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(result.folder.path("model.keras"))
    x = np.ones((1, 3), "float32")
    assert (result.model()(x).numpy() == model(x).numpy()).all()
    assert result.files() == {
        "model": result.folder.path("model.keras"),
        "confusion": result.folder.path("confusion.json"),
    }
    assert result.report == result.folder.path("report.html")


def test_what_workers_printed(result: TrainResult) -> None:
    """Of the newest attempt or another; the one by which an attempt ended, with how."""
    assert result.log() == "worker 0 in attempt 2\n"
    assert result.log(0, 1) == "worker 0 in attempt 1\n"
    assert result.log(1, 1) == "worker 1 in attempt 1\nKilled\n"
    result.folder.remove("logs/attempt-2-worker-0.log")
    assert result.log() == ""


@pytest.mark.parametrize(
    ("worker", "attempt", "sentence"),
    [
        (0, 3, "training 'lenet' has attempts 1 to 2, got 3"),
        (0, 0, "training 'lenet' has attempts 1 to 2, got 0"),
        (1, 2, "attempt 2 has workers 0, got 1"),
        (2, 1, "attempt 1 has workers 0, 1, got 2"),
    ],
)
def test_a_log_that_is_not_there(result: TrainResult, worker: int, attempt: int, sentence: str) -> None:
    """One sentence says which are."""
    with pytest.raises(BadInput, match=f"^{sentence}$"):
        result.log(worker, attempt)


def test_a_training_that_has_not_begun(trained: TrainFolder) -> None:
    """It has neither history nor metrics, and no log."""
    trained.remove("events/000001-000000.jsonl")
    result = open_training("lenet", trained.root.rpartition("/")[0])
    assert (len(result.history), result.metrics, len(result.attempts)) == (0, {}, 0)
    with pytest.raises(BadInput, match="training 'lenet' has had no attempt yet"):
        result.log()


def test_what_is_damaged(trained: TrainFolder) -> None:
    """A name that is not there, a job that is none and a record that is none are one sentence each."""
    storage = trained.root.rpartition("/")[0]
    with pytest.raises(BadInput, match=r"^there is no training 'other' in .*; it holds lenet$"):
        open_training("other", storage)
    trained.write("events/000001-000000.jsonl", b"no event\n\n")
    with pytest.raises(TinderboxError, match="the record is damaged: line 1 of segment 1 is no event"):
        open_training("lenet", storage)
    trained.write("train.yaml", b"kind: train")
    with pytest.raises(BadInput, match=r"^training lenet: the job needs "):
        open_training("lenet", storage)


def test_classes_are_kept(trained: TrainFolder) -> None:
    """In their order; a regression has none."""
    write_classes(trained, ["b", "ä", "1"])
    assert read_classes(trained) == ["b", "ä", "1"]
    trained.remove(CLASSES)
    write_classes(trained, None)
    assert read_classes(trained) == []
