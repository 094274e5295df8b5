"""The child's side of a slot, in this process: a thread stands by, the test is its slot."""

from __future__ import annotations

import gc
import random
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox import preloading
from tinderbox.data import Dataset
from tinderbox.failure import Failure
from tinderbox.sweeping import child
from tinderbox.sweeping.child import Counted, Over, Reporting, Saved, Start, Work, run, stand_by
from tinderbox.sweeping.messages import Decision, Lease, Resume
from tinderbox.sweeping.objective import Objective
from tinderbox.sweeping.trial import Trial, TrialPaused, TrialStopped

MakeWork = Callable[..., Work]


def lease(trial: int = 0, epochs: int = 2, seed: int = 5) -> Lease:
    """Return a lease."""
    return Lease(trial=trial, attempt=1, parameters={"x": trial}, seed=seed, epochs=epochs)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Work], Connection]]:
    """Return a function that starts a child in a thread, and gives the slot's end of its pipe."""
    monkeypatch.setattr(gc, "freeze", lambda: None)
    # Threads share this process's random generators and Keras; only `run` in the tests below may touch them.
    monkeypatch.setattr(child, "seed_generators", lambda seed: None)
    opened: list[tuple[Connection, threading.Thread]] = []

    def start(work: Work) -> Connection:
        ours, theirs = Pipe()
        thread = threading.Thread(target=lambda: (stand_by(theirs, (work,)), theirs.close()))
        thread.start()
        opened.append((ours, thread))
        return ours

    yield start
    for connection, thread in opened:
        connection.close()
        thread.join(10)
        assert not thread.is_alive()


def converse(
    connection: Connection, given: Lease, decision: Decision | None = None, folder: Path = Path("none")
) -> list[Any]:
    """Run a trial to its end and return all that its child said."""
    connection.send(Start(given, folder))
    said = []
    while True:
        assert connection.poll(10)
        said.append(connection.recv())
        match said[-1]:
            case Over():
                return said
            case Reporting():
                connection.send(decision or Decision())
            case Saved():
                said.append(said[-1].path.read_bytes())
                connection.send(None)


