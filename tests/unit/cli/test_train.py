"""`tinderbox train`, and what `check` says of its job file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tinderbox.api.trained import open_training
from tinderbox.cli import train as module
from tinderbox.cli.train import amount
from tinderbox.errors import TinderboxError
from tinderbox.process import set_threads
from tinderbox.storage.training import TrainFolder
from tinderbox.training.status import TrainStatus

set_threads(1)

Tinderbox = Callable[..., Result]
JOBS = Path(__file__).parents[3] / "jobs"
JOB = """
kind: train
name: lenet
model: {build: "cli_network:build"}
code: code
data: {source: npz, path: data.npz}
batch: 4
epochs: 2
"""
CODE = """
import keras


def build(shape, classes):
    return keras.Sequential([keras.Input(shape), keras.layers.Dense(classes)])


def raises(shape, classes):
    raise ValueError("no [such] layer")
"""


@pytest.fixture
def training(job: Path) -> Path:
    """A job file with its code and its data beside it."""
    (job.parent / "code" / "cli_network.py").write_text(CODE)
    path = job.parent / "train.yaml"
    path.write_text(JOB)
    return path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, trained: TrainFolder) -> list[dict[str, Any]]:
    """The plans and options that the command would run, none of which is; each shows an epoch."""
    calls: list[dict[str, Any]] = []

    def run(plan: Any, **options: Any) -> Any:
        calls.append({"plan": plan, **options})
        status = TrainStatus(epoch=0, epochs=2, share=0.0, step=0, workers=2, wanted=2, attempt=1)
        for epoch in range(2):
            options["watcher"].show(TrainStatus(**{**vars(status), "epoch": epoch, "metrics": {"loss": 0.5}}))
        return open_training("lenet", trained.root.rpartition("/")[0])

    monkeypatch.setattr(module, "run_train", run)
    return calls


@pytest.mark.usefixtures("ran")
def test_what_is_printed(tinderbox: Tinderbox, training: Path, trained: TrainFolder) -> None:
    """Attempts and epochs as they come, then the table, how attempts were cut short, and where things are."""
    result = tinderbox("train", training)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:2] == ["attempt 1 with 2 workers", "epoch 1/2, loss 0.5"]
    assert lines[2].strip() == "training lenet: 2 epochs, mode synchronous"
    assert lines[-2:] == [
        "attempt 1, 2 workers: killed: worker 1 on node-1 was killed by SIGKILL",
        f"confusion  {trained.path('confusion.json')}",
    ]


def test_what_is_run(
    tinderbox: Tinderbox, training: Path, ran: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its options; the chart's storage takes the place of the job's, and a submission has its token."""
    tinderbox("train", training, "--fresh", "--master", "local[2]", "--set", "epochs=3")
    monkeypatch.setenv("TINDERBOX_STORAGE", "there")
    monkeypatch.setenv("TINDERBOX_TOKEN", "secret")
    tinderbox("train", training)
    first, second = ran
    assert (first["fresh"], first["master"], first["plan"].job.epochs) == (True, "local[2]", 3)
    assert (second["fresh"], second["master"], second["plan"].job.storage) == (False, None, "there")
    assert (second["door"].token, second["door"].linger > 0) == ("secret", True)
    assert (first["door"].token not in ("", "secret"), first["door"].linger) == (True, 0.0)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (TinderboxError("worker 1 failed: ValueError: no"), 1, "tinderbox: worker 1 failed: ValueError: no\n"),
        (KeyboardInterrupt(), 130, "stopped; run the same command again without --fresh to continue\n"),
    ],
)
def test_what_stops_it(
    tinderbox: Tinderbox, training: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, told: str
) -> None:
    """One sentence and an exit code."""

    def run(plan: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(module, "run_train", run)
    result = tinderbox("train", training, "--fresh")
    assert (result.exit_code, result.stderr) == (code, told)


@pytest.mark.parametrize("command", ["train", "check"])
@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("epochs=0", "epochs: input should be greater than or equal to 1, got 0"),
        ("model.build=cli_network:raises", "model: cli_network:raises cannot be built: ValueError: no [such] layer"),
        ("batch=64", "batch: a step has 128 examples, 64 on each of 2 workers, and there are 24 to train on"),
        ("storage=nope://x", "storage 'nope://x' cannot be opened"),
    ],
)
def test_bad_input(tinderbox: Tinderbox, training: Path, command: str, setting: str, sentence: str) -> None:
    """Is one sentence and exit code 2, and nothing is started."""
    result = tinderbox(command, training, "--set", setting)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr


