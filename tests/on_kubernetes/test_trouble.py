"""What goes wrong on a cluster is said in one sentence, and what can go on goes on.

All studies run at the same time, each in a release whose values bring the trouble about.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.on_kubernetes.release import SMALL
from tinderbox.api.result import open_study

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

Eventually = Callable[[Callable[[], bool], float], bool]
Open = Callable[..., "Release"]

GRACE_SECONDS = 60.0  # the chart's driver.graceSeconds: after them the kubelet kills

MODULE = """
import os
import time


def wait(trial):
    for epoch in range(1, 21):
        time.sleep(0.5)
        trial.report(epoch, loss=trial.params["x"])


def eat(trial):
    held = []
    while trial.params["x"] < 0.5:  # slowly, so that its slot sees it first
        held.append(b"x" * (16 << 20))
        time.sleep(0.1)
    # What leads a session of its own is not weighed. The kernel ends the largest process of a pod, so these are smaller
    # than the executor's Java, and many.
    for _ in range(64):
        if os.fork() == 0:
            os.setsid()
            held = bytearray(os.urandom(1 << 16) * (1 << 10))
            time.sleep(60)
            os._exit(0)
    time.sleep(60)


def die(trial):
    os.system("pkill -KILL java")
    time.sleep(60)
"""

JOB = """
kind: sweep
name: NAME
objective: trouble:FUNCTION
code: code
preload: []
metric: {name: loss, direction: minimize}
parameters:
  x: {type: float, low: 0, high: 1, grid: 4}