def test_a_module_that_was_not_preloaded_fails_each_trial(
    begin: Callable[[Work], Connection], make_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than that each trial imports it again, or trains without it."""
    monkeypatch.setattr(preloading, "failure", "preload: module own does not import: ValueError: no")
    connection = begin(make_work(lambda trial: trial.report(1, loss=1.0)))
    assert converse(connection, lease()) == [Over("failed", Failure(preloading.failure))]


def test_a_trial_from_lease_to_end(begin: Callable[[Work], Connection], make_work: MakeWork) -> None:
    """Reports, then Over; without `repeat` the child is done after one."""

    def function(trial: Any) -> None:
        assert trial.data.train.x.shape == (5, 2)
        for epoch in (1, 2):
            trial.report(epoch, loss=trial.params["x"] + epoch)

    connection = begin(make_work(function))
    assert converse(connection, lease(3)) == [
        Reporting(1, {"loss": 4.0}, last=False, can_save=False),
        Reporting(2, {"loss": 5.0}, last=True, can_save=False),
        Over("complete"),
    ]
    with pytest.raises(EOFError):
        connection.recv()


def test_trial_after_trial(begin: Callable[[Work], Connection], make_work: MakeWork) -> None:
    """With `repeat` it goes on, after a failure too, until its slot hangs up."""

    def function(trial: Any) -> None:
        if trial.number == 1:
            raise ValueError("no")
        trial.report(2, loss=0.5)

    connection = begin(make_work(function, repeat=True))
    assert [converse(connection, lease(number))[-1].outcome for number in range(3)] == [
        "complete",
        "failed",
        "complete",
    ]


def test_a_state_is_paired_with_its_epoch(
    begin: Callable[[Work], Connection], make_work: MakeWork, tmp_path: Path
) -> None:
    """It is written, told, and waited for before the function goes on."""

    def function(trial: Any) -> None:
        for epoch in (1, 2):
            trial.report(epoch, checkpoint=lambda file, e=epoch: file.write(b"state %d" % e) and None, loss=1)

    said = converse(begin(make_work(function)), lease(), Decision(save=True), tmp_path)
    kinds = [
        entry if isinstance(entry, bytes) else (type(entry).__name__, getattr(entry, "epoch", 0)) for entry in said
    ]
    assert kinds == [
        ("Reporting", 1), ("Saved", 1), b"state 1", ("Reporting", 2), ("Saved", 2), b"state 2", ("Over", 0),
    ]  # fmt: skip


def test_a_trial_that_goes_on_gets_its_state(
    begin: Callable[[Work], Connection], make_work: MakeWork, tmp_path: Path
) -> None:
    """The file that its slot has fetched, and how many epochs are in it."""

    def function(trial: Any) -> None:
        trial.report(3, loss=float(trial.checkpoint.read_text()) + trial.epoch)

    (tmp_path / "state").write_text("0.5")
    resume = Resume(epoch=2, path="0-1-2", sha256="00", size=3)
    given = replace(lease(epochs=3), attempt=2, resume=resume)
    connection = begin(make_work(function))
    connection.send(Start(given, tmp_path, tmp_path / "state"))
    assert connection.poll(10)
    assert connection.recv() == Reporting(3, {"loss": 2.5}, last=True, can_save=False)
    connection.send(Decision())
    assert connection.poll(10)
    assert connection.recv() == Over("complete")


def test_what_was_counted_is_told_however_a_trial_ends(
    begin: Callable[[Work], Connection], make_work: MakeWork
) -> None:
    """Before its report, and before its end where it fails amid an epoch; nobody answers."""

    def function(trial: Any) -> None:
        trial.count(5, 0.25)
        trial.report(1, loss=1.0)
        trial.count(3, 0.5)
        raise ValueError("no")

    first, reported, second, over = converse(begin(make_work(function)), lease())
    assert [(told.examples, told.steps[-1], sum(told.steps[:-1])) for told in (first, second)] == [
        (5, 0.25, 1),
        (3, 0.5, 1),
    ]
    assert {type(first), type(second)} == {Counted}
    assert (type(reported), over.outcome) == (Reporting, "failed")


@pytest.mark.parametrize("objective", [Objective("no.such:train"), Objective("os.path:nothing")])
def test_a_function_that_does_not_load(
    begin: Callable[[Work], Connection], make_work: MakeWork, objective: Objective
) -> None:
    """Each trial fails with the sentence, and the child stays in order."""
    work = make_work(lambda trial: None, repeat=True)
    connection = begin(Work(objective, ("loss",), work.code, work.data, repeat=True))
    for number in range(2):
        (over,) = converse(connection, lease(number))
        assert over.outcome == "failed"
        assert over.failure.cause.startswith(f"{objective.name}: module ")


# `run` by itself


class Silent:
    """A channel that lets everything go on."""

    def report(self, epoch: int, metrics: dict[str, float], last: bool, can_save: bool) -> Decision:
        """Say: go on."""
        return Decision()

    def save(self, epoch: int, save: Any) -> None:
        """Never be asked."""
        raise AssertionError

    def count(self, examples: float, steps: list[float]) -> None:
        """Have nobody to tell."""
        raise BrokenPipeError


@pytest.fixture
def here(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], None]], Over]:
    """Return a function that runs a function in this process, Keras left alone."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    return lambda function: run(function, Trial(lease(), dataset, ("loss",), Silent()))


def test_a_function_that_raises_tells_where(here: Callable[[Callable[[Any], None]], Over]) -> None:
    """One sentence, and a traceback that begins in the user's function."""

    def function(trial: Any) -> None:
        raise ValueError("no such layer")

    over = here(function)
    assert (over.outcome, over.failure.cause) == ("failed", "ValueError: no such layer")
    lines = over.failure.details.splitlines()
    assert (lines[0], lines[-1]) == ("Traceback (most recent call last):", "ValueError: no such layer")
    assert "in function" in lines[1]
    assert str(Path(child.__file__).parent) not in over.failure.details


def test_a_function_without_a_report_fails(here: Callable[[Callable[[Any], None]], Over]) -> None:
    """With the sentence that says what to call, and no traceback of ours."""
    over = here(lambda trial: None)
    assert (over.outcome, over.failure.cause) == (
        "failed",
        "the function returned without a report; call trial.report(epoch, loss=...)",
    )
    assert "File" not in over.failure.details


@pytest.mark.parametrize(
    ("error", "cause"), [(SystemExit(3), "SystemExit: 3"), (KeyboardInterrupt(), "KeyboardInterrupt")]
)
def test_a_function_that_wants_out_fails(
    here: Callable[[Callable[[Any], None]], Over], error: BaseException, cause: str
) -> None:
    """It ends its trial, not its child."""

    def function(trial: Any) -> None:
        raise error

    over = here(function)
    assert (over.outcome, over.failure.cause) == ("failed", cause)


@pytest.mark.parametrize(("error", "outcome"), [(TrialPaused, "paused"), (TrialStopped, "stopped")])
def test_a_function_that_was_told_to_end(
    here: Callable[[Callable[[Any], None]], Over], error: type[BaseException], outcome: str
) -> None:
    """However it tidies up, and whatever else it catches."""
    tidied = []

    def function(trial: Any) -> None:
        try:
            try:
                raise error
            except Exception:
                raise AssertionError from None
        finally:
            tidied.append(trial.number)

    assert here(function) == Over(outcome)  # type: ignore[arg-type]  # one of the literals
    assert tidied == [0]


def test_a_slot_that_has_gone_is_told_nothing(here: Callable[[Callable[[Any], None]], Over]) -> None:
    """Counts that nobody takes do not hide how the function has ended."""

    def function(trial: Any) -> None:
        trial.count(1, 0.5)
        raise ValueError("no")

    assert here(function).failure.cause == "ValueError: no"


def test_a_function_that_returns_early_is_complete(here: Callable[[Callable[[Any], None]], Over]) -> None:
    """One report is enough."""
    assert here(lambda trial: trial.report(1, loss=0.5)) == Over("complete")


def test_a_trial_has_its_own_random_numbers(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the same seed, whatever ran before, and others for another seed."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    drawn: list[tuple[float, float]] = []

    def function(trial: Any) -> None:
        drawn.append((random.random(), float(np.random.rand())))  # noqa: S311 - what a user may draw
        trial.report(1, loss=0.5)

    for seed in (1, 2, 1):
        assert run(function, Trial(lease(seed=seed), dataset, ("loss",), Silent())).outcome == "complete"
    assert drawn[0] == drawn[2]
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]
