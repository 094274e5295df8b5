"""Each mode of a training on two nodes, one of whose executors is taken away on the way: it ends as if nothing was."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.on_kubernetes.release import SMALL
from tinderbox.api.trained import TrainResult, open_training

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

Open = Callable[..., "Release"]
Eventually = Callable[[Callable[[], bool], float], bool]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

JOB = """
kind: train
name: {mode}
model: lenet5
data: {{source: digits}}
optimizer: {{name: sgd, learning_rate: 0.02, arguments: {{momentum: 0.9}}}}
batch: 32
epochs: {epochs}
workers: 2
seed: 1
mode: {mode}
"""
EPOCHS = {"synchronous": 60, "averaging": 40, "threshold": 60}
"""Some half a minute each, so that there is a middle to be disturbed in; a round of averaging is a Spark stage."""

TAKEN_AFTER = 4
TOLERANCE = 0.03
"""Of the accuracy on 359 images, of which some 17 are mistaken: more than two standard deviations of that."""

SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9095/metrics', timeout=10).read().decode())"


@dataclass(frozen=True)
class Trained:
    """A training that lost an executor when `done` epochs were told, and the same one on this machine, left `alone`."""

    mode: str
    result: TrainResult
    alone: TrainResult
    done: int
    replaced: bool
    ended: str | None
    log: str
    metrics: str


@pytest.fixture(scope="module")
def small(opened: Open) -> Release:
    """A release that fits beside others, with a console, through which results come home."""
    return opened("train", {**SMALL, "console.enabled": "true", "driver.memory": "2Gi", "executor.memory": "2Gi"})


@pytest.fixture(scope="module", params=list(EPOCHS))
def trained(request: pytest.FixtureRequest, small: Release, eventually: Eventually) -> Trained:
    """The job, submitted, robbed of an executor after some epochs, followed to its end and fetched."""
    mode, job = request.param, f"train-{request.param}"
    (small.folder / f"{mode}.yaml").write_text(JOB.format(mode=mode, epochs=EPOCHS[mode]))
    told = small.tinderbox("submit", f"{mode}.yaml")
    assert told.returncode == 0, told.stderr
    with undisturbed(small.folder, mode) as process:  # beside pods that are only starting
        assert eventually(lambda: told_epochs(small, job) >= TAKEN_AFTER, 300), small.log(job)
        done, (first, second) = told_epochs(small, job), executors(small)
        metrics = small.space("exec", second, "--", "python", "-c", SCRAPE)
        small.space("delete", "pod", first, "--grace-period=0", "--force")
        replaced = eventually(lambda: bool(set(executors(small, "")) - {first, second}), 120)
        eventually(lambda: small.ended(job) is not None, 300)
        log = small.log(job)
        fetched = small.tinderbox("fetch", mode)
        assert fetched.returncode == 0, fetched.stderr
        assert process.wait(300) == 0, (small.folder / "alone" / f"{mode}.log").read_text()
    result, alone = (open_training(mode, str(folder / "studies")) for folder in (small.folder, small.folder / "alone"))
    return Trained(mode, result, alone, done, replaced, small.ended(job), log, metrics)


def undisturbed(folder: Path, mode: str) -> subprocess.Popen[bytes]:
    """Start the same training on this machine, in a folder of its own."""
    home = folder / "alone"
    home.mkdir(exist_ok=True)
    with (home / f"{mode}.log").open("wb") as log:
        command = [sys.executable, "-m", "tinderbox", "train", str(folder / f"{mode}.yaml")]
        return subprocess.Popen(command, cwd=home, stdout=log, stderr=subprocess.STDOUT)


def executors(release: Release, phase: str = "Running") -> list[str]:
    """The names of the executors that run, or are in any phase, without those that are on their way out."""
    pods = [pod for pod in release.pods("spark-role=executor") if "deletionTimestamp" not in pod["metadata"]]
    return sorted(pod["metadata"]["name"] for pod in pods if phase in ("", pod["status"]["phase"]))


def told_epochs(release: Release, job: str) -> int:
    """How many epochs the driver's log says are done."""
    told = re.findall(r"^epoch (\d+)/", release.log(job), re.MULTILINE)
    return int(told[-1]) if told else 0


def causes(trained: Trained) -> list[str]:
    """Why attempts ended before their time, workers were replaced, or shares were computed again."""
    attempts = trained.result.record.attempts
    ended = [one.ended.cause for one in attempts if one.ended is not None and one.ended.outcome != "complete"]
    replaced = [one.cause for attempt in attempts for one in attempt.replaced]
    return ended + replaced + re.findall(r"share \d+ was lost and computed again.*", trained.log)


def test_the_training_is_complete(trained: Trained) -> None:
    """All its epochs, once each, and model, report and history at home, though an executor was taken on the way."""
    assert trained.ended == "Complete", trained.log
    assert 0 < trained.done < EPOCHS[trained.mode]
    assert [row.epoch for row in trained.result.record.history] == list(range(1, EPOCHS[trained.mode] + 1))
    assert {"model", "report", "history", "confusion"} <= set(trained.result.files())
    assert trained.result.model().count_params() > 1000


def test_it_is_as_accurate_as_one_that_was_left_alone(trained: Trained) -> None:
    """Within the noise of so few images; of the undisturbed one's examples none was left out."""
    ours, theirs = (accuracy(result) for result in (trained.result, trained.alone))
    assert theirs > 0.9
    assert ours == pytest.approx(theirs, abs=TOLERANCE)
    assert steps(trained.result) == pytest.approx(steps(trained.alone), rel=0.02)


def accuracy(result: TrainResult) -> float:
    """The share of validation images that the model knows."""
    return result.metrics["val_top1"]


def steps(result: TrainResult) -> int:
    """How many steps lie behind the last epoch."""
    return result.record.history[-1].step


def test_two_nodes_worked_and_the_loss_is_told(trained: Trained) -> None:
    """The first attempt has workers on two nodes; what happened is told once, as a sentence, and nothing else did."""
    attempts = trained.result.record.attempts
    assert len({member.node for member in attempts[0].members.values()}) == 2
    assert trained.replaced
    told = causes(trained)
    # In mode averaging nothing is lost where the executor had no task just then: all state is the driver's.
    assert told or trained.mode == "averaging", trained.log
    assert all(len(cause) > 10 and "\n" not in cause for cause in told)
    assert len(attempts) <= 3, told
    ended = attempts[-1].ended
    assert ended is not None
    assert ended.outcome == "complete"


def test_no_more_than_a_checkpoint_is_lost(trained: Trained) -> None:
    """A checkpoint is made after each epoch: that of the last one may have been under way, and no other is lost."""
    attempts = trained.result.record.attempts
    for before, after in pairwise(attempts):
        reached = before.last.epoch if before.last is not None else before.began.epoch
        assert after.began.epoch >= max(before.began.epoch, reached - 1)
        assert after.began.epoch >= trained.done - 1


def test_its_workers_are_told_to_prometheus(trained: Trained) -> None:
    """An executor counts examples and steps of a training; test_monitoring draws its dashboard."""
    assert counted(trained.metrics, "tinderbox_examples_total", 'kind="train"') > 0
    assert counted(trained.metrics, "tinderbox_step_seconds_count", "") > 0


def counted(text: str, name: str, label: str) -> float:
    """The sum of a metric's samples with a label."""
    lines: list[Any] = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(name) and label in line]
    return sum(float(value) for _, value in lines)
