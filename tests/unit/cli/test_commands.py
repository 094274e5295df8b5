"""The commands: what they print, where, and their exit codes."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tinderbox.cli import commands
from tinderbox.config import SweepJob
from tinderbox.models.lenet import build
from tinderbox.run import identify
from tinderbox.storage import StudyFolder

JOBS = Path(__file__).parents[3] / "jobs"
REAL_MNIST = Path(os.environ.get("TINDERBOX_DATA", JOBS.parents[1] / "shared" / "data")) / "mnist"

Tinderbox = Callable[..., Result]

MISTAKES = [
    (["--set", "epoch=3"], "unknown key 'epoch' in the job; did you mean epochs?"),
    (["--set", "epochs=many"], "epochs: "),
    (["--set", "epochs=0"], "epochs: "),
    (["--set", "metric.direction=up"], "metric.direction: "),
    (["--set", "parameters.x.default=9"], "parameters.x: default must lie between low 0.0 and high 4.0, got 9.0"),
    (["--set", "parameters.x.grid=[]"], "grid must hold at least one point, got an empty list"),
    (["--set", "parameters.x.grid=[1, 5]"], "each grid point must lie between low 0.0 and high 4.0, got 5.0"),
    (["--set", "parameters.x.kind=log"], "unknown key 'kind' in parameters.x"),
    (["--set", "parameters.x.type=real"], "parameters.x needs type: one of "),
    (["--set", "search=guess"], "search.method: "),
    (["--set", "search=random"], "search random has no end of its own; give budget a number of trials or a time"),
    (["--set", "budget.time=soon"], "a duration is a number with s, m, h or d, such as 30m, got 'soon'"),
    (["--set", "objective=train"], "a function is written module:function, got 'train'"),
    (["--set", "objective=cli_objective:tune"], "module cli_objective has no function tune"),
    (["--set", "objective=cli_objective:not_a_function"], "module cli_objective has no function not_a_function"),
    (["--set", "objective=cli_nowhere:train"], "module cli_nowhere does not import: ModuleNotFoundError"),
    (["--set", "objective=boom:train"], "boom:train: module boom does not import: ModuleNotFoundError"),
    (["--set", "objective=cli_broken:train"], "module cli_broken does not import: ModuleNotFoundError"),
    (["--set", "objective=cli_wordy:train"], "module cli_wordy does not import: ValueError: first"),
    (
        ["--set", "data={source: function, function: cli_objective:load}"],
        "cli_objective:load: raised ValueError: first",
    ),
    (["--set", "code=cod"], "code must name a folder with your modules, got cod, which is none"),
    (
        ["--set", "data.path=nowhere.npz"],
        "nowhere.npz: does not exist; a relative path starts at the job file's folder",
    ),
    (["--set", "data.source=memory"], "job.yaml: data needs digest (and 1 more)"),
    (
        ["--set", "data={source: memory, digest: 00ff}"],
        "memory: holds arrays of a notebook, which are gone; pass them as data again",
    ),
    (["--set", "storage=nonsense://bucket"], "storage 'nonsense://bucket' cannot be opened"),
    (["--set", "name=Small Study"], "a name has lower-case letters, digits and dashes"),
    (["--set", "epochs"], "a setting is written key=value, such as epochs=3, got 'epochs'"),
    (["--set", "epochs.more=3"], "epochs is not a mapping"),
    (["--master", "nonsense"], "a Spark master is local[2], spark://HOST:PORT, yarn or k8s://URL, got 'nonsense'"),
]


@pytest.fixture
def untouched(tmp_path: Path, processes: Callable[[], dict[int, str]]) -> Iterator[None]:
    """Fail when a command has started a process or made a folder of studies."""
    before = set(processes())
    yield
    started = [text for pid, text in processes().items() if pid not in before]
    assert [text for text in started if "java" in text or "pyspark" in text or "forkserver" in text] == []
    assert not (tmp_path / "studies").exists()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("options", "sentence"), MISTAKES, ids=lambda value: str(value[-1]) if value else "")
def test_a_mistake_costs_one_sentence(tinderbox: Tinderbox, job: Path, options: list[str], sentence: str) -> None:
    """A job that cannot be run ends with exit code 2, one sentence on stderr, and nothing started."""
    result = tinderbox("sweep", job.name, *options)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("tinderbox: ")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("kind: sweep\n  name: x", "job.yaml: is not YAML: "),
        ("", "holds 0 jobs and must hold one"),
        ("kind: ConfigMap\ndata: {other.txt: hello}", "holds 0 jobs and must hold one"),
        ("kind: sweep", "needs name"),
        ("[1, 2]", "holds 0 jobs and must hold one"),
    ],
)
def test_a_file_that_is_no_job(tinderbox: Tinderbox, job: Path, text: str, sentence: str) -> None:
    """A file without a job is refused with its name."""
    job.write_text(text)
    result = tinderbox("sweep", job.name)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert result.stderr.startswith("tinderbox: job.yaml: ")
    assert sentence in result.stderr


@pytest.mark.usefixtures("job", "untouched")
@pytest.mark.parametrize("name", ["nowhere.yaml", "code"])
def test_a_file_that_cannot_be_read(tinderbox: Tinderbox, name: str) -> None:
    """A missing file, or a folder in its place, is refused with its name."""
    result = tinderbox("sweep", name)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert result.stderr.startswith(f"tinderbox: {name}: cannot be read: ")


@pytest.mark.usefixtures("untouched")
def test_a_mistake_in_a_terminal(job: Path) -> None:
    """The installed command does the same: exit code 2, one sentence on stderr, nothing on stdout."""
    command = [sys.executable, "-m", "tinderbox", "sweep", job.name, "--set", "epochs=many"]
    ran = subprocess.run(command, cwd=job.parent, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran.stderr


def test_a_study_of_another_job_is_not_continued(
    tinderbox: Tinderbox, job: Path, tmp_path: Path, processes: Callable[[], dict[int, str]]
) -> None:
    """A name that is taken is refused before Spark starts, and the study stays as it is."""
    folder = StudyFolder(str(tmp_path / "studies"), "small")
    begun = {"kind": "sweep", "name": "small", "epochs": 7}
    folder.write_job(begun, identify("small", begun, "", ""))
    before = set(processes())
    result = tinderbox("sweep", job.name)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "study 'small' exists and was begun with another" in result.stderr
    assert "--fresh" in result.stderr
    assert folder.read_job() == begun
    assert sorted(path.name for path in (tmp_path / "studies" / "small").iterdir()) == ["job.yaml", "run.json"]
    assert [text for pid, text in processes().items() if pid not in before and "java" in text] == []


def test_check_counts(tinderbox: Tinderbox, job: Path, tmp_path: Path) -> None:
    """Without measuring, `check` tells search, data, trials and epochs, each on one line."""
    result = tinderbox("check", job.name, "--no-measure")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "job.yaml: a grid search of x, way by cli_objective:train",
        "data: 24 examples to train on, 8 to validate, 8 to test",
        "trials: 15, 30 epochs in all, on 2 slots of 1 cores",
    ]
    assert not (tmp_path / "studies").exists()


def test_check_looks_at_the_storage(tinderbox: Tinderbox, job: Path) -> None:
    """What `sweep` would refuse is refused here."""
    result = tinderbox("check", job.name, "--no-measure", "--set", "storage=nope://x")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "storage 'nope://x' cannot be opened" in result.stderr


def test_check_looks_where_the_chart_stores(
    tinderbox: Tinderbox, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TINDERBOX_STORAGE is where `sweep` and `infer` would go, so `check` goes there too."""
    monkeypatch.setenv("TINDERBOX_STORAGE", "nope://x")
    assert "storage 'nope://x' cannot be opened" in tinderbox("check", job.name, "--no-measure").stderr
    monkeypatch.setenv("TINDERBOX_STORAGE", str(tmp_path / "there"))
    refused = tinderbox("check", JOBS / "infer-digits.yaml")
    assert (refused.exit_code, f"there is no study 'digits' in {tmp_path / 'there'}" in refused.stderr) == (2, True)


