"""Two runs side by side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.unit.report.trainings import Story, make_train_job
from tinderbox.api.compare import compare_runs
from tinderbox.config.data import Digits
from tinderbox.data import digest, load
from tinderbox.errors import BadInput
from tinderbox.run import Run, digest_tree
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import MODEL, TrainFolder

RUN = Run("", "", "d" * 64, "c" * 64, "3.11.9", {"keras": "3.15.0", "numpy": "2.0"}, "e" * 64)


def train(storage: Path, name: str, epochs: int = 3, run: Run = RUN, **changes: Any) -> TrainFolder:
    """Return a training as a run of some epochs leaves it, but for its model."""
    job = make_train_job(name=name, storage=str(storage), **changes).model_dump(mode="json", exclude_none=True)
    folder = TrainFolder(str(storage), name)
    folder.write_job(job, replace(run, name=name, configuration=digest_tree(job)))
    story = Story()
    story.begin("node-a", "node-b")
    story.learn(1, epochs)
    log = folder.log()
    log.append(story.lines)
    log.close()
    return folder


def save(folder: TrainFolder, scratch: Path, shape: tuple[int, ...], label: int) -> None:
    """Keep a model that takes all examples for the same one of ten classes."""
    import keras

    dense = keras.layers.Dense(10, activation="softmax", kernel_initializer="zeros")
    model = keras.Sequential([keras.layers.Input(shape), keras.layers.Flatten(), dense])
    dense.set_weights([dense.get_weights()[0], 9.0 * np.eye(10)[label]])
    model.save(scratch / "model.keras")
    folder.write(MODEL, (scratch / "model.keras").read_bytes())


def test_trainings_tell_what_has_changed(tmp_path: Path) -> None:
    """Digests, keys of the configuration but for names and places, versions, and what it did to the metrics."""
    train(tmp_path, "one", batch=32)
    other = replace(RUN, code="a" * 64, versions={"keras": "3.16.0", "numpy": "2.0"})
    train(tmp_path, "two", 5, other, optimizer="adam")
    found = compare_runs("one", "two", str(tmp_path))
    assert found.same == {"data": True, "code": False, "model": True, "configuration": False, "versions": False}
    assert {change.name: (change.first, change.second) for change in found.configuration} == {
        "batch.size": (32, 64),
        "optimizer.name": (None, "adam"),
        "optimizer.learning_rate": (None, 0.01),
        "optimizer.arguments": (None, {}),
    }
    assert [(change.name, change.first, change.second) for change in found.versions] == [("keras", "3.15.0", "3.16.0")]
    figures = {figure.name: (figure.first, figure.second) for figure in found.figures}
    assert (figures["epochs"], figures["steps"], figures["attempts"]) == ((3, 5), (1290, 2150), (1, 1))
    metrics = {metric.name: metric for metric in found.metrics}
    assert list(metrics) == ["loss", "top1", "top5", "val_loss", "val_top1", "val_top5"]
    top1 = metrics["val_top1"]
    assert top1.first is not None
    assert top1.second is not None
    assert top1.goal == top1.first.best < top1.second.best
    assert top1.epochs is not None
    assert (top1.epochs.first, top1.epochs.second) == (3, 3)
    assert (found.gain, found.no_gain) == (None, "one and two have no model yet")


def test_the_second_one_may_be_elsewhere(tmp_path: Path) -> None:
    """Under the same name, and a run that is the same differs in nothing."""
    train(tmp_path / "here", "one")
    train(tmp_path / "there", "one")
    found = compare_runs("one", "one", str(tmp_path / "here"), str(tmp_path / "there"), score=False)
    assert all(found.same.values())
    assert {figure.difference for figure in found.figures} == {0}
    assert (found.gain, found.no_gain) == (None, "")


def test_models_are_scored_on_the_same_test_examples(tmp_path: Path) -> None:
    """Each once, with the interval of the paired difference."""
    data = load(Digits(source="digits"), tmp_path, str)
    run = replace(RUN, data=digest(data))
    for name, label in (("one", 0), ("two", 1)):
        save(train(tmp_path, name, run=run), tmp_path, data.train.x.shape[1:], label)
    found = compare_runs("one", "two", str(tmp_path))
    assert data.test is not None
    assert found.gain is not None
    assert found.gain.measure == "accuracy"
    assert found.gain.examples == len(data.test)
    assert found.gain.baseline == pytest.approx(np.mean(data.test.y == 0))
    assert found.gain.best == pytest.approx(np.mean(data.test.y == 1))
    assert found.gain.low < found.gain.difference < found.gain.high


@pytest.mark.parametrize(
    ("first", "second", "changed", "sentence"),
    [
        ("a" * 64, "b" * 64, {}, "the two have not the same data"),
        ("", "", {}, "the two have not the same data"),
        ("a" * 64, "a" * 64, {}, "the data is not what it was when they were trained"),
        ("a" * 64, "a" * 64, {"data": {"source": "npz", "path": "gone.npz"}}, "gone.npz"),
        (
            "a" * 64,
            "a" * 64,
            {"data": {"source": "memory", "digest": "a"}},
            "data of source memory has no test examples",
        ),
    ],
)
def test_why_models_are_not_scored(
    tmp_path: Path, first: str, second: str, changed: dict[str, Any], sentence: str
) -> None:
    """One sentence; the rest is compared all the same."""
    for name, data in (("one", first), ("two", second)):
        train(tmp_path, name, run=replace(RUN, data=data), **changed).write(MODEL, b"model")
    found = compare_runs("one", "two", str(tmp_path))
    assert found.gain is None
    assert sentence in found.no_gain
    assert found.metrics


def test_a_training_without_an_epoch(tmp_path: Path) -> None:
    """Has no metrics to compare."""
    train(tmp_path, "one")
    empty = TrainFolder(str(tmp_path), "two")
    empty.write_job(make_train_job(name="two").model_dump(mode="json", exclude_none=True), RUN)
    found = compare_runs("one", "two", str(tmp_path))
    assert {metric.second for metric in found.metrics} == {None}
    assert {figure.name: figure.second for figure in found.figures}["examples/s"] is None


def test_studies_are_compared_by_their_best_values(recorded: StudyFolder, tmp_path: Path) -> None:
    """With the same digests; studies know nothing of a model."""
    other = StudyFolder(str(tmp_path / "studies"), "young")
    other.write_job({**recorded.read_job(), "name": "young", "epochs": 7}, replace(recorded.read_run(), data="b" * 64))
    found = compare_runs("small", "young", str(tmp_path / "studies"))
    assert found.kind == "study"
    assert found.same == {"data": False, "code": True, "configuration": False, "versions": True}
    assert [(change.name, change.first, change.second) for change in found.configuration] == [("epochs", 1, 7)]
    figures = {figure.name: (figure.first, figure.second) for figure in found.figures}
    assert figures == {"best loss": (0.25, None), "trials": (5, 0), "seconds": (10.0, None)}
    assert found.metrics == ()


def test_batch_inferences_are_compared_by_their_rows(labelled: RowsFolder, tmp_path: Path) -> None:
    """And by their models and recipes."""
    tree = yaml.safe_load(labelled.read("infer.yaml"))
    other = RowsFolder(str(tmp_path / "studies"), "later")
    other.write_job({**tree, "name": "later", "input": {**tree["input"], "path": "new"}}, labelled.read_run())
    found = compare_runs("photos", "later", str(tmp_path / "studies"))
    assert found.same == {"recipe": True, "model": True, "configuration": False, "versions": True}
    assert [change.name for change in found.configuration] == ["input.path"]
    figures = {figure.name: (figure.first, figure.second) for figure in found.figures}
    assert (figures["rows"], figures["errors"], figures["accuracy"]) == ((3, 0), (1, 0), (0.5, None))


def test_runs_of_different_kinds(recorded: StudyFolder, tmp_path: Path) -> None:
    """Cannot be compared."""
    train(tmp_path / "studies", "one")
    with pytest.raises(BadInput, match=r"^one is a training and small a study; name two runs of one kind$"):
        compare_runs("one", recorded.name, str(tmp_path / "studies"))


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    """Is told with those that are."""
    train(tmp_path, "one")
    for pair in (("one", "two"), ("two", "one")):
        with pytest.raises(BadInput, match=r"there is no .* 'two' in .*; it holds one$"):
            compare_runs(*pair, str(tmp_path))