def test_a_job_of_another_kind(tinderbox: Tinderbox, job: Path) -> None:
    """Is told which command runs it."""
    result = tinderbox("train", job)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("is a job of kind sweep, and not train; tinderbox sweep runs it\n")


def test_check_says_what_it_will_take(tinderbox: Tinderbox, training: Path, tmp_path: Path) -> None:
    """Data, parameters, steps, and what workers send; nothing is left anywhere."""
    result = tinderbox("check", training)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"{training}: 2 epochs in mode synchronous on 2 workers of 1 core",
        "data: 24 examples to train on, 8 to validate, 8 to test; 2 classes",
        "model: cli_network:build, 6 parameters to learn",
        "steps: 3 an epoch, 6 in all, of 8 examples, 4 on each worker",
        "bytes: in a step a worker sends about 24 bytes; a whole gradient is 24 bytes",
    ]
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["workers=4", "batch=2"], "in a step a worker sends about 36 bytes; a whole gradient is 24 bytes"),
        (["workers=1"], "a single worker sends none"),
        (
            ["mode=averaging"],
            "every 5 steps a worker sends 32 bytes, its model and its optimizer's state",
        ),
        (
            ["mode={name: threshold, low: 0.25, high: 0.5}"],
            "in a step a worker sends from 6 bytes to 12 bytes to each neighbour, once its threshold has settled; "
            "a whole gradient is 24 bytes",
        ),
    ],
)
def test_bytes_by_mode(tinderbox: Tinderbox, training: Path, settings: list[str], told: str) -> None:
    """In a ring, in rounds, or of thresholded updates."""
    options = [option for setting in settings for option in ("--set", setting)]
    result = tinderbox("check", training, *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"bytes: {told}"


def test_check_of_shards(tinderbox: Tinderbox, training: Path, tmp_path: Path) -> None:
    """Which no one machine has a test part of."""
    rows = "".join(f"{n},{n % 3},{n / 2}\n" for n in range(40))
    (tmp_path / "rows.csv").write_text(f"u,v,y\n{rows}")
    data = "data={source: shards, path: rows.csv, target: y, validation: 0.25}"
    model = "model={build: 'cli_network:of_quantities'}"
    with (tmp_path / "code" / "cli_network.py").open("a") as file:
        file.write("\n\ndef of_quantities(shape, classes):\n    return build(shape, 1)\n")
    result = tinderbox("check", training, "--set", data, "--set", model)
    assert result.exit_code == 0, result.stderr
    told = result.stdout.splitlines()[1]
    assert told.startswith("data: ")
    assert told.endswith(" to validate; quantities")


def test_the_training_that_ships_is_valid(tinderbox: Tinderbox) -> None:
    """jobs/train.yaml passes `check`."""
    result = tinderbox("check", JOBS / "train.yaml")
    assert result.exit_code == 0, result.stderr
    assert "model: lenet5, " in result.stdout
    assert ", of 64 examples, 32 on each worker" in result.stdout


def test_the_schema_is_told(tinderbox: Tinderbox) -> None:
    """As JSON, for editors."""
    result = tinderbox("schema", "train")
    assert result.exit_code == 0, result.stderr
    assert '"title": "TrainJob"' in result.stdout


def test_amounts_of_bytes() -> None:
    """With three digits and the unit that fits."""
    assert [amount(size) for size in (0, 999, 1000, 31_512, 5_000_000, 12_345_678_901)] == [
        "0 bytes", "999 bytes", "1 kB", "31.5 kB", "5 MB", "12.3 GB"
    ]  # fmt: skip
