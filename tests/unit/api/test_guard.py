"""A study without executors, or whose executors keep dying, ends with a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tinderbox.api.guard import Guard, Patience
from tinderbox.errors import NoExecutor
from tinderbox.sweeping.status import Status

PATIENCE = Patience(start_seconds=60, deaths=3)


@dataclass
class FakePods:
    """Pods as a test wants them."""

    died: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)

    def deaths(self) -> list[str]:
        """Return the deaths."""
        return self.died

    def waiting(self) -> list[str]:
        """Return the waits."""
        return self.waits


def status(slots: int, ended: int = 0) -> Status:
    """A study with so many slots and so many trials ended."""
    trials = {"waiting": 0, "running": 0, "complete": ended, "failed": 0, "diverged": 0, "stopped": 0}
    return Status(trials, 10, slots, "loss", None, None, None, 0.0, None, False)


def test_the_first_executor_has_its_time() -> None:
    """Until the start time-out nothing happens; after it the cluster's reason is told with exit code 3."""
    guard = Guard(FakePods(waits=["image 'x' cannot be had"]), lambda: None, PATIENCE, 2, now=0)
    guard.check(status(slots=0), now=59)
    with pytest.raises(NoExecutor, match="no executor came within 60 s: image 'x' cannot be had") as caught:
        guard.check(status(slots=0), now=61)
    assert caught.value.exit_code == 3


def test_a_refused_pod_is_asked_for() -> None:
    """Where no pod could even be made, the reason is the API server's refusal."""
    guard = Guard(FakePods(), lambda: "exceeded quota", PATIENCE, 2, now=0)
    with pytest.raises(NoExecutor, match="exceeded quota"):
        guard.check(status(slots=0), now=61)


def test_executors_that_came_once_may_all_go() -> None:
    """The start time-out is for the first executor only; later losses are the breaker's business."""
    guard = Guard(FakePods(), lambda: None, PATIENCE, 2, now=0)
    guard.check(status(slots=1), now=10)
    guard.check(status(slots=0), now=1000)


def test_too_many_deaths_in_a_row_end_the_study() -> None:
    """Three deaths without a trial that ended in between are enough; one that ended forgives those before it."""
    pods = FakePods(died=["a", "b"])
    guard = Guard(pods, lambda: None, PATIENCE, 2, now=0)
    guard.check(status(slots=1), now=1)
    guard.check(status(slots=1, ended=1), now=2)
    pods.died += ["c", "d"]
    guard.check(status(slots=1, ended=1), now=3)
    pods.died.append("e")
    with pytest.raises(NoExecutor, match="5 executors died, 3 of them in a row: e"):
        guard.check(status(slots=1, ended=1), now=4)


def test_missing_slots_are_explained_once(caplog: pytest.LogCaptureFixture) -> None:
    """The study goes on with those that it has, and each reason is told once, after a while."""
    reasons = iter(["exceeded quota: pods", "exceeded quota: pods", "", "exceeded quota: memory"])
    guard = Guard(FakePods(), lambda: next(reasons), PATIENCE, 2, now=0)
    for now in (10, 21, 30, 42, 63, 84):
        guard.check(status(slots=1), now=now)
    start = "1 of 2 slots run, and the study goes on with them: exceeded quota: "
    assert caplog.messages == [f"{start}pods", f"{start}memory"]


def test_slots_that_are_not_wanted_any_more_are_not_missing(caplog: pytest.LogCaptureFixture) -> None:
    """The number may change while a study runs, to a lower or a higher one, and stays so."""
    guard = Guard(FakePods(), lambda: "exceeded quota", PATIENCE, 20, now=0)
    guard.check(status(slots=2), 21, 2)
    guard.check(status(slots=2), 42)
    assert caplog.messages == []
    guard.check(status(slots=2), 63, 3)
    assert caplog.messages == ["2 of 3 slots run, and the study goes on with them: exceeded quota"]


def test_nobody_asks_where_slots_are_on_their_way(caplog: pytest.LogCaptureFixture) -> None:
    """All there, or pods of which the watch tells why they wait."""

    def refusal() -> str:
        raise AssertionError

    for pods, slots in ((FakePods(), 2), (FakePods(waits=["no node takes it"]), 1)):
        guard = Guard(pods, refusal, PATIENCE, 2, now=0)
        guard.check(status(slots=slots), now=50)
    assert caplog.messages == []
