"""The job file of a training: what it says without a word, its short forms, and the one sentence for each mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tinderbox.config import TrainJob, check_train, read_any, read_train
from tinderbox.config.network import Batch, Network, Optimizer
from tinderbox.config.reading import write_job
from tinderbox.config.train import METRICS, Averaging, EarlyStopping, Synchronous, Threshold, TrainCheckpoints
from tinderbox.errors import BadInput

VALID: dict[str, Any] = {"kind": "train", "name": "lenet", "model": "lenet5", "epochs": 3}


def accept(**changes: Any) -> TrainJob:
    """Check the valid job with some keys changed, or removed by None."""
    return check_train({key: value for key, value in {**VALID, **changes}.items() if value is not None}, "job.yaml")


def refuse(**changes: Any) -> str:
    """Return the sentence with which a changed job is refused."""
    with pytest.raises(BadInput) as refusal:
        accept(**changes)
    sentence = str(refusal.value)
    assert sentence.startswith("job.yaml: ")
    assert "\n" not in sentence
    return sentence.removeprefix("job.yaml: ")


def test_a_short_job_says_all_that_is_needed() -> None:
    """A name, a model and epochs; everything else has a value."""
    job = accept()
    assert (job.model, job.mode, job.batch) == (Network(name="lenet5"), Synchronous(name="synchronous"), Batch())
    assert (job.data.source, job.task, job.loss, job.optimizer, job.precision) == (
        "digits", "auto", None, None, "float32"
    )  # fmt: skip
    assert (job.workers, job.slots, job.cores, job.gpus, job.seed, job.storage) == (2, 2, 1, 0, 0, "studies")
    assert (job.checkpoints.every_epochs, job.checkpoints.keep, job.early_stopping) == (1, 2, None)
    assert (job.attempts.most, job.attempts.wait, job.attempts.scaling) == (10, 60.0, "linear")


@pytest.mark.parametrize(
    ("key", "short", "expected"),
    [
        ("model", "lenet5", Network(name="lenet5")),
        ("model", "convnet", Network(name="convnet")),
        ("model", "models/own.keras", Network(path="models/own.keras")),
        ("model", "s3://bucket/own.json", Network(path="s3://bucket/own.json")),
        ("mode", "synchronous", Synchronous(name="synchronous")),
        ("mode", "averaging", Averaging(name="averaging", frequency=5, depth=2)),
        ("mode", "threshold", Threshold(name="threshold")),
        ("batch", 128, Batch(size=128, per="worker")),
        ("optimizer", "adam", Optimizer(name="adam", learning_rate=0.01)),
    ],
)
def test_short_forms(key: str, short: Any, expected: Any) -> None:
    """A name, a path or a number stands for the part that begins with it."""
    assert getattr(accept(**{key: short}), key) == expected


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        (
            {"model": {"build": "net:build", "parameters": {"a": [1, 2], "b": [1.5], "c": True, "d": "x"}}},
            "model",
            None,
        ),
        ({"model": {"build": "net:build", "study": "digits", "storage": "s3://b"}}, "model", None),
        ({"model": {"path": "net.json", "weights": "net.weights.h5"}}, "model", None),
        ({"optimizer": {"schedule": {"name": "CosineDecay", "decay_steps": 100}}}, "optimizer", None),
        ({"optimizer": {"name": "sgd", "arguments": {"momentum": 0.9, "nesterov": True}}}, "optimizer", None),
        ({"batch": {"size": 64, "per": "all"}}, "batch", None),
        ({"mode": {"name": "threshold", "threshold": 1e-4, "adaptive": False, "staleness": 1}}, "mode", None),
        ({"attempts": {"wait": "30s", "most": 3, "scaling": "none"}}, "attempts", None),
        ({"early_stopping": {"metric": "val_top1", "patience": 2}}, "early_stopping", None),
        ({"gpus": 4, "precision": "float16"}, "gpus", 4),
        ({"precision": "bfloat16", "mode": "threshold"}, "precision", "bfloat16"),
        ({"gpus": 1, "mode": "averaging"}, "gpus", 1),
        ({"mode": "averaging", "attempts": {"most": 3, "wait": 60, "scaling": "linear"}}, "attempts", None),
        ({"mode": {"name": "threshold", "adaptive": False, "low": 5e-3, "high": 1e-2}}, "mode", None),
        ({"deterministic": True, "mode": "threshold", "workers": 1}, "deterministic", True),
        ({"deterministic": True, "mode": "averaging"}, "deterministic", True),
    ],
)
def test_long_forms(changes: dict[str, Any], key: str, expected: Any) -> None:
    """They are read as they are written, and written as they are read."""
    job = accept(**changes)
    assert expected is None or getattr(job, key) == expected
    assert check_train(job.model_dump(mode="json", exclude_none=True), "again") == job


def test_examples_of_a_step() -> None:
    """By the workers that there are, unless the batch is that of all; only so the learning rate goes by them."""
    assert [accept(batch=8).examples_of_a_step(workers) for workers in (1, 3)] == [8, 24]
    assert [accept(batch={"size": 8, "per": "all"}).examples_of_a_step(workers) for workers in (1, 3)] == [8, 8]
    given: list[dict[str, Any]] = [
        {},
        {"mode": "threshold"},
        {"mode": "averaging"},
        {"workers": 1},
        {"batch": {"size": 8, "per": "all"}},
        {"attempts": {"scaling": "none"}},
    ]
    assert [accept(**keys).scales for keys in given] == [True, True, False, False, False, False]


def test_when_checkpoints_are_due() -> None:
    """After each epoch, unless the job says otherwise; where only steps are named, only they count."""
    given: list[dict[str, Any]] = [{}, {"steps": 10}, {"epochs": 2}, {"steps": 10, "epochs": 3}]
    assert [TrainCheckpoints(**keys).every_epochs for keys in given] == [1, None, 2, 3]


def test_which_way_is_better() -> None:
    """Losses and errors are to be low, shares of right answers high."""
    signs = {name: EarlyStopping(metric=f"val_{name}").sign for name in METRICS}
    assert signs == {"loss": 1, "top1": -1, "top5": -1, "mae": 1, "mse": 1}
    assert EarlyStopping(metric="top5").sign == -1
    assert EarlyStopping().metric == "val_loss"


def test_the_threshold_halves_in_twenty_steps() -> None:
    """As in DL4J's AdaptiveThresholdAlgorithm."""
    assert Threshold(name="threshold").decay ** 20 == pytest.approx(0.5)


