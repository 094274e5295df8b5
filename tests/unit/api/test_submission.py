"""What a submission brings to a cluster, and what its driver reads there."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tinderbox.api import submission
from tinderbox.api.following import coordinator_port
from tinderbox.api.plan import describe_job
from tinderbox.api.submission import pack, submit_job
from tinderbox.config import SweepJob, read_any, read_sweep
from tinderbox.errors import BadInput
from tinderbox.kube.cluster import Release
from tinderbox.sweeping.objective import by_name

JOBS = Path(__file__).parents[3] / "jobs"
TEXTS = ["1e-3", "no", "010", "0x1F", "1_000", "1:30", "true", "null", "~", "", " a ", "a: b", "# a", "grün", "a\nb"]
TREE = {
    "kind": "sweep",
    "name": "own",
    "objective": "own_objective:train",
    "metric": {"name": "loss", "direction": "minimize"},
    "parameters": {
        "way": {"type": "choice", "choices": [*TEXTS, 1e-3, 10, True], "default": "no"},
        "on": {"type": "float", "low": 1e-07, "high": 1e22, "log": True, "when": {"way": ["no", "010"]}},
    },
    "search": "tpe",
    "budget": {"trials": 3, "time": "1h"},
    "epochs": 2,
    "data": {"source": "npz", "path": "data.npz"},
}


def written(folder: Path, **keys: Any) -> Path:
    """A job file, with code beside it."""
    (folder / "code").mkdir()
    (folder / "code" / "own_objective.py").write_text("def train(trial): ...\n")
    path = folder / "own.yaml"
    path.write_text(json.dumps({**TREE, **keys}))  # which puts each text in quotes, and is YAML
    return path


def as_the_driver(folder: Path, package: Any) -> SweepJob:
    """The job as the driver reads it, from what is mounted in its pod."""
    folder.mkdir()
    (folder / "job.yaml").write_text(package.job)
    if package.code is not None:
        (folder / "code.zip").write_bytes(package.code)
    return read_sweep(folder / "job.yaml")


def test_the_driver_reads_the_job_that_was_checked(tmp_path: Path) -> None:
    """Text for text and number for number, after --set; where studies are is the release's to say."""
    file = written(tmp_path)
    job = read_sweep(file, ["epochs=7", "parameters.way.default=1e-3", "storage=/tmp/elsewhere"])
    read = as_the_driver(tmp_path / "mount", pack(file, job, "token", None, False))
    assert describe_job(read) == describe_job(job.model_copy(update={"storage": "studies"}))
    assert list(map(repr, read.parameters["way"].choices)) == list(map(repr, job.parameters["way"].choices))  # type: ignore[union-attr]
    assert list(read.parameters) == ["way", "on"]
    assert read.epochs == 7


def test_code_travels(tmp_path: Path) -> None:
    """The driver's objective is what it would be here, so a study that goes on is of the same code."""
    file = written(tmp_path, code="code")
    package = pack(file, read_sweep(file), "token", None, False)
    assert package.code is not None
    assert zipfile.ZipFile(io.BytesIO(package.code)).namelist() == ["own_objective.py"]
    read = as_the_driver(tmp_path / "mount", package)
    assert read.code == "code.zip"
    here = by_name(read.objective, tmp_path / "code")
    assert by_name(read.objective, tmp_path / "mount" / read.code).identity == here.identity


def test_a_plain_file_brings_nothing_else(tmp_path: Path) -> None:
    """No further keys and no Job of its own."""
    file = written(tmp_path)
    package = pack(file, read_sweep(file), "token", "mine:2", True)
    assert (package.name, package.token, package.image) == ("sweep-own", "token", "mine:2")
    assert (package.code, package.files, package.template, package.arguments) == (None, {}, {}, ("--fresh",))


def test_a_manifest_brings_what_it_holds(tmp_path: Path) -> None:
    """The other keys of its ConfigMap, and its Job."""
    file = JOBS / "sweep-mnist.yaml"
    job = read_sweep(file)
    package = pack(file, job, "token", None, False)
    assert set(package.files) == {"fetch.py"}
    assert package.template["metadata"]["name"] == "sweep-mnist"
    assert package.arguments == ()
    assert as_the_driver(tmp_path / "mount", package) == job


def test_code_that_is_not_there(tmp_path: Path) -> None:
    """Is refused before anything is asked of the cluster."""
    file = written(tmp_path, code="cod")
    cluster: Any = None
    with pytest.raises(BadInput, match="code must name a folder with your modules"):
        submit_job(cluster, Release("tinderbox", "/studies", {}), file, read_sweep(file))


