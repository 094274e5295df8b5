"""The commands that speak to a cluster, which is played here: what they print, where, and their exit codes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from click.testing import Result

from tinderbox.api.submission import Submitted
from tinderbox.cli import cluster as module
from tinderbox.cli import printed
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube.cluster import Refused
from tinderbox.kube.jobs import Progress
from tinderbox.storage import StudyFolder
from tinderbox.storage.rows import RowsFolder
from tinderbox.storage.training import TrainFolder

Tinderbox = Callable[..., Result]
NOTHING = "there is no study, batch inference or training"


class Played:
    """A cluster whose release keeps its studies in a folder of this machine; `deeds` is what was asked of it."""

    namespace = "lab"

    def __init__(self, storage: str) -> None:
        self.storage = storage
        self.deeds: list[Any] = []
        self.progress = Progress("sweep-small", "running", "sweep-small-a", "")
        self.error: BaseException | None = None
        self.following: Callable[..., bool] = lambda home, watcher: False
        self.lines: list[str] = []

    def connect(self, namespace: str | None, context: str | None) -> Played:
        """Take the place of a kubeconfig's cluster."""
        self.deeds.append(("connect", namespace, context))
        return self

    def release(self, name: str | None) -> Any:
        """Return a release."""
        self.deeds.append(("release", name))
        return SimpleNamespace(name=name, storage=self.storage)

    def submit(self, cluster: object, release: object, file: Path, job: Any, image: str | None, fresh: bool) -> Any:
        """Submit a job, or refuse to."""
        if self.error is not None:
            raise self.error
        self.deeds.append(("submit", file.name, getattr(job, "epochs", None), image, fresh))
        return Submitted({"metadata": {"name": f"sweep-{job.name}"}}, "secret")

    def follow(self, cluster: object, submitted: object, home: StudyFolder, watcher: Any) -> bool:
        """Follow a study."""
        return self.following(home, watcher)

    @contextmanager
    def opened(self, cluster: object, release: Any) -> Iterator[str]:
        """Lend the folder of studies."""
        self.deeds.append("opened")
        yield release.storage

    def find_progress(self, cluster: object, study: str) -> Progress:
        """Return where the Job stands."""
        if self.error is not None:
            raise self.error
        return self.progress

    def scale(self, cluster: object, study: str, slots: int) -> str:
        """Note the number."""
        self.deeds.append(("scale", study, slots))
        return f"ConfigMap job-{study}"

    def log(self, cluster: object, pod: str, follow: bool) -> Iterator[str]:
        """Yield lines."""
        self.deeds.append(("log", pod, follow))
        yield from self.lines


@pytest.fixture
def played(recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> Played:
    """A cluster on which the study `small` has run."""
    played = Played(recorded.root.rpartition("/")[0])
    monkeypatch.setattr("tinderbox.cli.place.connect", played.connect)
    monkeypatch.setattr(module.submission, "submit_job", played.submit)
    monkeypatch.setattr(module.following, "follow", played.follow)
    monkeypatch.setattr(module.remote, "opened_storage", played.opened)
    monkeypatch.setattr(module.remote, "find_progress", played.find_progress)
    monkeypatch.setattr(module.remote, "scale_study", played.scale)
    monkeypatch.setattr(printed.jobs, "driver_log", played.log)
    monkeypatch.setattr(module.jobs, "find_job", lambda cluster, study: {"metadata": {"name": f"sweep-{study}"}})
    monkeypatch.setattr(
        module.jobs, "delete", lambda cluster, job: played.deeds.append(("delete", job["metadata"]["name"]))
    )
    return played


# submit


def test_submit(played: Played, tinderbox: Tinderbox, job: Path) -> None:
    """Says what it did, and how to follow it."""
    options = ("--set", "epochs=7", "--image", "mine:2", "--fresh", "-n", "lab", "--context", "c", "--release", "r")
    result = tinderbox("submit", job.name, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "job sweep-small is submitted to namespace lab\n"
        "follow it: tinderbox status small, or kubectl logs -f job/sweep-small\n"
    )
    assert played.deeds == [("connect", "lab", "c"), ("release", "r"), ("submit", "job.yaml", 7, "mine:2", True)]


def test_a_job_that_is_wrong_is_not_submitted(played: Played, tinderbox: Tinderbox, job: Path) -> None:
    """The cluster is not even asked."""
    result = tinderbox("submit", job.name, "--set", "epochs=0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "tinderbox: job.yaml: epochs: input should be greater than or equal to 1, got 0\n"
    assert played.deeds == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("job sweep-small runs in namespace lab and was not touched"), 2),
        (Refused("namespace lab does not let you: no"), 1),
        (TinderboxError("the cluster cannot be reached: no"), 1),
    ],
)
def test_what_stands_in_the_way(
    played: Played, tinderbox: Tinderbox, job: Path, error: TinderboxError, code: int
) -> None:
    """One sentence on stderr, and nothing is said to be submitted."""
    played.error = error
    result = tinderbox("submit", job.name, "--watch")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"tinderbox: {error}\n")