def test_a_job_is_read_from_a_file(tmp_path: Path) -> None:
    """As YAML, with changes, by its kind too; what is written of it is read as it was."""
    path = tmp_path / "job.yaml"
    path.write_text("kind: train\nname: lenet\nmodel: lenet5\nepochs: 3\n")
    job = read_train(path, ["mode=averaging", "optimizer.learning_rate=1e-2", "batch.size=8"])
    assert (job.mode, job.optimizer, job.batch) == (Averaging(name="averaging"), Optimizer(), Batch(size=8))
    path.write_text(write_job(job.model_dump(mode="json", exclude_none=True)))
    assert read_any(path) == job


def test_the_schema_is_closed() -> None:
    """Every mapping of a fixed form refuses keys that it does not know."""
    schema = TrainJob.model_json_schema()
    parts = [schema, *schema["$defs"].values()]
    assert [part["title"] for part in parts if part.get("additionalProperties", True) is not False] == []
    assert set(schema["required"]) == {"kind", "name", "model", "epochs"}
    json.dumps(schema)


ONE = "model: a network is a name, a build function or a path, one of the three, got "
SHAPED = "model: a model at path has its shape already; leave parameters and study out"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": None}, "the job needs model: what is trained"),
        ({"epochs": None}, "the job needs epochs: how often every example is trained on"),
        ({"name": None}, "the job needs name: the run's name"),
        ({"name": "A"}, "name: a name has lower-case letters, digits and dashes, at most 53, got 'A'"),
        ({"kind": "sweep"}, "is a job of kind sweep, and not train; tinderbox sweep runs it"),
        ({"modle": "lenet5"}, "unknown key 'modle' in the job; did you mean mode?"),
        ({"model": {}}, f"{ONE}none of them"),
        ({"model": {"name": "lenet5", "build": "a:b"}}, f"{ONE}name and build"),
        ({"model": {"name": "lenet6"}}, "model.name: input should be 'lenet5' or 'convnet', got 'lenet6'"),
        ({"model": {"nmae": "lenet5"}}, "unknown key 'nmae' in model; did you mean name?"),
        ({"model": {"build": "build"}}, "model.build: a function is written module:function, got 'build'"),
        ({"model": {"path": "m", "parameters": {"a": 1}}}, SHAPED),
        ({"model": {"path": "m", "study": "digits"}}, SHAPED),
        (
            {"model": {"name": "lenet5", "weights": "w"}},
            "model: weights belong to an architecture at path; leave them out",
        ),
        (
            {"model": {"name": "convnet", "storage": "s"}},
            "model: storage says where a study is; name the study, or leave it out",
        ),
        (
            {"model": {"build": "m:f", "parameters": {"a": {"b": 1}}}},
            "model.parameters.a: input should be a valid boolean, integer, number, string or list, got {'b': 1}",
        ),
        ({"model": {"build": "m:f", "parameters": {"a": None}}}, "model.parameters.a: input should be a valid "),
        ({"model": {"build": "m:f", "parameters": {1: 1}}}, "model.parameters: a key must be a text, got 1"),
        ({"model": {"path": "a\0b"}}, "model: a text must be UTF-8 without NUL, got 'a\\x00b'"),
        (
            {"data": {"source": "digts"}},
            "data needs source: one of csv, digits, function, memory, mnist, npz, parquet, shards, got digts",
        ),
        ({"task": "ranking"}, "task: input should be 'auto', 'classification' or 'regression', got 'ranking'"),
        ({"optimizer": {"lr": 0.1}}, "unknown key 'lr' in optimizer"),
        ({"optimizer": {"learning_rate": 0}}, "optimizer.learning_rate: input should be greater than 0, got 0"),
        (
            {"optimizer": {"arguments": {"learning_rate": 0.1}}},
            "optimizer: learning_rate has a place of its own, beside arguments; leave it out there",
        ),
        (
            {"optimizer": {"schedule": {"decay_steps": 3}}},
            "optimizer: a schedule has the name of one of keras.optimizers.schedules, got {'decay_steps': 3}",
        ),
        (
            {"optimizer": {"learning_rate": 5.0, "schedule": {"name": "CosineDecay", "initial_learning_rate": 0.1}}},
            "optimizer: learning_rate has no effect beside a schedule's own initial_learning_rate, got 5.0; "
            "leave one of them out",
        ),
        ({"optimizer": {"schedule": {"name": 3}}}, "optimizer: a schedule has the name of one of "),
        ({"optimizer": {"schedule": "CosineDecay"}}, "optimizer.schedule: input should be a valid dictionary"),
        (
            {"precision": "float64"},
            "precision: input should be 'float32', 'bfloat16' or 'float16', got 'float64'",
        ),
        ({"batch": 0}, "batch.size: input should be greater than or equal to 1, got 0"),
        ({"batch": True}, "batch: input should be a valid dictionary"),
        ({"batch": {"size": 8, "per": "each"}}, "batch.per: input should be 'worker' or 'all', got 'each'"),
        ({"batch": {"size": 3, "per": "all"}, "workers": 4}, "batch: 3 for all does not give each of 4 workers one"),
        ({"epochs": 0}, "epochs: input should be greater than or equal to 1, got 0"),
        ({"workers": 0}, "workers: input should be greater than or equal to 1, got 0"),
        ({"cores": 0}, "cores: input should be greater than or equal to 1, got 0"),
        ({"gpus": -1}, "gpus: input should be greater than or equal to 0, got -1"),
        (
            {"gpus": 2, "mode": "averaging"},
            "gpus: more than one in a worker need mode synchronous, got averaging",
        ),
        (
            {"precision": "float16", "mode": "threshold"},
            "precision: float16 scales its loss, which mode threshold cannot share; use bfloat16",
        ),
        (
            {"deterministic": True, "mode": "threshold"},
            "deterministic: in mode threshold it counts whose update comes first; leave it out",
        ),
        ({"deterministic": "yes"}, "deterministic: input should be a valid boolean, got 'yes'"),
        ({"mode": "async"}, "mode needs name: one of averaging, synchronous, threshold, got async"),
        ({"mode": {"frequency": 3}}, "mode needs name: one of averaging, synchronous, threshold, got nothing"),
        ({"mode": {"name": "synchronous", "frequency": 3}}, "unknown key 'frequency' in mode"),
        ({"mode": {"name": "averaging", "frequency": 0}}, "mode.frequency: input should be greater than or equal to 1"),
        ({"mode": {"name": "averaging", "depth": 9}}, "mode.depth: input should be less than or equal to 8, got 9"),
        ({"mode": {"name": "threshold", "threshold": 0}}, "mode.threshold: input should be greater than 0, got 0"),
        (
            {"mode": {"name": "threshold", "low": 0.1, "high": 0.01}},
            "mode: low must be below high, got 0.1 and 0.01",
        ),
        (
            {"mode": {"name": "threshold", "adaptive": False, "low": 1e-3, "decay": 0.9}},
            "mode: low and decay have no effect with adaptive: false; leave them out",
        ),
        (
            {"mode": "averaging", "attempts": {"wait": 5, "scaling": "none"}},
            "attempts: wait and scaling have no effect in mode averaging, where a lost share is done again; "
            "leave them out",
        ),
        ({"mode": {"name": "threshold", "high": 1.0}}, "mode.high: input should be less than 1, got 1.0"),
        ({"mode": {"name": "threshold", "decay": 0.4}}, "mode.decay: input should be greater than or equal to 0.5"),
        ({"mode": {"name": "threshold", "decay": 1.0}}, "mode.decay: input should be less than 1, got 1.0"),
        ({"mode": {"name": "threshold", "clip": 0.5}}, "mode.clip: input should be greater than or equal to 1"),
        ({"mode": {"name": "threshold", "clip_every": 0}}, "mode.clip_every: input should be greater than or equal"),
        ({"mode": {"name": "threshold", "staleness": 0}}, "mode.staleness: input should be greater than or equal"),
        ({"checkpoints": {"steps": 0}}, "checkpoints.steps: input should be greater than or equal to 1, got 0"),
        ({"checkpoints": {"epochs": 0}}, "checkpoints.epochs: input should be greater than or equal to 1, got 0"),
        ({"checkpoints": {"keep": 0}}, "checkpoints.keep: input should be greater than or equal to 1, got 0"),
        ({"checkpoints": {"every": "60s"}}, "unknown key 'every' in checkpoints"),
        ({"early_stopping": {"patience": 0}}, "early_stopping.patience: input should be greater than or equal to 1"),
        ({"early_stopping": {"min_delta": -1.0}}, "early_stopping.min_delta: input should be greater than or equal"),
        (
            {"early_stopping": {"metric": "val_accuracy"}},
            "early_stopping: metric is one of loss, top1, top5, mae, mse, or of these with val_ before it, "
            "got val_accuracy",
        ),
        ({"attempts": {"most": 0}}, "attempts.most: input should be greater than or equal to 1, got 0"),
        ({"attempts": {"wait": 0}}, "attempts.wait: input should be greater than 0, got 0"),
        ({"attempts": {"wait": "soon"}}, "attempts.wait: a duration is a number with s, m, h or d, such as 30m"),
        ({"attempts": {"wait": "4000d"}}, "attempts.wait: input should be less than or equal to 315360000"),
        ({"attempts": {"scaling": "sqrt"}}, "attempts.scaling: input should be 'linear' or 'none', got 'sqrt'"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0, got -1"),
    ],
)
def test_mistakes_are_told_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    """The place, the rule, and what was got."""
    assert refuse(**changes).startswith(sentence)
