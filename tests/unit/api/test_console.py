"""What the console tells of runs whose drivers are gone, and of those that it cannot read."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tinderbox.api import console
from tinderbox.api.console import MOST_RUNS, SILENT_SECONDS, Archive, main
from tinderbox.metrics.own import PORT_VARIABLE
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder
from tinderbox.sweeping.events import AttemptStarted, StudyEnded, StudyStarted, TrialProposed, encode
from tinderbox.training import record

Scrape = Callable[[int], dict[str, float]]
Eventually = Callable[[Callable[[], bool], float], bool]


@pytest.fixture
def storage(recorded: StudyFolder) -> str:
    """A storage with a study that has ended."""
    return recorded.root.rpartition("/")[0]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each run was read."""
    counted: Counter[str] = Counter()

    def counting(read: Callable[..., Any]) -> Callable[..., Any]:
        def counted_read(name: str, storage: str) -> Any:
            counted[name] += 1
            return read(name, storage)

        return counted_read

    kinds = tuple(replace(kind, read=counting(kind.read)) for kind in console.KINDS)
    monkeypatch.setattr(console, "KINDS", kinds)
    return counted


def told(archive: Archive) -> dict[str, float]:
    """Return what is told now, by name and labels; each once."""
    found = [(" ".join([sample.metric.name, *sample.labels]), sample.value) for sample in archive.samples()]
    assert len(dict(found)) == len(found)
    return dict(found)


def runs(archive: Archive) -> set[str]:
    """Return the runs that are told."""
    return {sample.labels[0] for sample in archive.samples() if sample.labels}


def add(folder: StudyFolder, *events: Any) -> None:
    """Let a study's record grow."""
    log = folder.log()
    log.append(b"".join(map(encode, events)))
    log.close()


def copy(folder: StudyFolder, name: str, ended: float | None = None) -> StudyFolder:
    """Make a study of another name, which has ended at another time."""
    storage = folder.root.rpartition("/")[0]
    shutil.copytree(folder.root, f"{storage}/{name}")
    made = StudyFolder(storage, name)
    made.write("job.yaml", made.read("job.yaml").replace(b"name: small", f"name: {name}".encode()))
    if ended is not None:
        add(made, StudyStarted(time=ended, generation=2), StudyEnded(time=ended, cause="all trials have ended"))
    return made


def test_a_study_that_has_ended_is_told(storage: str) -> None:
    """As its driver has told it, without slots, which are gone."""
    archive = Archive(storage)
    assert told(archive).keys() == {"tinderbox_storage_size_bytes", "tinderbox_storage_free_bytes"}
    archive.refresh()
    found = told(archive)
    assert (found["tinderbox_study_over small"], found["tinderbox_study_seconds small"]) == (1, 10)
    assert (found["tinderbox_best_value small"], found["tinderbox_baseline_value small"]) == (0.25, 0.5)
    assert (found["tinderbox_trials small complete"], found["tinderbox_trials small waiting"]) == (2, 1)
    assert found["tinderbox_trial_value small 1"] == 0.25
    assert not [name for name in found if "slot_" in name or "slots " in name or "left" in name]


def test_a_batch_inference_that_has_ended_is_told(labelled: RowsFolder) -> None:
    """From the summaries of its rows; nothing is left of it."""
    archive = Archive(labelled.root.rpartition("/")[0])
    archive.refresh()
    found = told(archive)
    assert (found["tinderbox_inference_over photos"], found["tinderbox_inference_left_files photos"]) == (1, 0)
    assert (found["tinderbox_inference_rows photos labelled"], found["tinderbox_inference_rows photos error"]) == (2, 1)
    assert found["tinderbox_inference_accuracy photos"] == 0.5


def test_a_training_that_has_ended_is_told(trained: TrainFolder) -> None:
    """From its record, without workers, which are gone."""
    archive = Archive(trained.root.rpartition("/")[0])
    archive.refresh()
    found = told(archive)
    assert (found["tinderbox_training_over lenet"], found["tinderbox_training_seconds lenet"]) == (1, 22)
    assert (found["tinderbox_training_epoch lenet"], found["tinderbox_training_step lenet"]) == (2, 26)
    assert found["tinderbox_training_value lenet val_loss"] == 0.75
    assert found["tinderbox_training_attempts_total lenet killed"] == 1
    assert not [name for name in found if "left" in name or "workers lenet" in name or "workers_wanted" in name]


