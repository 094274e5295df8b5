"""A job on a cluster, which is played, is followed to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tinderbox.api import following
from tinderbox.api.driver import Watcher
from tinderbox.api.following import follow, follow_training
from tinderbox.api.result import open_study
from tinderbox.api.submission import Submitted
from tinderbox.errors import BadInput, TinderboxError
from tinderbox.kube.cluster import Unreachable
from tinderbox.kube.jobs import Progress
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.status import Status
from tinderbox.training.status import TrainStatus


class Steps:
    """Keeps what is shown and told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.shown: list[int] = []

    def show(self, status: Status, study: object) -> None:
        """Keep how many trials have ended."""
        self.shown.append(status.ended)

    def tell(self, step: str) -> None:
        """Keep a step."""
        self.told.append(step)


def status(ended: int, over: bool = False) -> Status:
    """A study of three trials."""
    trials = {"waiting": 0, "running": 0, "complete": ended}
    return Status(trials, 3, 1, "loss", None, None, None, 1.0, None, over)


class Play:
    """A Job whose driver is asked through a port-forward; each look and each answer is the next one of a list.

    An answer is a Status, or an exception; a study that is over has the files of `there`.
    """

    job = Submitted({"spec": {"template": {"spec": {"containers": [{"name": "driver"}]}}}}, "secret")

    def __init__(self, looks: list[Any], answers: list[Any], there: StudyFolder | None = None) -> None:
        self.looks, self.answers, self.there = looks, answers, there
        self.forwarded: list[str] = []
        self.kept = iter([False])

    def look(self, cluster: object, job: object) -> Progress:
        """Return the next progress, or raise it."""
        progress = self.looks.pop(0)
        if isinstance(progress, Exception):
            raise progress
        return progress

    @contextmanager
    def forward(self, cluster: object, pod: str, port: int) -> Iterator[str]:
        """Lend a URL."""
        self.forwarded.append(pod)
        yield f"http://{pod}:{port}"

    def __call__(self, url: str, token: str) -> Play:
        """Be the onlooker."""
        assert token == "secret"  # noqa: S105
        return self

    def status(self) -> Any:
        """Return or raise the next answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def keepsakes(self) -> list[str] | None:
        """Return the names at the second time."""
        assert self.there is not None
        return self.there.keepsakes() if next(self.kept, True) else None

    def read(self, name: str) -> bytes:
        """Return what is in a file."""
        assert self.there is not None
        return self.there.read(name)


Played = Callable[..., tuple[bool, Steps]]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Played:
    """A function that follows a play to its end, and returns what that returns and what was shown."""

    def start(play: Play, home: StudyFolder | None = None) -> tuple[bool, Steps]:
        monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(following, "look", play.look)
        monkeypatch.setattr(following, "forwarded", play.forward)
        monkeypatch.setattr(following, "Onlooker", play)
        monkeypatch.setattr(following, "coordinator_port", lambda job: 7070)
        steps, cluster = Steps(), None
        watcher: Watcher = steps
        return follow(cluster, play.job, home or StudyFolder(str(tmp_path / "home"), "small"), watcher), steps  # type: ignore[arg-type]

    return start


GONE = TinderboxError("the driver does not answer: reset")


def at(state: Any, pod: str | None = None, cause: str = "") -> Progress:
    """Where the Job stands."""
    return Progress("sweep-small", state, pod, cause)


def test_a_study_is_followed_and_comes_home(played: Played, recorded: StudyFolder, tmp_path: Path) -> None:
    """From the wait for its pod to its files; what is told while they come home is not told twice."""
    looks = [
        at("waiting", None, "it has no pod yet"),
        at("waiting", "a"),
        at("running", "a"),
        at("waiting", "a"),
        at("complete", "a"),
    ]
    brought, steps = played(Play(looks, [status(0), status(2), status(3, True), status(3, True)], recorded))
    assert brought
    assert steps.told == ["it has no pod yet", "waiting for the driver"]
    assert steps.shown == [0, 2, 3, 3]
    home = StudyFolder(str(tmp_path / "home"), "small")
    assert home.names() == recorded.keepsakes()
    assert open_study("small", str(tmp_path / "home")).best_value == 0.25


def test_the_driver_is_replaced_on_the_way(played: Played, recorded: StudyFolder) -> None:
    """The next one is followed, once it answers."""
    play = Play(
        [
            at("running", "a"),
            at("waiting", "a", "pod a was evicted"),
            at("running", "b"),
            at("running", "b"),
            at("complete"),
        ],
        [status(1), GONE, GONE, status(2), status(3, True), status(3, True)],
        recorded,
    )
    brought, steps = played(play)
    assert brought
    assert play.forwarded == ["a", "b", "b"]
    assert (steps.told, steps.shown) == (["pod a was evicted"], [1, 2, 3, 3])


def test_a_driver_that_ends_before_it_is_seen(played: Played) -> None:
    """Its Job is complete; the files are still to be fetched."""
    brought, steps = played(Play([at("running", "a"), at("complete", "a")], [GONE]))
    assert (brought, steps.shown) == (False, [])


def test_a_cluster_that_is_away_is_asked_again(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a while; then its sentence is the end of it."""
    away = Unreachable("the cluster cannot be reached: no route")
    brought, steps = played(Play([at("running", "a"), away, away, at("complete", "a")], [GONE]))
    assert (brought, steps.told) == (False, ["the cluster cannot be reached; trying again"] * 2)
    monkeypatch.setattr(following, "AWAY_SECONDS", -1.0)
    with pytest.raises(Unreachable, match="no route"):
        played(Play([away], []))