def test_a_study_is_watched_and_comes_home(played: Played, tinderbox: Tinderbox, job: Path, tmp_path: Path) -> None:
    """What its driver has brought home is shown; nobody else is asked."""

    def follow(home: StudyFolder, watcher: Any) -> bool:
        watcher.tell("waiting for the driver")
        assert home.root == f"{tmp_path}/home/small"
        module.bring_home("small", played.storage, str(tmp_path / "home"))
        return True

    played.following = follow
    result = tinderbox("submit", job.name, "--watch", "--to", "home")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:2] == ["job sweep-small is submitted to namespace lab", "waiting for the driver"]
    assert lines[2].strip() == "best of 5 trials of study small"
    assert "opened" not in played.deeds


@pytest.mark.parametrize("to", ["home", "memory://home"])
def test_a_study_that_ended_unseen_is_fetched(played: Played, tinderbox: Tinderbox, job: Path, to: str) -> None:
    """From storage, to wherever it was to go."""
    fsspec.filesystem("memory").store.clear()
    result = tinderbox("submit", job.name, "--watch", "--to", to)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "best of 5 trials of study small" in result.stdout
    assert played.deeds[-1] == "opened"
    assert StudyFolder(to, "small").exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), KeyboardInterrupt(signal.SIGTERM)])