def test_check_measures(tinderbox: Tinderbox, job: Path) -> None:
    """A child runs one trial, and the cost of the study is told."""
    change = "parameters.way={type: choice, choices: [well], default: well}"
    result = tinderbox("check", job.name, "--set", change)
    assert result.exit_code == 0, result.stderr
    cost = result.stdout.splitlines()[-1]
    assert cost.startswith("cost: a trial takes ")
    assert "measured at x=2, way=well); the study about 0:00 on 2 such slots" in cost


def test_check_of_a_study_that_time_ends(tinderbox: Tinderbox, job: Path) -> None:
    """Without a number of trials, the time is told."""
    result = tinderbox("check", job.name, "--no-measure", "--set", "search=random", "--set", "budget={time: 90m}")
    assert "trials: as many as fit in 1:30:00, 2 epochs each" in result.stdout.splitlines()


@pytest.mark.parametrize(
    ("way", "cause"),
    [("raises", "ValueError: no [such] layer"), ("exits", "ended with exit code 3 before the function")],
)
def test_check_of_a_function_that_fails(tinderbox: Tinderbox, job: Path, way: str, cause: str) -> None:
    """What goes wrong in the measured trial is told with its parameters, brackets and all."""
    change = f"parameters.way={{type: choice, choices: [{way}], default: {way}}}"
    result = tinderbox("check", job.name, "--set", change)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"tinderbox: the function failed with x=2.0, way={way}: ")
    assert cause in result.stderr.splitlines()[0]