def test_each_submission_has_a_token_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which its Secret holds, and whoever submitted it."""
    applied: list[Any] = []
    monkeypatch.setattr(submission, "submit", lambda cluster, objects: applied.append(objects))
    documents = list(yaml.safe_load_all((JOBS / "sweep-digits.yaml").read_text()))
    release = Release("tinderbox", "/studies", documents[1])
    file, cluster = written(tmp_path), None
    first, second = (submit_job(cluster, release, file, read_sweep(file)) for _ in range(2))  # type: ignore[arg-type]
    assert first.token != second.token
    assert [objects[1]["stringData"]["token"] for objects in applied] == [first.token, second.token]
    assert coordinator_port(first.job) == 7070


def test_what_a_batch_inference_brings(tmp_path: Path) -> None:
    """Its own command, its folder of code, and where it is to begin anew `--force`."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").write_text("def predict(rows):\n    return rows\n")
    file = tmp_path / "job.yaml"
    file.write_text("kind: infer\nname: own\npredict: mine:predict\ncolumns: {a: int}\ncode: code\ninput: /data\n")
    package = pack(file, read_any(file), "secret", None, anew=True)
    assert (package.name, package.kind, package.arguments) == ("infer-own", "infer", ("--force",))
    assert package.code is not None
    assert "code: code.zip" in package.job
    assert "storage" not in package.job


def test_what_a_training_brings(tmp_path: Path) -> None:
    """Its own command and its folder of code; where it is to begin anew, the run of its name is set aside."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "mine.py").write_text("def build(shape, classes): ...\n")
    file = tmp_path / "job.yaml"
    file.write_text("kind: train\nname: own\nmodel: {build: 'mine:build'}\ncode: code\nepochs: 2\n")
    package = pack(file, read_any(file), "secret", None, anew=True)
    assert (package.name, package.kind, package.arguments) == ("train-own", "train", ("--fresh",))
    assert package.code is not None
    assert "code: code.zip" in package.job
    assert "storage" not in package.job


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("m.keras", "model: m.keras"),
        ({"path": "s3://b/m.json", "weights": "w.h5"}, "model.weights: w.h5"),
        ("/models/m.keras", None),
        ("lenet5", None),
    ],
)
def test_a_model_that_stays_here_is_refused(model: Any, told: str | None, tmp_path: Path) -> None:
    """The driver of a training would look for it below its own job."""
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump({"kind": "train", "name": "own", "model": model, "epochs": 1}))
    job = read_any(file)
    if told is None:
        assert pack(file, job, "secret", None, anew=False).arguments == ()
        return
    with pytest.raises(BadInput) as refusal:
        pack(file, job, "secret", None, anew=False)
    assert str(refusal.value).startswith(f"{told} is a file of this machine, which the cluster has not; give a URL, or")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"model": "m.keras"}, "model: m.keras"),
        ({"model": {"path": "s3://b/m.json", "weights": "w.h5"}}, "model.weights: w.h5"),
        ({"labels": "../labels.txt"}, "labels: ../labels.txt"),
        ({"input": "photos"}, "input: photos"),
        ({"input": {"source": "tar", "path": "./*.tar"}}, "input: ./*.tar"),
        ({"labels": "s3://b/labels.txt", "input": "file:/data", "model": "/models/m.keras"}, None),
        ({"labels": "./here.txt"}, None),
        ({"model": {"study": "digits"}, "input": {"source": "data", "data": {"source": "digits"}}}, None),
    ],
)
def test_files_that_stay_here_are_refused(keys: dict[str, Any], told: str | None, tmp_path: Path) -> None:
    """The driver would look for them below its own job; those in the same ConfigMap are there."""
    tree = {"kind": "infer", "name": "own", "model": "/m.keras", "input": "/data", **keys}
    held = {"job.yaml": yaml.safe_dump(tree), "here.txt": "a"}
    file = tmp_path / "manifest.yaml"
    file.write_text(yaml.safe_dump({"kind": "ConfigMap", "data": held}))
    job = read_any(file)
    if told is None:
        assert pack(file, job, "secret", None, anew=False).files == {"here.txt": "a"}
        return
    with pytest.raises(BadInput) as refusal:
        pack(file, job, "secret", None, anew=False)
    assert str(refusal.value).startswith(f"{told} is a file of this machine, which the cluster has not; give a URL, or")
