"""What stops a batch inference beside its rows: each is one sentence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from py4j.protocol import Py4JNetworkError  # type: ignore[import-untyped]
from pyspark import SparkContext
from pyspark.errors import PySparkException, StreamingQueryException

from tinderbox.errors import BadInput, TinderboxError
from tinderbox.spark import streams
from tinderbox.spark.streams import label_stream, on_one_executor, watched


class Query:
    """A stream with one micro-batch, which ends as Spark's do."""

    def __init__(self) -> None:
        self.run: Any = None

    def foreachBatch(self, run: Any) -> Query:  # noqa: N802 - Spark's name
        """Note what is to be called."""
        self.run = run
        return self

    def option(self, *_: Any) -> Query:
        """Take any setting."""
        return self

    def trigger(self, **_: Any) -> Query:
        """Take any trigger."""
        return self

    queryName = start = option  # noqa: N815 - Spark's name

    def awaitTermination(self, seconds: float) -> bool:  # noqa: N802 - Spark's name
        """Run the micro-batch; whatever it raises ends the stream."""
        try:
            self.run(None, 0)
        except Exception as error:
            raise StreamingQueryException("the stream has ended") from error
        return True

    def stop(self) -> None:
        """Do nothing."""


def label(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Label a stream whose rows cannot be kept."""

    def keep(*_: Any) -> None:
        raise error

    monkeypatch.setattr(streams, "read_input", lambda *_: SimpleNamespace(writeStream=Query()))
    stage: Any = SimpleNamespace(spark=None, job=SimpleNamespace(name="photos"), label=lambda _: None)
    label_stream(stage, 9, "file:///progress", keep, lambda: None)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device", "rows"), "No space left on device: 'rows'"),
        (Py4JNetworkError("Answer from Java side is empty"), "Answer from Java side is empty"),
        (PySparkException("Task failed"), "Task failed"),
        (ValueError("odd"), "odd"),
    ],
)
def test_what_a_micro_batch_cannot_do(monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str) -> None:
    """A full disk, a Java that is gone and a task that fails end the stream with a sentence, and no traceback."""
    with pytest.raises(TinderboxError, match=f"^rows cannot be labelled: .*{sentence}"):
        label(monkeypatch, error)


def test_our_own_errors_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are sentences already."""
    with pytest.raises(BadInput, match=r"^no such column$"):
        label(monkeypatch, BadInput("no such column"))


def test_a_java_that_has_ended_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is why Spark does not answer, in whatever it was asked."""

    def call() -> None:
        raise Py4JNetworkError("Answer from Java side is empty")

    with pytest.raises(TinderboxError, match=r"^rows cannot be labelled: Answer from Java side is empty"):
        watched(call, cast("Any", None), lambda: None)
    gateway = SimpleNamespace(proc=SimpleNamespace(poll=lambda: -9))
    monkeypatch.setattr(SparkContext, "_gateway", gateway)
    with pytest.raises(TinderboxError, match=r"^Spark's Java process was killed by SIGKILL; run the same command"):
        watched(call, cast("Any", None), lambda: None)


def test_a_measurement_has_the_gpus_of_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its threads: what is measured on other devices says nothing about those of the work."""
    given: list[Any] = []
    context = SimpleNamespace(resources=lambda: {"gpu": SimpleNamespace(addresses=["1"])})
    monkeypatch.setattr(streams.TaskContext, "get", lambda: context)
    monkeypatch.setattr(streams, "set_gpus", given.append)
    monkeypatch.setattr(streams, "set_threads", given.append)
    some = SimpleNamespace(map=lambda call: SimpleNamespace(collect=lambda: [call(0)]))
    spark: Any = SimpleNamespace(sparkContext=SimpleNamespace(parallelize=lambda *_: some))
    assert on_one_executor(spark, lambda: list(given), 3) == [3, ["1"]]