def test_try_runs_one_trial_here(tinderbox: Tinderbox, job: Path, tmp_path: Path) -> None:
    """The trial's own prints and its reports appear, and nothing is kept."""
    result = tinderbox("try", job.name, "--params", "x=3")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "trial with x=3, way=well",
        "it prints",
        "epoch 1: loss 3",
        "epoch 2: loss 1.5",
    ]
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    ("given", "code", "sentence"),
    [
        ("y=3", 2, "there is no parameter 'y'; the job has x, way"),
        ("x=5", 2, "x must lie between 0.0 and 4.0, got 5"),
        ("x", 2, "a setting is written key=value, such as epochs=3, got 'x'"),
        ("way=raises", 1, "the function failed with x=1.0, way=raises: ValueError: no [such] layer"),
    ],
)
def test_try_refuses(tinderbox: Tinderbox, job: Path, given: str, code: int, sentence: str) -> None:
    """Unknown and impossible parameters are bad input; a function that raises is shown with its traceback."""
    result = tinderbox("try", job.name, "--params", given)
    assert result.exit_code == code
    assert result.stderr.splitlines()[0] == f"tinderbox: {sentence}"
    assert ("in train" in result.stderr) == (code == 1)


def stop(*arguments: object, **options: object) -> None:
    """Be stopped, as by Ctrl-C."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "stopped; run the same command again to continue\n"),
        (["--fresh"], "stopped; run the same command again without --fresh to continue\n"),
    ],
)
def test_a_sweep_that_is_stopped(
    tinderbox: Tinderbox, job: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    """It says how to continue; --fresh again would set aside what there is."""
    monkeypatch.setattr(commands, "run", stop)
    result = tinderbox("sweep", job.name, *options)
    assert (result.exit_code, result.stderr) == (130, told)


@pytest.mark.parametrize("command", ["sweep", "check", "try"])
def test_what_leaves_nothing_to_continue(
    tinderbox: Tinderbox, job: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Before a study has begun, and in commands that begin none, there is nothing to continue."""
    monkeypatch.setattr(commands, "make_plan", stop)
    result = tinderbox(command, job.name)
    assert (result.exit_code, result.stderr) == (130, "stopped\n")


def test_the_schema_is_closed_and_whole(tinderbox: Tinderbox) -> None:
    """`schema sweep` prints JSON in which every reference leads somewhere and no object takes unknown keys."""
    schema = json.loads(tinderbox("schema", "sweep").stdout)
    assert set(schema["properties"]) == set(SweepJob.model_fields)
    nodes = list(walk(schema))
    references = {node["$ref"] for node in nodes if "$ref" in node}
    assert references <= {f"#/$defs/{name}" for name in schema["$defs"]}
    assert len(references) > 10
    parts = [schema, *schema["$defs"].values()]
    assert all(part["additionalProperties"] is False for part in parts if part["type"] == "object")


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Return all mappings in a tree."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """The real MNIST where it is at hand, otherwise idx files like its own, of black images."""
    if (REAL_MNIST / "train-images-idx3-ubyte.gz").exists() or (REAL_MNIST / "train-images-idx3-ubyte").exists():
        return REAL_MNIST
    for part, count in (("train", 6000), ("t10k", 1000)):
        images, labels = struct.pack(">4I", 0x803, count, 28, 28), struct.pack(">2I", 0x801, count)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(images + bytes(count * 28 * 28))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels + bytes(range(10)) * (count // 10))
    return tmp_path


@pytest.mark.parametrize("path", sorted(JOBS.glob("sweep-*.yaml")), ids=lambda path: path.name)
def test_the_jobs_that_ship_can_be_run(tinderbox: Tinderbox, path: Path, mnist: Path) -> None:
    """Each job file in jobs/ passes `check`."""
    options = ["--set", f"data.folder={mnist}"] if "source: mnist" in path.read_text() else []
    result = tinderbox("check", path, "--no-measure", *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{path}: a grid search of ")


def test_the_winner_of_the_digits_can_label(tinderbox: Tinderbox, tmp_path: Path) -> None:
    """jobs/infer-digits.yaml needs the study of jobs/sweep-digits.yaml, and says so; with its model it passes."""
    job, storage = JOBS / "infer-digits.yaml", f"storage={tmp_path}"
    refused = tinderbox("check", job, "--set", storage)
    assert (refused.exit_code, "there is no study 'digits' in" in refused.stderr) == (2, True)
    study = tmp_path / "digits"
    (study / "best").mkdir(parents=True)
    (study / "job.yaml").write_text("kind: sweep\n")
    build((8, 8, 1), 10, 16, 0.1, 0.95, 10).save(study / "best" / "model.keras")
    result = tinderbox("check", job, "--set", storage)
    assert result.exit_code == 0, result.stderr
    assert "images of 8 x 8 x 1 of digits, test by model " in result.stdout


def test_the_version_is_told(tinderbox: Tinderbox) -> None:
    """`--version` names the installed package's version."""
    assert tinderbox("--version").stdout.endswith(f"version {version('tinderbox')}\n")
