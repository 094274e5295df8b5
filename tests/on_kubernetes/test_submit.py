"""`tinderbox submit` from a person's folder: code travels, the screen follows, the result comes home."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tinderbox.api.result import open_study

if TYPE_CHECKING:
    from tests.on_kubernetes.release import Release

Eventually = Callable[[Callable[[], bool], float], bool]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MODULE = """
from shapes.square import square


def train(trial):
    print(f"x is {trial.params['x']}")
    trial.report(1, checkpoint=lambda file: file.write(b"state"), loss=square(trial.params["x"]))
"""

JOB = """
kind: sweep
name: own
objective: own_objective:train
code: code
preload: []
metric: {name: loss, direction: minimize}
parameters:
  x: {type: float, low: -1, high: 1, grid: 3}
search: grid
epochs: 1
"""


@pytest.fixture(scope="module")
def folder(release: Release) -> Release:
    """The release, whose user has a job and a package of code."""
    package = release.folder / "code" / "shapes"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "square.py").write_text("def square(x):\n    return x * x\n")
    (release.folder / "code" / "own_objective.py").write_text(MODULE)
    (release.folder / "own.yaml").write_text(JOB)
    return release


def test_watched_from_a_folder_to_a_result(folder: Release) -> None:
    """The best trial is printed, with the files that came home; nothing is left of the submission but the Job."""
    done = folder.tinderbox("submit", "own.yaml", "--watch")
    assert done.returncode == 0, done.stderr
    assert f"job sweep-own is submitted to namespace {folder.space.name}" in done.stdout
    assert "best of 3 trials of study own" in done.stdout
    assert (folder.folder / "studies" / "own" / "report.html").stat().st_size > 1000
    assert (folder.folder / "studies" / "own" / "best" / "model").read_bytes() == b"state"
    x = open_study("own", str(folder.folder / "studies")).record.trials[1].parameters["x"]
    assert folder.tinderbox("logs", "own", "--trial", "1", "--cluster").stdout == f"x is {x}\n"


def test_detached_it_runs_on(folder: Release, eventually: Eventually) -> None:
    """Ctrl-C ends the command and not the job; an ended Job is replaced, and a changed one is a new study."""
    (folder.folder / "own.yaml").write_text(JOB.replace("grid: 3", "grid: 5"))
    with subprocess.Popen(
        folder.command("submit", "own.yaml", "--watch", "--fresh"),
        stdout=subprocess.PIPE,
        text=True,
        **folder.surroundings(),
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("job sweep-own is submitted")
        watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        rest, _ = watching.communicate(timeout=30)
    assert watching.returncode == 0
    assert "detached; the job runs on: tinderbox status own, and later tinderbox fetch own" in rest
    folder.space("wait", "--for=condition=Complete", "--timeout=120s", "job/sweep-own")
    assert "5/5 trials" in folder.tinderbox("status", "own").stdout
    assert "best of 5 trials" in folder.tinderbox("fetch", "own", "--to", "home").stdout
    assert folder.tinderbox("delete", "own").returncode == 0
    assert eventually(lambda: "sweep-own" not in folder.space("get", "jobs,configmaps,secrets", "--output=name"), 30)
    assert "best of 5 trials" in folder.tinderbox("fetch", "own", "--to", "again").stdout


def test_bad_input_starts_nothing(folder: Release) -> None:
    """One sentence and exit code 2: code that is too large, a release that is not there, a study that is not there."""
    (folder.folder / "code" / "weights.bin").write_bytes(bytes(range(256)) * 8 * 1024)
    (folder.folder / "large.yaml").write_text(JOB.replace("own\n", "large\n", 1))
    done = folder.tinderbox("submit", "large.yaml", "--release", "nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tinderbox: --release must name one of tinderbox, which is not one, got 'nobody'\n"
    done = folder.tinderbox("status", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no job of 'nothing'; it has those of " in done.stderr
    assert "sweep-large" not in folder.space("get", "jobs,configmaps,secrets", "--output=name")
