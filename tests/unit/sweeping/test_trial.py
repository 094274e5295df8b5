"""What the user's function sees, and what it is told when it reports wrongly."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinderbox.checkpoint import Save
from tinderbox.data import Dataset
from tinderbox.errors import BadInput
from tinderbox.sweeping.messages import Decision, Lease, Resume
from tinderbox.sweeping.trial import Trial, TrialPaused, TrialStopped


@dataclass
class Tape:
    """A channel that writes down what it gets, and decides by a function of the epoch and whether it is the last."""

    decide: Callable[[int, bool], Decision] = lambda epoch, last: Decision()
    reports: list[tuple[int, dict[str, float], bool, bool]] = field(default_factory=list)
    saved: list[tuple[int, bytes]] = field(default_factory=list)
    counted: list[tuple[int, float, float]] = field(default_factory=list)

    def report(self, epoch: int, metrics: dict[str, float], last: bool, can_save: bool) -> Decision:
        """Write a report down and decide."""
        self.reports.append((epoch, metrics, last, can_save))
        return self.decide(epoch, last)

    def save(self, epoch: int, save: Save) -> None:
        """Take a state."""
        save(file := io.BytesIO())
        self.saved.append((epoch, file.getvalue()))

    def count(self, examples: float, steps: list[float]) -> None:
        """Write down after how many reports, how many examples, and how many seconds of steps."""
        json.dumps([examples, steps])  # plain numbers alone can be sent on
        self.counted.append((len(self.reports), examples, steps[-1]))


def make_trial(
    dataset: Dataset, tape: Tape, epochs: int = 3, done: int = 0, metrics: Sequence[str] = ("loss",)
) -> Trial:
    """Return a trial of three epochs, some of which may be done."""
    resume = Resume(epoch=done, path="4-1-2", sha256="00", size=1) if done else None
    lease = Lease(trial=4, attempt=1, parameters={"lr": 0.5}, seed=9, epochs=epochs, resume=resume)
    return Trial(lease, dataset, metrics, tape, Path("state") if done else None)


def test_a_trial_has_what_its_lease_says(dataset: Dataset) -> None:
    """Number, parameters, seed, epochs and data."""
    trial = make_trial(dataset, Tape())
    assert (trial.number, trial.params, trial.seed, trial.epochs, trial.data) == (4, {"lr": 0.5}, 9, 3, dataset)


def test_reports_arrive_with_all_their_metrics(dataset: Dataset) -> None:
    """As plain floats, the last of all epochs marked; closing adds nothing then."""
    tape = Tape()
    trial = make_trial(dataset, tape)
    for epoch in (1, 2, 3):
        trial.report(epoch, loss=np.float32(0.5), accuracy=1)
    trial.close()
    assert tape.reports == [(epoch, {"loss": 0.5, "accuracy": 1.0}, epoch == 3, False) for epoch in (1, 2, 3)]
    assert {type(value) for _, metrics, _, _ in tape.reports for value in metrics.values()} == {float}


def test_a_state_is_asked_for_only_when_it_is_wanted(dataset: Dataset) -> None:
    """Before report returns, with the epoch that it belongs to."""
    tape = Tape(lambda epoch, last: Decision(save=epoch == 2))
    trial = make_trial(dataset, tape)
    called = []

    for epoch in (1, 2, 3):

        def save(file: Any, epoch: int = epoch) -> None:
            called.append(epoch)
            file.write(f"state {epoch}".encode())

        trial.report(epoch, checkpoint=save, loss=0.5)
        assert called == ([] if epoch == 1 else [2])
    assert tape.saved == [(2, b"state 2")]
    assert [can_save for _, _, _, can_save in tape.reports] == [True, True, True]


def test_a_state_that_was_not_offered_is_not_asked_for(dataset: Dataset) -> None:
    """Even if the decision wants one."""
    tape = Tape(lambda epoch, last: Decision(save=True))
    make_trial(dataset, tape).report(1, loss=0.5)
    assert tape.saved == []


def test_a_function_that_returns_early(dataset: Dataset) -> None:
    """Its newest report is repeated as its last, and its newest state may be wanted then."""
    tape = Tape(lambda epoch, last: Decision(save=last))
    trial = make_trial(dataset, tape)
    trial.report(1, checkpoint=lambda file: None, loss=0.9)
    trial.report(2, checkpoint=lambda file: file.write(b"two") and None, loss=0.5)
    trial.close()
    assert [(epoch, last) for epoch, _, last, _ in tape.reports] == [(1, False), (2, False), (2, True)]
    assert tape.saved == [(2, b"two")]


def test_a_function_that_goes_on_too_long(dataset: Dataset) -> None:
    """Epochs beyond the last are reported as further last ones."""
    tape = Tape()
    trial = make_trial(dataset, tape, epochs=1)
    trial.report(1, loss=0.5)
    trial.report(2, loss=0.4)
    trial.close()
    assert [(epoch, last) for epoch, _, last, _ in tape.reports] == [(1, True), (2, True)]


def test_a_trial_is_stopped_where_it_reports(dataset: Dataset) -> None:
    """By what no `except Exception` catches, after the state that was wanted."""
    tape = Tape(lambda epoch, last: Decision(action="stop", save=True))
    trial = make_trial(dataset, tape)
    with pytest.raises(TrialStopped):
        trial.report(1, checkpoint=lambda file: file.write(b"x") and None, loss=0.5)
    assert tape.saved == [(1, b"x")]
    assert not issubclass(TrialStopped, Exception)


def test_closing_may_stop_too(dataset: Dataset) -> None:
    """A trial may be told so only with its last report."""
    trial = make_trial(dataset, Tape(lambda epoch, last: Decision(action="stop" if last else "go_on")))
    trial.report(1, loss=0.5)
    with pytest.raises(TrialStopped):
        trial.close()


def test_a_trial_is_paused_where_it_reports(dataset: Dataset) -> None:
    """After its state is safe, by what no `except Exception` catches either."""
    tape = Tape(lambda epoch, last: Decision(action="pause", save=True))
    trial = make_trial(dataset, tape)
    with pytest.raises(TrialPaused):
        trial.report(1, checkpoint=lambda file: file.write(b"x") and None, loss=0.5)
    assert tape.saved == [(1, b"x")]
    assert not issubclass(TrialPaused, Exception)


def test_a_new_trial_has_no_epoch_behind_it(dataset: Dataset) -> None:
    """And no checkpoint."""
    trial = make_trial(dataset, Tape())
    assert (trial.epoch, trial.checkpoint) == (0, None)


def test_a_trial_that_goes_on(dataset: Dataset) -> None:
    """It knows what is done and where its state lies, and reports what follows."""
    tape = Tape()
    trial = make_trial(dataset, tape, done=2)
    assert (trial.epoch, trial.checkpoint) == (2, Path("state"))
    trial.report(3, loss=0.5)
    trial.close()
    assert [(epoch, last) for epoch, _, last, _ in tape.reports] == [(3, True)]


def test_what_is_in_the_record_is_not_reported_again(dataset: Dataset) -> None:
    """A function that trains all epochs again reports those that are new; it still counts from 1."""
    tape = Tape()
    trial = make_trial(dataset, tape, done=2)
    for epoch in (1, 2, 3):
        trial.report(epoch, loss=0.5)
    with pytest.raises(BadInput, match="after 3 it got 1"):
        trial.report(1, loss=0.5)
    assert [epoch for epoch, *_ in tape.reports] == [3]


def test_a_trial_with_nothing_left_to_do(dataset: Dataset) -> None:
    """It was lost after its last report: it returns without another one, or after all of them again."""
    tape = Tape()
    make_trial(dataset, tape, done=3).close()
    assert tape.reports == []
    again = make_trial(dataset, tape, done=3)
    for epoch in (1, 2, 3):
        again.report(epoch, loss=0.5)
    again.close()
    assert [(epoch, last) for epoch, _, last, _ in tape.reports] == [(3, True)]


def test_no_report_at_all(dataset: Dataset) -> None:
    """The sentence says what to call."""
    with pytest.raises(BadInput) as refusal:
        make_trial(dataset, Tape()).close()
    assert str(refusal.value) == "the function returned without a report; call trial.report(epoch, loss=...)"
    with pytest.raises(BadInput, match=r"call trial.report\(epoch, loss=..., latency_ms=...\)$"):
        make_trial(dataset, Tape(), metrics=("loss", "latency_ms")).close()


def test_a_report_carries_all_that_is_compared(dataset: Dataset) -> None:
    """Further objectives and what has a bound are as needed as the metric; whatever else is reported travels too."""
    tape = Tape()
    trial = make_trial(dataset, tape, metrics=("loss", "latency_ms", "size"))
    with pytest.raises(BadInput) as refusal:
        trial.report(1, loss=0.5, size=3)
    assert str(refusal.value) == "report needs latency_ms, one of the study's 3 metrics; it got loss, size"
    trial.report(1, size=3, latency_ms=9, loss=0.5, accuracy=1)
    assert tape.reports == [(1, {"size": 3.0, "latency_ms": 9.0, "loss": 0.5, "accuracy": 1.0}, False, False)]


@pytest.mark.parametrize(
    ("epoch", "metrics", "sentence"),
    [
        (2, {"loss": 1}, "report takes whole epochs that go up, from 1; after 2 it got 2"),
        (1, {"loss": 1}, "report takes whole epochs that go up, from 1; after 2 it got 1"),
        (2.5, {"loss": 1}, "report takes whole epochs that go up, from 1; after 2 it got 2.5"),
        ("3", {"loss": 1}, "report takes whole epochs that go up, from 1; after 2 it got '3'"),
        (3, {}, "report needs loss, the study's metric; it got none"),
        (3, {"accuracy": 1, "f1": 2}, "report needs loss, the study's metric; it got accuracy, f1"),
        (3, {"loss": None}, "report takes numbers, and loss is None"),
        (3, {"loss": 1, "note": "bad"}, "report takes numbers, and note is 'bad'"),
        (3, {"loss": [1, 2]}, "report takes numbers, and loss is [1, 2]"),
    ],
)
def test_bad_reports(dataset: Dataset, epoch: Any, metrics: dict[str, Any], sentence: str) -> None:
    """Each is refused with one sentence and not delivered, and the trial can go on."""
    tape = Tape()
    trial = make_trial(dataset, tape)
    trial.report(2, loss=0.5)
    with pytest.raises(BadInput) as refusal:
        trial.report(epoch, **metrics)
    assert str(refusal.value) == sentence
    trial.report(3, loss=0.4)
    assert [told for told, *_ in tape.reports] == [2, 3]


def test_epochs_of_numpy(dataset: Dataset) -> None:
    """They come from an arange; what is told is Python's own."""
    tape = Tape()
    trial = make_trial(dataset, tape, epochs=2)
    for epoch in np.arange(1, 3):
        trial.report(epoch, loss=np.int64(1))
    assert repr(tape.reports) == "[(1, {'loss': 1.0}, False, False), (2, {'loss': 1.0}, True, False)]"