def test_a_job_that_failed(played: Played) -> None:
    """Is an error with its cause."""
    looks = [at("running", "a"), at("failed", "a", "pod a on node n ended with exit code 2: tinderbox: no")]
    with pytest.raises(TinderboxError) as failed:
        played(Play(looks, [GONE]))
    assert str(failed.value) == "job sweep-small failed: pod a on node n ended with exit code 2: tinderbox: no"


def test_a_job_that_fails_though_its_study_came_home(played: Played, recorded: StudyFolder, tmp_path: Path) -> None:
    """As one without a trial that succeeded: it has failed, and its report is there."""
    looks = [at("running", "a"), at("failed", "a", "no trial has a value")]
    with pytest.raises(TinderboxError, match="job sweep-small failed: no trial has a value"):
        played(Play(looks, [status(3, True), status(3, True)], recorded))
    assert StudyFolder(str(tmp_path / "home"), "small").exists()


def test_a_job_that_was_deleted(played: Played, recorded: StudyFolder) -> None:
    """Is not waited for; where its study has come home already, that is all that was wanted."""
    with pytest.raises(TinderboxError) as failed:
        played(Play([at("running", "a"), at("deleted")], [GONE]))
    assert str(failed.value) == ("job sweep-small was deleted; tinderbox fetch small brings home what there is")
    brought, _ = played(Play([at("running", "a"), at("deleted")], [status(3, True), status(3, True)], recorded))
    assert brought


def test_a_home_that_cannot_be_written_ends_the_watch(played: Played, recorded: StudyFolder, tmp_path: Path) -> None:
    """At once: the driver would wait for whoever asks it again and again."""
    (tmp_path / "file").touch()
    play = Play([at("running", "a"), at("complete", "a")], [status(3, True), status(3, True)], recorded)
    with pytest.raises(BadInput, match="file/small cannot be written: Not a directory; name another folder"):
        played(play, StudyFolder(str(tmp_path / "file"), "small"))


# Trainings


class Epochs:
    """Keeps what is shown and told of a training."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.shown: list[int] = []

    def show(self, status: TrainStatus) -> None:
        """Keep how many epochs are done."""
        self.shown.append(status.epoch)

    def tell(self, step: str) -> None:
        """Keep a step."""
        self.told.append(step)


def epoch(number: int, over: bool = False) -> TrainStatus:
    """A training of three epochs."""
    return TrainStatus(epoch=number, epochs=3, share=0.0, step=number, workers=2, wanted=2, attempt=1, over=over)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Callable[[Play], Epochs]:
    """A function that follows a training to the end of its Job, and returns what was shown."""

    def start(play: Play) -> Epochs:
        monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(following, "look", play.look)
        monkeypatch.setattr(following, "forwarded", play.forward)
        monkeypatch.setattr(following, "TrainOnlooker", play)
        monkeypatch.setattr(following, "coordinator_port", lambda job: 7070)
        seen = Epochs()
        follow_training(None, play.job, seen)  # type: ignore[arg-type]
        return seen

    return start


def test_a_training_is_followed(watched: Callable[[Play], Epochs]) -> None:
    """From the wait for its pod to its last epoch; what comes after that is only waited for."""
    looks = [at("waiting", None, "it has no pod yet"), at("running", "a"), at("running", "a"), at("complete", "a")]
    play = Play(looks, [epoch(0), epoch(1), epoch(3, True)])
    seen = watched(play)
    assert (seen.told, seen.shown, play.forwarded) == (["it has no pod yet"], [0, 1, 3], ["a"])


def test_the_driver_of_a_training_is_replaced(watched: Callable[[Play], Epochs]) -> None:
    """The next one is followed, once it answers."""
    looks = [at("running", "a"), at("running", "a"), at("waiting", "a"), at("running", "b"), at("complete", "b")]
    play = Play(looks, [GONE, epoch(1), GONE, epoch(2), epoch(3, True)])
    seen = watched(play)
    assert (seen.told, seen.shown) == (["waiting for the driver"], [1, 2, 3])
    assert play.forwarded == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (at("failed", "a", "exit code 2"), "job sweep-small failed: exit code 2"),
        (at("deleted"), "job sweep-small was deleted"),
    ],
)
def test_a_training_whose_job_did_not_complete(watched: Callable[[Play], Epochs], end: Progress, sentence: str) -> None:
    """Is an error, though its last epoch was seen."""
    with pytest.raises(TinderboxError, match=f"^{sentence}$"):
        watched(Play([at("running", "a"), end], [epoch(3, True)]))
