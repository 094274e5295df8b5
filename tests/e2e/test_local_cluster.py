"""A sweep on Spark executors that are processes of their own: broadcast, shipped code and the slots' closure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import optuna
import pyspark
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tinderbox.api.driver import Door
from tinderbox.api.plan import make_plan
from tinderbox.api.result import SweepResult
from tinderbox.api.sweep import run
from tinderbox.config import check_sweep

TRIALS = 6
TOKEN = "the-token-of-this-study-and-of-no-other"  # noqa: S105 - for this test alone

# Each trial waits until two Python workers have come, or the quicker executor would run them all.
FUNCTION = """
import os, sys, time
from pathlib import Path

import numpy as np

from nested.constants import MEETING


def train(trial):
    worker = parent_of(os.getppid())  # the parent is the worker's fork server
    Path(MEETING, str(worker)).touch()
    while len(os.listdir(MEETING)) < 2:
        time.sleep(0.05)
    data = trial.data.train.x
    print("trial", trial.number, "of worker", worker)
    os.chdir("/")
    from nested import late
    trial.report(
        1,
        checkpoint=lambda file: file.write(b"state %d" % trial.number),
        loss=late.distance(trial.params["x"]),
        worker=worker,
        inode=os.stat(data.filename).st_ino,
        is_mapped=isinstance(data, np.memmap) and not data.flags.writeable,
        total=float(data.sum()),
    )


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
"""


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    """A hundred examples, written to a file by the fixture that runs the study."""
    rng = np.random.default_rng(0)
    return {"x": rng.random((100, 4)), "y": rng.integers(0, 2, 100)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: dict[str, np.ndarray]) -> Path:
    """A job's folder with code, data and a place for the workers to meet."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "code" / "nested").mkdir(parents=True)
    (folder / "meeting").mkdir()
    (folder / "code" / "cluster_objective.py").write_text(FUNCTION)
    (folder / "code" / "nested" / "constants.py").write_text(f"MEETING = {str(folder / 'meeting')!r}\n")
    (folder / "code" / "nested" / "late.py").write_text("def distance(x):\n    return (x - 0.4) ** 2\n")
    np.savez(folder / "data.npz", **data)
    return folder


@pytest.fixture(scope="module")
def left_over() -> list[str]:
    """The commands of processes that the study left behind, filled in by the fixture that runs it."""
    return []


@pytest.fixture(scope="module")
def result(
    folder: Path,
    left_over: list[str],
    processes: Callable[[], dict[int, str]],
    eventually: Callable[[Callable[[], bool], float], bool],
) -> Iterator[SweepResult]:
    """The study, after its session has ended."""
    job = check_sweep(
        {
            "kind": "sweep",
            "name": "cluster",
            "objective": "cluster_objective:train",
            "code": "code",
            "preload": [],
            "metric": {"name": "loss", "direction": "minimize"},
            "parameters": {"x": {"type": "float", "low": 0, "high": 1, "grid": TRIALS}},
            "search": "grid",
            "epochs": 1,
            "slots": 2,
            "data": {"source": "npz", "path": "data.npz"},
            "storage": str(folder / "studies"),
        },
        "test",
    )
    before, spark = set(processes()), Path(pyspark.__file__).parent / "work"
    logs = set(spark.glob("app-*"))
    result = run(make_plan(job, folder), master="local-cluster[2,1,1024]", door=Door(TOKEN))

    def remaining() -> list[str]:
        # The gateway to Java stays for further sessions of this process.
        return [text for pid, text in processes().items() if pid not in before and "pyspark-shell" not in text]

    eventually(lambda: not remaining(), 10)
    left_over.extend(remaining())
    yield result
    for log in set(spark.glob("app-*")) - logs:
        shutil.rmtree(log)


def metric_of(result: SweepResult, name: str) -> list[float]:
    """Return a metric of all trials."""
    return [trial.reports[1][name] for trial in result.record.trials.values()]


def test_every_trial_completes(result: SweepResult) -> None:
    """The grid runs whole, each trial once, by the shipped code."""
    assert result.trials["state"].tolist() == ["complete"] * TRIALS
    assert result.trials["attempts"].tolist() == [1] * TRIALS
    assert result.best_parameters == {"x": 0.4}


def test_both_executors_run_trials(result: SweepResult) -> None:
    """Two Python workers of two executors share the trials."""
    assert len(set(metric_of(result, "worker"))) == 2
    assert len({trial.attempts[0].slot for trial in result.record.trials.values()}) == 2


def test_data_is_mapped_once_per_executor(result: SweepResult, data: dict[str, np.ndarray]) -> None:
    """Each executor lays the broadcast data out once, and all its trials map that file."""
    files = dict(zip(metric_of(result, "worker"), metric_of(result, "inode"), strict=True))
    assert len(set(metric_of(result, "inode"))) == len(files) == 2
    assert all(metric_of(result, "is_mapped"))
    assert len(set(metric_of(result, "total"))) == 1
    assert 0 < metric_of(result, "total")[0] < data["x"].sum(), "trials see the training examples only"


def test_the_winner_is_kept(result: SweepResult, folder: Path) -> None:
    """The best trial's state and parameters lie in the study's folder, and there is a report."""
    best = folder / "studies" / "cluster" / "best"
    assert (best / "model").read_bytes() == b"state 2"
    assert "x: 0.4" in (best / "parameters.yaml").read_text()
    assert "cluster" in Path(result.report).read_text()


def test_the_export_opens_in_optuna(result: SweepResult) -> None:
    """Optuna reads the journal and agrees on the best trial."""
    storage = JournalStorage(JournalFileBackend(result.files()["optuna"]))
    study = optuna.load_study(study_name="cluster", storage=storage)
    assert len(study.trials) == TRIALS
    assert study.best_params == {"x": 0.4}


def test_a_trials_output_is_kept(result: SweepResult) -> None:
    """What a function prints on an executor is in the study's logs."""
    worker = result.record.trials[3].reports[1]["worker"]
    assert result.log(3) == f"trial 3 of worker {worker:.0f}\n"


def test_the_study_holds_no_secret(result: SweepResult) -> None:
    """The record is JSON lines, and the token that opens the coordinator is in no file of the study."""
    study = Path(result.folder.root)
    lines = (study / "events" / "000001-000000.jsonl").read_text().splitlines()
    assert {json.loads(line)["type"] for line in lines} >= {"study_started", "slot_joined", "attempt_ended"}
    files = [path for path in study.rglob("*") if path.is_file()]
    assert {path.relative_to(study).parts[0] for path in files} >= {"job.yaml", "run.json", "events", "logs", "best"}
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


@pytest.mark.usefixtures("result")
def test_no_process_is_left(left_over: list[str]) -> None:
    """Executors, Python workers, fork servers and children are gone with the session."""
    assert left_over == []