search: grid
epochs: 20
slots: 2
"""


@pytest.fixture(scope="module")
def start(opened: Open) -> Callable[..., Release]:
    """A function that installs a release with some values and submits one study to it."""

    def submit(name: str, function: str, *arguments: str, **values: str) -> Release:
        release = opened(name, {**SMALL, **{key.replace("__", "."): value for key, value in values.items()}})
        (release.folder / "code").mkdir()
        (release.folder / "code" / "trouble.py").write_text(MODULE)
        text = JOB.replace("NAME", name).replace("FUNCTION", function)
        (release.folder / "job.yaml").write_text(text)
        done = release.tinderbox("submit", "job.yaml", *arguments)
        assert done.returncode == 0, done.stderr
        return release

    return submit


@pytest.fixture(scope="module")
def releases(start: Callable[..., Release]) -> dict[str, Release]:
    """All of them, running."""
    return {
        "stopped": start("stopped", "wait"),
        "quota": start("quota", "wait", "--set", "epochs=1", quota__hard__pods="2"),
        "memory": start("memory", "eat", "--set", "slots=1", "--set", "parameters.x.grid=2", console__enabled="true"),
        "dead": start("dead", "die", "--set", "slots=1", executor__maxFailures="1"),
        "image": start("image", "wait", executor__image="tinderbox:nope", executor__startTimeoutSeconds="10"),
    }


@pytest.fixture(scope="module")
def ended(releases: dict[str, Release], eventually: Eventually) -> Callable[[str], str]:
    """A function that waits for the end of a release's Job and returns its driver's log."""

    def wait(name: str) -> str:
        assert eventually(lambda: releases[name].ended(f"sweep-{name}") is not None, 240), releases[name].log(
            f"sweep-{name}"
        )
        return releases[name].log(f"sweep-{name}")

    return wait


def exit_code(release: Release, job: str) -> int | None:
    """How the newest driver of a Job ended."""
    pod = release.driver(job)
    statuses = [] if pod is None else pod["status"]["containerStatuses"]
    return next((s["state"]["terminated"]["exitCode"] for s in statuses if "terminated" in s["state"]), None)


def test_sigterm_stops_a_driver_and_the_next_one_continues(
    releases: dict[str, Release], eventually: Eventually
) -> None:
    """Well within its grace; trials that ran are given back, those that had ended stay, and none is told twice."""
    release = releases["stopped"]
    assert eventually(lambda: "[1/" in release.log("sweep-stopped"), 120)
    first = release.driver("sweep-stopped")
    assert first is not None
    name = first["metadata"]["name"]
    said: list[str] = []
    following = threading.Thread(target=lambda: said.append(release.space("logs", "--follow", name)))
    following.start()
    began = time.monotonic()
    release.space("delete", "pod", name)
    assert time.monotonic() - began < GRACE_SECONDS
    following.join(10)
    assert said, "the log could not be followed"
    assert "stopped; run the same command again to continue" in said[0]
    assert eventually(lambda: release.ended("sweep-stopped") == "Complete", 240)
    log = release.log("sweep-stopped")
    known = int(re.findall(r"in which (\d+) trials? ha", log)[0])
    # One that ends while its driver is stopping is in the record, and told by neither.
    assert said[0].count("] trial ") <= known < 4
    assert log.count("] trial ") == 4 - known
    assert "[4/4]" in log


def test_a_quota_is_told_and_the_study_completes(releases: dict[str, Release], ended: Callable[[str], str]) -> None:
    """On the slots that it gets."""
    log = ended("quota")
    assert re.search("[01] of 2 slots run, and the study goes on with them: ", log)
    assert "exceeded quota: tinderbox, requested: pods=1, used: pods=2, limited: pods=2" in log
    assert releases["quota"].ended("sweep-quota") == "Complete"


def test_trials_without_memory_are_told(releases: dict[str, Release], ended: Callable[[str], str]) -> None:
    """One that its slot has ended, and one whose pod the kernel has killed: each fails for good, tried once."""
    log = ended("memory")
    assert "needed more than its memory limit of 1536Mi; give it more" in log
    assert exit_code(releases["memory"], "sweep-memory") == 4
    assert releases["memory"].tinderbox("fetch", "memory").returncode == 0
    record = open_study("memory", str(releases["memory"].folder / "studies")).record
    weighed, killed = sorted(record.trials.values(), key=lambda trial: float(trial.parameters["x"]))
    assert [[attempt.outcome for attempt in trial.attempts] for trial in (weighed, killed)] == [["out_of_memory"]] * 2
    told = r"the trial's processes held \d+ MiB, and may hold \d+ MiB in an executor of 1,536 MiB with one slot; give "
    assert re.match(told, weighed.cause), weighed.cause
    assert "needed more than its memory limit of 1536Mi; give it more" in killed.cause
    assert len(releases["memory"].pods("job-name=sweep-memory")) == 1


def test_executors_that_die_end_a_study(releases: dict[str, Release], ended: Callable[[str], str]) -> None:
    """After so many deaths as the values allow the Job fails for good, with a code of its own."""
    log = ended("dead")
    assert re.search("1 executors died, 1 of them in a row: pod .* ended with exit code 137, killed by signal 9", log)
    assert exit_code(releases["dead"], "sweep-dead") == 3
    assert len(releases["dead"].pods("job-name=sweep-dead")) == 1


def test_an_image_that_is_not_there_is_told(releases: dict[str, Release], ended: Callable[[str], str]) -> None:
    """Where no executor comes in time the Job fails for good, and says why."""
    log = ended("image")
    assert "no executor came within 10 s: image 'tinderbox:nope' of pod " in log
    assert exit_code(releases["image"], "sweep-image") == 3


def test_a_driver_that_cannot_start_is_explained(releases: dict[str, Release], eventually: Eventually) -> None:
    """By `tinderbox status`, and a running Job is not replaced, but may be deleted."""
    release = releases["image"]
    (release.folder / "other.yaml").write_text((release.folder / "job.yaml").read_text().replace("image", "other"))
    assert release.tinderbox("submit", "other.yaml", "--image", "tinderbox:nope").returncode == 0
    sentence = "job sweep-other waits in pod sweep-other-"
    assert eventually(lambda: "cannot be had" in release.tinderbox("status", "other").stdout, 60)
    assert release.tinderbox("status", "other").stdout.startswith(sentence)
    again = release.tinderbox("submit", "other.yaml")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith(
        f"tinderbox: job sweep-other runs in namespace {release.space.name} and was not touched"
    )
    assert release.tinderbox("delete", "other").returncode == 0
    assert eventually(lambda: "sweep-other" not in release.space("get", "jobs,configmaps,secrets", "--output=name"), 30)
