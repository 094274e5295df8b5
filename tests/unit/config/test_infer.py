"""The job file of a batch inference: what it says without a word, and the one sentence for each mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tinderbox.config import InferJob, check_infer, read_infer
from tinderbox.config.infer import Model
from tinderbox.config.inputs import Images, Records, Rows, Tars, guess_source
from tinderbox.errors import BadInput

VALID: dict[str, Any] = {"kind": "infer", "name": "photos", "model": "model.keras", "input": "photos"}
OWN: dict[str, Any] = {"model": None, "predict": "module:predict", "columns": {"size": "int"}}
NAMED = "model: a model is named by path, by study or by run, one of the three, got "
TABLE: dict[str, Any] = {"source": "csv", "path": "rows.csv", "features": ["a", "b"]}


def accept(**changes: Any) -> InferJob:
    """Check the valid job with some keys changed, or removed by None."""
    return check_infer({key: value for key, value in {**VALID, **changes}.items() if value is not None}, "job.yaml")


def refuse(**changes: Any) -> str:
    """Return the sentence with which a changed job is refused."""
    with pytest.raises(BadInput) as refusal:
        accept(**changes)
    sentence = str(refusal.value)
    assert sentence.startswith("job.yaml: ")
    assert "\n" not in sentence
    return sentence.removeprefix("job.yaml: ")


def test_a_short_job_says_all_that_is_needed() -> None:
    """A path stands for a model and for images; everything else has a value."""
    job = accept()
    assert job.model == Model(path="model.keras")
    assert job.input == Images(source="images", path="photos")
    assert (job.task, job.top, job.batch, job.xla, job.output.format) == (
        "classification", 5, "auto", "auto", "parquet"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("photos", "images"),
        ("photos/*.jpg", "images"),
        ("s3a://bucket/tar/*", "images"),
        ("a.tar", "tar"),
        ("s3a://bucket/*.TAR", "tar"),
        ("a.tar.gz", "tar"),
        ("a.tgz", "tar"),
        ("a.tar.bz2", "tar"),
        ("a.tar.xz", "tar"),
        ("a.tfrecord", "tfrecord"),
        ("a.tfrecords", "tfrecord"),
        ("a.tfrecord.gz", "tfrecord"),
        ("rows.parquet", "parquet"),
        ("rows.csv", "csv"),
    ],
)
def test_a_path_says_what_it_is_of(path: str, expected: str) -> None:
    """By how it ends; what has no such end are files of images."""
    assert guess_source(path) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.tar", Tars(source="tar", path="a.tar")),
        ("a.tfrecord", Records(source="tfrecord", path="a.tfrecord")),
        (TABLE, Rows(**TABLE)),
        (
            {"source": "parquet", "path": "p", "image": "content", "key": "name"},
            Rows(source="parquet", path="p", image="content", key="name"),
        ),
    ],
)
def test_inputs(given: Any, expected: Any) -> None:
    """Archives need no more than a path, tables need to say their columns."""
    assert accept(input=given).input == expected


def test_what_a_model_is_called() -> None:
    """In reports: a path as it is, others by what they are."""
    told = [accept(model=model).model for model in ("m.keras", {"study": "digits"}, {"run": "lenet"})]
    assert [model and model.told for model in told] == ["m.keras", "study digits", "training lenet"]


def test_a_function_of_ones_own() -> None:
    """It takes the place of a model."""
    job = accept(**OWN)
    assert (job.model, job.predict, job.columns) == (None, "module:predict", {"size": "int"})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        OWN,
        {"input": TABLE, "preprocess": {"scale": 0.5, "mean": 1, "std": 2}},
        {"input": {"source": "data", "data": {"source": "digits"}}, "truth": "folder"},
        {"model": {"study": "digits"}, "task": "regression", "output": {"format": "jsonl", "mode": "refuse"}},
        {"model": {"run": "lenet", "storage": "s3://b"}},
        {"preprocess": {"size": [224, 224], "channels": "bgr", "mean": [1, 2, 3]}, "batch": 16, "xla": False},
    ],
)
def test_a_job_that_is_kept_can_be_read_again(changes: dict[str, Any], tmp_path: Path) -> None:
    """What is written beside the rows, with all that goes without saying, is a valid job, and the same one."""
    import yaml

    job = accept(**changes)
    (tmp_path / "infer.yaml").write_text(yaml.safe_dump(job.model_dump(mode="json", exclude_none=True)))
    assert read_infer(tmp_path / "infer.yaml") == job


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": None}, "rows are for a model or for your own predict; name one of the two"),
        ({**OWN, "model": "m.keras"}, "rows are for a model or for your own predict; name one of the two"),
        ({**OWN, "columns": None}, "predict and columns belong together: columns says what the function returns"),
        ({"columns": {"a": "int"}}, "predict and columns belong together: columns says what the function returns"),
        ({"model": {}}, f"{NAMED}none of them"),
        ({"model": {"path": "a", "study": "b"}}, f"{NAMED}path and study"),
        ({"model": {"study": "a", "run": "b"}}, f"{NAMED}study and run"),
        (
            {"model": {"study": "b", "weights": "w"}},
            "model: weights belong to an architecture at path; that of a study or a run has its own",
        ),
        ({"model": {"run": "b", "weights": "w"}}, "model: weights belong to an architecture at path"),
        (
            {"model": {"path": "b", "storage": "w"}},
            "model: storage says where a study or a run is; a path stands for itself",
        ),
        ({"predict": "no-function", "model": None}, "predict: a function is written module:function"),
        ({"name": "Photos!"}, "name: a name has lower-case letters, digits and dashes"),
        ({"input": None}, "the job needs input"),
        ({"input": {"path": "x"}}, "input needs source: one of csv, data, images, parquet, tar, tfrecord, got nothing"),
        ({"input": {"source": "zip", "path": "x"}}, "input needs source: one of "),
        ({"input": {"source": "tar", "path": "x", "image": "i"}}, "unknown key 'image' in input"),
        (
            {"input": "rows.csv"},
            "input: rows hold images in the column image, or numbers in the columns features; name",
        ),
        ({"input": {**TABLE, "image": "i"}}, "input: rows hold images in the column image, or numbers"),
        (
            {"input": {"source": "csv", "path": "p", "image": "i"}},
            "input: a CSV file cannot hold an image's bytes; put them into Parquet, or name features",
        ),
        ({"input": {**TABLE, "features": []}}, "input.features: "),
        (
            {"input": {**TABLE, "features": ["a", "A"]}},
            "input: features are columns of different names, none of them path, got ['a', 'A']",
        ),
        (
            {"input": {**TABLE, "features": ["path"]}},
            "input: features are columns of different names, none of them path",
        ),
        ({"preprocess": {"size": [224]}}, "preprocess.size: "),
        (
            {"preprocess": {"size": [0, 5]}},
            "preprocess: size is a height and a width from 1 to 16384 pixels, got [0, 5]",
        ),
        ({"preprocess": {"std": 0}}, "preprocess: std divides, so none may be 0, got 0"),
        ({"preprocess": {"std": [1, 0, 1]}}, "preprocess: std divides, so none may be 0, got [1.0, 0.0, 1.0]"),
        ({"preprocess": {"mean": []}}, "preprocess.mean: list should have at least 1 item"),
        (
            {"preprocess": {"mean": float("nan")}},
            "preprocess.mean: input should be a valid finite number or list, got nan",
        ),
        ({"preprocess": {"resize": "best"}}, "preprocess.resize: "),
        ({"task": "regression", "labels": "l.txt"}, "labels: a regression has values and no labels; leave labels out"),
        ({"task": "regression", "truth": "folder"}, "truth: a regression has values and no labels; leave truth out"),
        ({"task": "regression", "logits": True}, "logits: a regression has values as they are; leave logits out"),
        ({**OWN, "columns": {}}, "columns must be one or more, none called "),
        ({**OWN, "columns": {"Path": "int", "a": "int"}}, "columns must be one or more, none called Path"),
        (
            {**OWN, "columns": {"a": "array<int>"}, "output": {"format": "csv"}},
            "columns: a CSV file cannot hold lists; write jsonl or parquet",
        ),
        (
            {**OWN, "labels": "l.txt"},
            "labels: says what becomes of a model's answers, and predict is yours; leave it out",
        ),
        ({**OWN, "truth": "folder"}, "truth: says what becomes of a model's answers"),
        ({**OWN, "preprocess": {"scale": 2}}, "preprocess: predict gets values as they are, pixels in gray or rgb"),
        ({**OWN, "preprocess": {"channels": "bgr"}}, "preprocess: predict gets values as they are"),
        ({"input": TABLE, "preprocess": {"channels": "bgr"}}, "preprocess: channels is for images, and the input has"),
        (
            {"input": TABLE, "preprocess": {"size": [1, 1]}},
            "preprocess: size is for images, and the input has features",
        ),
        ({"batch": 0}, "batch: "),
        ({"batch": "many"}, "batch: "),
        ({"top": 0}, "top: "),
        ({"xla": "yes"}, "xla: "),
        ({"output": {"format": "orc"}}, "output.format: "),
        ({"limits": {"rows": 0}}, "limits.rows: "),
        ({"truth": "file"}, "truth: "),
        ({"kind": "sweep"}, "is a job of kind sweep, and not infer; tinderbox sweep runs it"),
        ({"modle": "m.keras", "model": None}, "unknown key 'modle' in the job; did you mean model?"),
        ({"name": "a\0b"}, "name: "),
        ({"model": "a\0b"}, "model: a text must be UTF-8 without NUL, got 'a\\x00b'"),
    ],
)
def test_mistakes_are_told_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    """The place, the rule, and what was got."""
    assert refuse(**changes).startswith(sentence)