def test_the_first_epoch_is_one(dataset: Dataset) -> None:
    """Not zero."""
    with pytest.raises(BadInput, match="from 1; after 0 it got 0"):
        make_trial(dataset, Tape()).report(0, loss=1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_reported(dataset: Dataset, value: float) -> None:
    """Whether a trial has diverged is the coordinator's decision."""
    tape = Tape()
    make_trial(dataset, tape).report(1, loss=value)
    assert repr(tape.reports[0][1]["loss"]) == repr(value)


# Counts


def test_counts_are_told_with_each_report(dataset: Dataset) -> None:
    """Before it, and together, so that they are there though the report ends the trial; none are told twice."""
    tape = Tape(lambda epoch, last: Decision(action="stop" if epoch == 2 else "go_on"))
    trial = make_trial(dataset, tape)
    for _ in range(3):
        trial.count(2, 0.25)
    trial.report(1, loss=0.5)
    trial.count(np.float32(2), np.float64(0.5), steps=np.int64(2))  # type: ignore[arg-type]  # as users do
    with pytest.raises(TrialStopped):
        trial.report(2, loss=0.5)
    trial.tell_counts()
    assert tape.counted == [(0, 6.0, 0.75), (1, 2.0, 0.5)]


def test_counts_are_told_once_a_second(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long epoch is seen to go on, and short steps cost next to nothing."""
    tape, now = Tape(), [100.0]
    monkeypatch.setattr("tinderbox.sweeping.tally.time.monotonic", lambda: now[0])
    trial = make_trial(dataset, tape)
    for _ in range(25):
        now[0] += 0.125
        trial.count(1, 0.125)
    trial.tell_counts()
    assert tape.counted == [(0, 8.0, 1.0), (0, 8.0, 1.0), (0, 8.0, 1.0), (0, 1.0, 0.125)]


def test_counts_of_epochs_that_are_in_the_record(dataset: Dataset) -> None:
    """They are trained on once more, though nothing is reported."""
    tape = Tape()
    trial = make_trial(dataset, tape, done=2)
    for epoch in (1, 2, 3):
        trial.count(5, 0.25)
        trial.report(epoch, loss=0.5)
    assert tape.counted == [(0, 15.0, 0.75)]


@pytest.mark.parametrize(
    ("counted", "told"),
    [
        ((-1, 0.5), "-1 examples in 0.5 s, 1 steps"),
        ((float("nan"), 0.5), "nan examples in 0.5 s, 1 steps"),
        ((1, float("inf")), "1 examples in inf s, 1 steps"),
        ((1, -0.5), "1 examples in -0.5 s, 1 steps"),
        ((1, 0.5, -1), "1 examples in 0.5 s, -1 steps"),
    ],
)
def test_counts_that_are_none(dataset: Dataset, counted: tuple[Any, ...], told: str) -> None:
    """One sentence, and nothing is added: a sum would be no number for ever."""
    tape = Tape()
    trial = make_trial(dataset, tape)
    with pytest.raises(BadInput) as refusal:
        trial.count(*counted)
    assert str(refusal.value) == f"count takes numbers from 0, got {told}"
    trial.tell_counts()
    assert tape.counted == []