def test_detached(played: Played, tinderbox: Tinderbox, job: Path, tmp_path: Path, stop: BaseException) -> None:
    """Ctrl-C ends the watch and not the job, and says what comes next."""

    def follow(home: StudyFolder, watcher: Any) -> bool:
        raise stop

    played.following = follow
    result = tinderbox("submit", job.name, "--watch", "--to", "home")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1:] == [
        "detached; the job runs on: tinderbox status small, and later tinderbox fetch small"
    ]
    assert not (tmp_path / "home").exists()
    assert "opened" not in played.deeds


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), KeyboardInterrupt(signal.SIGTERM)])
def test_detached_from_a_batch_inference(
    played: Played, tinderbox: Tinderbox, tmp_path: Path, stop: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C says the same, and brings no rows home."""

    def wait(*_: object) -> None:
        raise stop

    monkeypatch.setattr(module.following, "wait_for_end", wait)
    (tmp_path / "infer.yaml").write_text("kind: infer\nname: photos\nmodel: /m.keras\ninput: /data\n")
    result = tinderbox("submit", tmp_path / "infer.yaml", "--watch")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1:] == [
        "detached; the job runs on: tinderbox status photos, and later tinderbox fetch photos"
    ]
    assert "opened" not in played.deeds


def watched_training(tinderbox: Tinderbox, folder: Path) -> Result:
    """Submit a training, and watch it."""
    (folder / "train.yaml").write_text("kind: train\nname: lenet\nmodel: lenet5\nepochs: 2\n")
    return tinderbox("submit", folder / "train.yaml", "--watch", "--to", folder / "home")


@pytest.mark.usefixtures("played")
def test_a_training_is_watched_and_comes_home(
    tinderbox: Tinderbox, trained: TrainFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its Job has ended; what it has left is shown."""
    monkeypatch.setattr(
        module.following, "follow_training", lambda cluster, submitted, watcher: watcher.tell("the driver runs")
    )
    result = watched_training(tinderbox, tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1] == "the driver runs"
    assert "training lenet: 2 epochs, mode synchronous" in result.stdout
    assert f"confusion  {tmp_path}/home/lenet/confusion.json" in result.stdout
    assert TrainFolder(str(tmp_path / "home"), "lenet").read("train.yaml") == trained.read("train.yaml")


def test_detached_from_a_training(
    played: Played, tinderbox: Tinderbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the watch, and nothing comes home."""

    def wait(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.following, "follow_training", wait)
    result = watched_training(tinderbox, tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1:] == [
        "detached; the job runs on: tinderbox status lenet, and later tinderbox fetch lenet"
    ]
    assert "opened" not in played.deeds


def test_a_job_that_fails(played: Played, tinderbox: Tinderbox, job: Path) -> None:
    """Is one sentence and exit code 1."""

    def follow(home: StudyFolder, watcher: Any) -> bool:
        raise TinderboxError("job sweep-small failed: no")

    played.following = follow
    result = tinderbox("submit", job.name, "--watch")
    assert (result.exit_code, result.stderr) == (1, "tinderbox: job sweep-small failed: no\n")


# status, fetch, delete


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("sweep-small", "running", "p-1", ""), "job sweep-small runs in pod p-1"),
        (
            Progress("sweep-small", "running", "p-1", "it was evicted"),
            "job sweep-small runs in pod p-1: it was evicted",
        ),
        (Progress("sweep-small", "waiting", None, "it has no pod yet"), "job sweep-small waits: it has no pod yet"),
        (Progress("sweep-small", "complete", "p-1", ""), "job sweep-small is complete"),
        (Progress("sweep-small", "failed", "p-1", "pod p-1 ended"), "job sweep-small has failed: pod p-1 ended"),
        (Progress("sweep-small", "deleted", None, ""), "job sweep-small is deleted"),
    ],
)
def test_status(played: Played, tinderbox: Tinderbox, progress: Progress, line: str) -> None:
    """A line for the Job, and one for the study."""
    played.progress = progress
    result = tinderbox("status", "small")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{line}\n4/5 trials, 0 running, best loss 0.25 (trial 1)\n"


def test_a_study_that_has_not_begun(played: Played, tinderbox: Tinderbox) -> None:
    """Is no mistake while its Job has not ended."""
    played.progress = Progress("sweep-other", "waiting", "p-1", "no node takes pod p-1")
    result = tinderbox("status", "other")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "job sweep-other waits in pod p-1: no node takes pod p-1\nother has not begun\n"


def test_a_study_that_never_began(played: Played, tinderbox: Tinderbox) -> None:
    """The Job's own cause comes first; then it is said that there is no study, and which there are."""
    played.progress = Progress("sweep-other", "failed", "p-1", "pod p-1 ended")
    result = tinderbox("status", "other")
    assert (result.exit_code, result.stdout) == (2, "job sweep-other has failed: pod p-1 ended\n")
    assert result.stderr == f"tinderbox: {NOTHING} 'other' in {played.storage}; it holds small\n"


def test_status_of_an_unknown_job(played: Played, tinderbox: Tinderbox) -> None:
    """One sentence."""
    played.error = BadInput("namespace lab has no job of 'x'; it has those of small")
    result = tinderbox("status", "x")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"tinderbox: {played.error}\n")


@pytest.mark.usefixtures("labelled")
def test_status_of_a_batch_inference(played: Played, tinderbox: Tinderbox) -> None:
    """A line for the Job, and one for the rows of the version that it was started with last."""
    played.progress = Progress("infer-photos", "running", "p-1", "")
    result = tinderbox("status", "photos")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "job infer-photos runs in pod p-1\n3 rows, 1 with an error, 0.5 rows/s\n"


@pytest.mark.usefixtures("trained")
def test_status_of_a_training(played: Played, tinderbox: Tinderbox) -> None:
    """A line for the Job, and one for how far it is."""
    played.progress = Progress("train-lenet", "complete", "p-1", "")
    result = tinderbox("status", "lenet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "job train-lenet is complete",
        "epoch 2/2, loss 1, top1 0.6, top5 0.85, val_loss 0.75, val_top1 0.7, val_top5 0.9, done",
    ]


@pytest.mark.usefixtures("played")
def test_fetch_of_a_training(tinderbox: Tinderbox, trained: TrainFolder, tmp_path: Path) -> None:
    """All but its checkpoints, and what it has left is shown."""
    trained.write("checkpoints/step-000000009/part-0", b"x")
    result = tinderbox("fetch", "lenet", "--to", tmp_path / "home")
    assert (result.exit_code, result.stderr) == (0, "")
    home = TrainFolder(str(tmp_path / "home"), "lenet")
    assert set(home.names()) == {name for name in trained.names() if "checkpoints" not in name}
    assert "attempt 1, 2 workers: killed: worker 1 on node-1 was killed by SIGKILL" in result.stdout


@pytest.mark.usefixtures("played", "trained")
def test_logs_of_a_worker(tinderbox: Tinderbox) -> None:
    """As a training has kept them in storage."""
    result = tinderbox("logs", "lenet", "--worker", 1, "--attempt", 1, "--cluster")
    assert (result.exit_code, result.stdout) == (0, "worker 1 in attempt 1\nKilled\n")


def test_fetch_of_a_batch_inference(played: Played, tinderbox: Tinderbox, labelled: RowsFolder, tmp_path: Path) -> None:
    """Rows and report are brought home, and what is there can be reported on anew."""
    result = tinderbox("fetch", "photos", "--to", tmp_path / "home")
    assert (result.exit_code, result.stderr) == (0, "")
    home = RowsFolder(str(tmp_path / "home"), "photos")
    assert result.stdout == f"rows: {home.path('rows')}\nreport: {home.path('report.html')}\n"
    assert home.names("rows") == labelled.names("rows")
    assert "in all: 3 rows" in tinderbox("report", "photos", "--storage", tmp_path / "home").stdout


@pytest.mark.usefixtures("played", "labelled")
def test_a_batch_inference_has_no_trials(tinderbox: Tinderbox) -> None:
    """Its log is its driver's."""
    result = tinderbox("logs", "photos", "--trial", "1", "--cluster")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "photos is a batch inference, which has no trials; leave --trial out" in result.stderr


def test_fetch(played: Played, tinderbox: Tinderbox, tmp_path: Path) -> None:
    """The study is brought home and shown, with the paths that it has here."""
    recorded = StudyFolder(played.storage, "small")
    recorded.write("best/parameters.yaml", b"x: 1\n")
    result = tinderbox("fetch", "small", "--to", tmp_path / "home", "--release", "r")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "best of 5 trials of study small" in result.stdout
    assert f"parameters {tmp_path}/home/small/best/parameters.yaml" in result.stdout
    assert ("release", "r") in played.deeds


def test_fetch_of_an_unknown_study(played: Played, tinderbox: Tinderbox, tmp_path: Path) -> None:
    """One sentence, and nothing at home."""
    result = tinderbox("fetch", "smal", "--to", tmp_path / "home")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"tinderbox: {NOTHING} 'smal' in {played.storage}; it holds small\n"
    assert not (tmp_path / "home").exists()


def test_scale(played: Played, tinderbox: Tinderbox) -> None:
    """Says where the number was written, and when it counts."""
    result = tinderbox("scale", "small", "7", "-n", "lab")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "ConfigMap job-small says 7 slots; the driver takes it over within about a minute\n"
    assert played.deeds == [("connect", "lab", None), ("scale", "small", 7)]


@pytest.mark.parametrize("slots", ["0", "-1", "many"])
def test_scale_to_no_number(played: Played, tinderbox: Tinderbox, slots: str) -> None:
    """Nothing is asked of the cluster."""
    result = tinderbox("scale", "small", "--", slots)
    assert result.exit_code == 2
    assert played.deeds == []


def test_delete(played: Played, tinderbox: Tinderbox) -> None:
    """The Job goes, the study stays."""
    result = tinderbox("delete", "small")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "job sweep-small is deleted; what it has done stays, and the same job submitted again goes on with it\n"
    )
    assert played.deeds[-1] == ("delete", "sweep-small")
    assert StudyFolder(played.storage, "small").exists()