def test_a_training_that_was_left_alone(trained: TrainFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As studies are: told once its record has been silent for long, and nobody knows whether it runs."""
    begun, log = time.time(), trained.log()
    log.append(record.encode(record.RunBegan(time=begun, generation=2, workers=2, epochs=3)))
    log.close()
    archive = Archive(trained.root.rpartition("/")[0])
    archive.refresh()
    assert runs(archive) == set()
    monkeypatch.setattr(console.time, "time", lambda: begun + SILENT_SECONDS)
    archive.refresh()
    found = told(archive)
    assert (found["tinderbox_training_epoch lenet"], found["tinderbox_training_epochs_wanted lenet"]) == (2, 3)
    assert not {"tinderbox_training_over lenet", "tinderbox_training_left_seconds lenet"} & set(found)


def test_a_study_that_runs_is_its_drivers(recorded: StudyFolder, storage: str) -> None:
    """Until it has ended; one that goes on with a larger budget is its driver's again."""
    archive = Archive(storage)
    archive.refresh()
    now = time.time()
    add(recorded, StudyStarted(time=now, generation=2))
    archive.refresh()
    assert runs(archive) == set()
    add(recorded, StudyEnded(time=now + 5, cause="all trials have ended"))
    archive.refresh()
    assert told(archive)["tinderbox_study_over small"] == 1
    assert told(archive)["tinderbox_study_seconds small"] == pytest.approx(15)


def test_a_study_that_was_left_alone(recorded: StudyFolder, storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told once its record has been silent for long; nobody knows whether a driver still trains a long epoch."""
    begun = time.time() - SILENT_SECONDS + 60
    attempt = AttemptStarted(time=begun + 20, trial=4, attempt=1, slot="a", node="n")
    add(recorded, StudyStarted(time=begun, generation=2), attempt)
    archive = Archive(storage)
    archive.refresh()
    assert runs(archive) == set()
    monkeypatch.setattr(console.time, "time", lambda: begun + 20 + SILENT_SECONDS)
    archive.refresh()
    found = told(archive)
    assert (found["tinderbox_trials small running"], found["tinderbox_best_value small"]) == (1, 0.25)
    assert found["tinderbox_study_seconds small"] == pytest.approx(30), "the time without a driver is not its own"
    assert not {"tinderbox_study_over small", "tinderbox_study_left_seconds small"} & set(found)


def test_a_batch_inference_that_was_left_alone(labelled: RowsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """As studies are; one that has no rows yet is not told."""
    labelled.remove(f"rows/version={labelled.version}/_SUCCESS")
    archive, newest = Archive(labelled.root.rpartition("/")[0]), 1_780_000_004.0
    monkeypatch.setattr(console.time, "time", lambda: newest + SILENT_SECONDS - 1)
    archive.refresh()
    assert runs(archive) == set()
    monkeypatch.setattr(console.time, "time", lambda: newest + SILENT_SECONDS)
    archive.refresh()
    found = told(archive)
    assert found["tinderbox_inference_rows photos labelled"] == 2
    assert not [name for name in found if "over" in name or "left" in name]
    for name in labelled.names("summaries"):
        labelled.remove(name)
    archive.refresh()
    assert runs(archive) == set()


def test_those_that_ended_last_are_told(recorded: StudyFolder, storage: str, reads: Counter[str]) -> None:
    """No more of them are held, and those that make room when one is removed are told, too."""
    for number in range(MOST_RUNS + 3):
        copy(recorded, f"study-{number:02d}", ended=1_000.0 + (7 * number) % (MOST_RUNS + 3))
    archive = Archive(storage)
    archive.refresh()
    order = sorted(range(MOST_RUNS + 3), key=lambda number: (7 * number) % (MOST_RUNS + 3))
    assert runs(archive) == {f"study-{number:02d}" for number in order[3:]}
    shutil.rmtree(f"{storage}/study-{order[-1]:02d}")
    archive.refresh()
    assert runs(archive) == {f"study-{number:02d}" for number in order[2:-1]}
    before = reads.total()
    archive.refresh()
    assert reads.total() == before


def test_a_run_is_read_when_there_is_more_of_it(
    recorded: StudyFolder, storage: str, labelled: RowsFolder, reads: Counter[str]
) -> None:
    """Of the others only the extent is looked at."""
    archive = Archive(storage)
    for _ in range(3):
        archive.refresh()
    first = Counter(reads)
    assert set(first) <= {"small", "photos"}
    add(
        recorded,
        StudyStarted(time=200.0, generation=2),
        TrialProposed(time=200.0, trial=5, parameters={"x": 1.5}, seed=1, known=4),
    )
    add(recorded, StudyEnded(time=201.0, cause="all trials have ended"))
    archive.refresh()
    assert told(archive)["tinderbox_trials small waiting"] == 2
    assert reads["small"] > first["small"]
    assert reads["photos"] == first["photos"]


def damage(folder: StudyFolder) -> None:
    """Make a study that cannot be read."""
    folder.write(folder.names("events")[0], b"no event\n" * 3)


@pytest.mark.parametrize("error", [None, KeyError("a mistake of ours"), OSError(5, "Input/output error")])
def test_a_run_that_cannot_be_read_is_left_out(
    recorded: StudyFolder,
    storage: str,
    error: Exception | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The others are told, the log says so once, and it is told as soon as it can be read."""
    broken = copy(recorded, "broken")
    whole = {name: broken.read(name) for name in broken.names("events")}
    if error is None:
        damage(broken)

    def refuse(name: str, storage: str) -> Any:
        if name == "broken":
            raise error or AssertionError
        return console.read_study(name, storage)

    archive = Archive(storage)
    with monkeypatch.context() as patched:
        if error is not None:
            patched.setattr(console, "KINDS", (replace(console.KINDS[0], read=refuse), *console.KINDS[1:]))
        for _ in range(3):
            archive.refresh()
        assert runs(archive) == {"small"}
    (message,) = caplog.messages
    assert message.startswith("broken is left out: ")
    for name, content in whole.items():
        broken.write(name, content)
    archive.refresh()
    assert runs(archive) == {"small", "broken"}


def test_storage_that_does_not_answer(
    storage: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was known is told on, and each outage is said once."""
    archive = Archive(storage)
    archive.refresh()
    for _ in range(2):
        with monkeypatch.context() as broken:
            kind = replace(console.KINDS[0], names=lambda storage: (_ for _ in ()).throw(TimeoutError("timed out")))
            broken.setattr(console, "KINDS", (kind,))
            for _ in range(3):
                archive.refresh()
            assert runs(archive) == {"small"}
        archive.refresh()
    assert caplog.messages == [f"{storage} is left out: timed out"] * 2


# The command


def test_it_serves_until_it_is_ended(
    recorded: StudyFolder, storage: str, free_port: int, scrape: Scrape, eventually: Eventually
) -> None:
    """Whoever comes for it; Ctrl-C ends it without a traceback."""
    command = [sys.executable, "-m", "tinderbox.api.console"]
    variables = {**os.environ, "TINDERBOX_STORAGE": storage, PORT_VARIABLE: str(free_port), "TINDERBOX_NODE": "node-a"}

    def told() -> dict[str, float]:
        try:
            return scrape(free_port)
        except OSError:
            return {}

    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert eventually(lambda: told().get('tinderbox_best_value{study="small"}') == 0.25, 60), process.poll()
            assert told()['tinderbox_pod_info{node="node-a",role="console"}'] == 1
            assert told()['tinderbox_worker_resident_bytes{node="node-a"}'] < 200 << 20, "its limit is 256 MiB"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, errors) == (130, "")


def test_storage_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One sentence and an exit code."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("TINDERBOX_STORAGE", str(tmp_path / "file"))
    with caplog.at_level(logging.ERROR):
        assert main() == 2
    (message,) = caplog.messages
    assert message.startswith("tinderbox: storage ")
    assert "must be a folder or URL, got a file" in message
