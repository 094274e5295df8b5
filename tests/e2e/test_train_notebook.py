"""`tinderbox.train` in a notebook: a function, a DataFrame and a session at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tinderbox
from tinderbox.api import notebook
from tinderbox.config import check_train
from tinderbox.errors import BadInput
from tinderbox.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def spark(processes: Callable[[], dict[int, str]]) -> Iterator[SparkSession]:
    """A session with two workers' worth of cores."""
    processes()
    job = check_train({"kind": "train", "name": "session", "model": "lenet5", "epochs": 1}, "test")
    session = open_session(job, "local[2]", None)
    yield session
    session.stop()


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    """Forty rows: two numbers, a list of two, and what kind they are, which is whether the first one is above 0."""
    rows = [(float(n % 7 - 3), n, [n / 40, 1.0], "above" if n % 7 > 3 else "below") for n in range(40)]
    return spark.createDataFrame(rows, "u double, v int, w array<double>, kind string")


def build(shape: tuple[int, ...], classes: int) -> Any:
    """Return a model of one layer."""
    import keras

    return keras.Sequential([keras.Input(shape), keras.layers.Dense(classes, "softmax")])


def test_a_data_frame_is_learnt_from(
    frame: DataFrame, tmp_path: Path, processes: Callable[[], dict[int, str]], eventually: Callable[..., bool]
) -> None:
    """On its own session, by a function of the notebook; the same call gives what is there; no worker stays."""

    def train() -> tinderbox.TrainResult:
        return tinderbox.train(
            build,
            data=frame,
            target="kind",
            features=["u", "w"],
            epochs=3,
            batch=4,
            optimizer={"name": "adam", "learning_rate": 0.1},
            storage=str(tmp_path),
        )

    run = train()
    assert (run.job.name, list(run.history.index), run.classes) == ("notebook", [1, 2, 3], ["above", "below"])
    assert run.metrics["loss"] == run.history.loc[3, "loss"] < run.history.loc[1, "loss"]
    assert run.model().count_params() == 3 * 2 + 2
    assert run.confusion is not None
    assert run.confusion.to_numpy().sum() == 8
    assert Path(run.report).exists()
    assert len(run.attempts) == 1
    again = train()
    assert (len(again.record.attempts), again.metrics) == (1, run.metrics)
    assert eventually(lambda: not any("forkserver" in command for command in processes().values()), 60.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"target": None}, "the DataFrame: target must name the column to predict, one of u, v, w, kind"),
        ({"target": "kinds"}, "the DataFrame: has no column 'kinds'; it has u, v, w, kind"),
        ({"target": "u", "features": ["kind"]}, "the DataFrame: feature 'kind' must hold numbers, got string"),
        ({"target": "kind", "data": "empty"}, "the DataFrame: has no rows; there is nothing to learn from"),
    ],
)
def test_frames_that_cannot_be_learnt_from(frame: DataFrame, changes: dict[str, Any], sentence: str) -> None:
    """Are refused in one sentence before anything is trained."""
    data = frame.limit(0) if "data" in changes else frame
    with pytest.raises(BadInput) as refusal:
        tinderbox.train(build, epochs=1, **{**changes, "data": data})
    assert sentence in str(refusal.value)


def test_a_frame_that_is_too_large(frame: DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not brought here; the sentence says what to do."""
    monkeypatch.setattr(notebook, "LARGEST_FRAME", 40 * 8 * 5 - 1)
    with pytest.raises(BadInput) as refusal:
        tinderbox.train(build, data=frame, target="kind", epochs=1)
    assert "has 40 rows, about 0 MiB, and at most 0 MiB are brought to the driver; write it as Parquet" in str(
        refusal.value
    )
    monkeypatch.setattr(notebook, "LARGEST_FRAME", 40 * 8 * 5)
    source, data = notebook.speak_data(frame, "kind", None)
    assert source["source"] == "memory"
    assert data is not None
    assert data.train.x.shape == (24, 4)