# logs


@pytest.mark.parametrize(("state", "follow"), [("running", True), ("complete", False), ("failed", False)])
def test_logs_of_the_driver(played: Played, tinderbox: Tinderbox, state: Any, follow: bool) -> None:
    """Line for line as it was printed, and followed while it runs."""
    played.progress = Progress("sweep-small", state, "p-1", "")
    played.lines = ["[1/5] trial 0 [red]", "", "done :train:"]
    result = tinderbox("logs", "small", "--cluster")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "[1/5] trial 0 [red]\n\ndone :train:\n"
    assert played.deeds[-1] == ("log", "p-1", follow)


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        ("it has no pod yet", "job sweep-small has no driver: it has no pod yet"),
        ("", "job sweep-small has no driver: its pod is gone"),
    ],
)
def test_logs_without_a_driver(played: Played, tinderbox: Tinderbox, cause: str, sentence: str) -> None:
    """One sentence says why there is none."""
    played.progress = Progress("sweep-small", "waiting", None, cause)
    result = tinderbox("logs", "small", "--cluster")
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"tinderbox: {sentence}\n")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "second attempt\nTraceback\nValueError: no\n"),
        (["--attempt", "1"], "first attempt\n"),
    ],
)
def test_logs_of_a_trial(played: Played, tinderbox: Tinderbox, options: list[str], text: str) -> None:
    """From storage, whether its Job is there or not."""
    played.error = BadInput("there is no such job")
    result = tinderbox("logs", "small", "--trial", "2", *options, "--cluster")
    assert (result.exit_code, result.stdout, result.stderr) == (0, text, "")


def test_logs_here_need_a_trial(played: Played, tinderbox: Tinderbox) -> None:
    """Drivers' own logs are on clusters, and none is asked without --cluster."""
    result = tinderbox("logs", "small")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "tinderbox: --trial must name a trial, got none; a driver's own log is on a cluster: --cluster\n"
    )
    assert played.deeds == []
