"""What events add up to."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    CheckpointFreed,
    CheckpointSaved,
    NodeAvoided,
    Outcome,
    Reported,
    RungDecided,
    SlotJoined,
    SlotLeft,
    StudyEnded,
    StudyStarted,
    TrialProposed,
)
from tinderbox.sweeping.history import Checkpoint, State
from tinderbox.sweeping.study import UNWANTED, Study


class Story:
    """Tells a study event after event, a second between any two."""

    def __init__(self, direction: str = "minimize") -> None:
        self.study, self.time = Study("loss", direction), 100.0
        self.tell(StudyStarted, generation=1)

    def tell(self, kind: type, **fields: Any) -> None:
        """Let an event happen."""
        self.study.apply(kind(time=self.time, **fields))
        self.time += 1

    def propose(self, **more: Any) -> int:
        """Add a trial and return its number."""
        number = len(self.study.trials)
        self.tell(TrialProposed, trial=number, parameters={"x": number}, seed=number, known=0, **more)
        return number

    def start(self, trial: int, slot: str = "a") -> None:
        """Start a trial's next attempt."""
        attempt = self.study.trials[trial].attempt + 1
        self.tell(AttemptStarted, trial=trial, attempt=attempt, slot=slot, node="n")

    def report(self, trial: int, epoch: int, value: float) -> None:
        """Report an epoch."""
        metrics = {"loss": value, "other": 1.0}
        self.tell(Reported, trial=trial, attempt=self.study.trials[trial].attempt, epoch=epoch, metrics=metrics)

    def save(self, trial: int, epoch: int) -> None:
        """Bring the state of an epoch to safety."""
        attempt, path = self.study.trials[trial].attempt, f"{trial}-{epoch}"
        self.tell(CheckpointSaved, trial=trial, attempt=attempt, epoch=epoch, path=path, sha256="00", size=3)

    def end(self, trial: int, outcome: Outcome = "complete", cause: str = "") -> None:
        """End a trial's attempt."""
        attempt = self.study.trials[trial].attempt
        self.tell(AttemptEnded, trial=trial, attempt=attempt, outcome=outcome, cause=cause, details="d")

    def run(self, value: float, outcome: Outcome = "complete") -> int:
        """Run a whole trial of one epoch and return its number."""
        trial = self.propose()
        self.start(trial)
        self.report(trial, 1, value)
        self.end(trial, outcome)
        return trial


def test_a_trial_goes_from_waiting_to_complete() -> None:
    """State, counts and lists follow each event."""
    story = Story()
    study, trial = story.study, story.propose()
    assert (study.trials[trial].state, study.counts[State.WAITING], list(study.open)) == (State.WAITING, 1, [0])
    story.start(trial)
    assert (study.trials[trial].state, study.counts[State.WAITING]) == (State.RUNNING, 0)
    story.report(trial, 1, 0.5)
    story.report(trial, 2, 0.4)
    story.end(trial)
    assert (study.trials[trial].state, study.counts[State.COMPLETE], study.counts[State.RUNNING]) == ("complete", 1, 0)
    assert (study.ended, study.open) == ([study.trials[trial]], {})
    assert (study.trials[trial].seconds, study.trials[trial].epoch) == (3.0, 2)
    assert study.trials[trial].curve("loss") == [(1, 0.5), (2, 0.4)]
    assert study.trials[trial].curve("none") == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("complete", State.COMPLETE),
        ("failed", State.FAILED),
        ("diverged", State.DIVERGED),
        ("stopped", State.STOPPED),
        ("timed_out", State.FAILED),
        ("out_of_memory", State.FAILED),
        ("lost", State.WAITING),
        ("infrastructure", State.WAITING),
        ("released", State.WAITING),
    ],
)
def test_the_state_after_each_outcome(outcome: Outcome, state: State) -> None:
    """Trials that were lost or released wait again, the others have ended."""
    story = Story()
    trial = story.study.trials[story.run(0.5, outcome)]
    assert trial.state is state
    assert state.ended is (outcome not in ("lost", "infrastructure", "released"))
    assert (trial in story.study.ended) is state.ended
    assert (trial.number in story.study.open) is not state.ended


def test_a_new_attempt_begins_anew() -> None:
    """The reports of a lost attempt are forgotten, its cause and its time are not."""
    story = Story()
    trial = story.propose()
    story.start(trial)
    story.report(trial, 1, 0.1)
    story.end(trial, "lost", "its slot vanished")
    story.start(trial)
    found = story.study.trials[trial]
    assert (found.attempt, found.reports, found.epoch, found.value("loss")) == (2, {}, 0, None)
    assert (found.attempts[0].outcome, found.attempts[0].cause) == ("lost", "its slot vanished")
    assert (found.cause, found.seconds) == ("", 2.0)


def test_a_new_attempt_goes_on_from_the_checkpoint() -> None:
    """What was reported up to there stays, and what came after it is forgotten when the attempt begins, not before."""
    story = Story()
    trial = story.propose()
    story.start(trial)
    for epoch in (1, 2, 3):
        story.report(trial, epoch, 1 / epoch)
        if epoch == 2:
            story.save(trial, epoch)
    story.end(trial, "lost", "its slot vanished")
    found = story.study.trials[trial]
    assert (found.epoch, found.kept, found.attempts[0].saved) == (3, 2, True)
    story.start(trial)
    assert (found.epoch, found.curve("loss"), found.attempts[1].saved) == (2, [(1, 1.0), (2, 0.5)], False)


def decide(story: Story, trial: int, epoch: int, action: str) -> None:
    """Decide what a trial does on a rung."""
    story.tell(RungDecided, trial=trial, rung=epoch, epoch=epoch, action=action)


@pytest.mark.parametrize("outcome", ["paused", "lost", "released"])
@pytest.mark.parametrize("saved", [True, False])
def test_a_trial_waits_on_its_rung_once_its_state_is_safe(outcome: Outcome, saved: bool) -> None:
    """However its attempt ends then; without its state it has to come there again."""
    story = Story()
    trial = story.propose()
    story.start(trial)
    story.report(trial, 3, 0.5)
    decide(story, trial, 3, "pause")
    found = story.study.trials[trial]
    assert (found.halted, found.is_held) == (3, False)
    if saved:
        story.save(trial, 3)
    story.end(trial, outcome)
    assert found.state is (State.PAUSED if saved else State.WAITING)
    assert (list(story.study.open), story.study.ended) == ([0], [])
    assert story.study.counts[found.state] == 1
    if not saved:
        story.start(trial)
        assert (found.halted, found.passed) == (None, 0)


def test_a_paused_trial_is_promoted() -> None:
    """It waits for a slot then, and a loss does not bring it back to the rung that it has passed."""
    story = Story()
    trial = story.propose()
    story.start(trial)
    story.report(trial, 3, 0.5)
    decide(story, trial, 3, "pause")
    story.save(trial, 3)
    story.end(trial, "paused")
    decide(story, trial, 3, "go_on")
    found = story.study.trials[trial]
    assert (found.state, found.passed, found.halted) == (State.WAITING, 3, None)
    story.start(trial)
    story.end(trial, "lost")
    assert (found.state, found.passed, found.epoch) == (State.WAITING, 3, 3)


def test_what_was_thrown_away_is_counted() -> None:
    """A trial has no checkpoint then, unless it is an older one that went."""
    story = Story()
    trial = story.propose()
    story.start(trial)
    for epoch in (1, 2):
        story.report(trial, epoch, 0.5)
        story.save(trial, epoch)
    found = story.study.trials[trial]
    story.tell(CheckpointFreed, trial=trial, path="0-1", size=3)
    assert (story.study.freed, found.kept) == (3, 2)
    story.tell(CheckpointFreed, trial=trial, path="0-2", size=3)
    assert (story.study.freed, found.checkpoint, found.kept) == (6, None, 0)


def test_nodes_that_are_avoided_are_known_with_their_cause() -> None:
    """Also to the next driver."""
    story = Story()
    story.tell(NodeAvoided, node="n1", cause="3 attempts in a row were lost there")
    story.tell(StudyStarted, generation=2)
    assert {node: avoided.cause for node, avoided in story.study.avoided.items()} == {
        "n1": "3 attempts in a row were lost there"
    }


@pytest.mark.parametrize(
    ("outcome", "is_avoided"),
    [("lost", True), ("infrastructure", True), ("released", True), ("failed", False), ("paused", False)],
)
def test_a_node_that_brings_an_attempt_to_its_end_is_avoided_no_more(outcome: Outcome, is_avoided: bool) -> None:
    """One that was lost or given back is none."""
    story = Story()
    story.tell(NodeAvoided, node="n", cause="")
    story.tell(NodeAvoided, node="n1", cause="")
    story.run(0.5, outcome)
    assert set(story.study.avoided) == ({"n", "n1"} if is_avoided else {"n1"})


def test_a_node_that_gets_a_trial_on_is_avoided_no_more() -> None:
    """What it has saved is worth something, whatever happens to it later."""
    story = Story()
    story.tell(NodeAvoided, node="n", cause="")
    trial = story.propose()
    story.start(trial)
    story.save(trial, 1)
    assert story.study.avoided == {}


@pytest.mark.parametrize("complete", [True, False])
def test_a_winner_that_was_cut_short_has_to_win_again(complete: bool) -> None:
    """With more time it goes on, and is the best trial only if it is so when it is through."""
    story = Story()
    if complete:
        story.run(0.2)
    cut = story.propose()
    story.start(cut)
    story.report(cut, 1, 0.1)
    story.save(cut, 1)
    story.end(cut, "released")
    story.tell(StudyEnded, cause="its time is used up", best=cut)
    assert story.study.best is story.study.trials[cut]
    story.tell(StudyStarted, generation=2)
    assert story.study.best is (story.study.trials[0] if complete else None)
    story.start(cut)
    story.report(cut, 2, 0.3)
    story.end(cut)
    assert story.study.best_value == (0.2 if complete else 0.3)


def test_the_value_is_the_last_report() -> None:
    """Not the luckiest one."""
    story = Story()
    trial = story.propose()
    story.start(trial)
    for epoch, value in ((1, 0.1), (2, 0.9)):
        story.report(trial, epoch, value)
    assert story.study.trials[trial].value("loss") == 0.9
    assert story.study.trials[trial].value("none") is None


@pytest.mark.parametrize(("direction", "best", "ranking"), [("minimize", 1, [1, 3, 0]), ("maximize", 0, [0, 1, 3])])
def test_the_best_in_each_direction(direction: str, best: int, ranking: list[int]) -> None:
    """Only complete trials compete, and of equals the earlier one is the best."""
    story = Story(direction)
    for value, outcome in ((0.5, "complete"), (0.2, "complete"), (0.0, "failed"), (0.2, "complete"), (9.0, "stopped")):
        story.run(value, outcome)  # type: ignore[arg-type]  # literals
    assert story.study.best is story.study.trials[best]
    assert [trial.number for trial in story.study.ranked()] == ranking
    assert story.study.best_value == story.study.ranked()[0].value("loss")


def test_without_a_complete_trial_there_is_no_best() -> None:
    """Neither failures nor a trial without a value win."""
    story = Story()
    story.run(0.5, "failed")
    silent = story.propose()
    story.start(silent)
    story.end(silent)
    assert (story.study.best, story.study.best_value, story.study.ranked()) == (None, None, [])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_a_value_that_is_not_finite_beats_nothing(direction: str, value: float) -> None:
    """In neither direction, and not even nothing."""
    story = Story(direction)
    story.run(value, "complete")
    assert story.study.best is None
    story.run(0.0, "complete")
    assert story.study.best is story.study.trials[1]


def test_of_equals_the_earlier_trial_is_the_best() -> None:
    """Also where it ends later, so that the winner does not depend on which slot was faster."""
    story = Story()
    first, second = story.propose(), story.propose()
    for trial in (second, first):
        story.start(trial)
        story.report(trial, 1, 0.5)
        story.end(trial)
    assert story.study.best is story.study.ranked()[0] is story.study.trials[first]


def test_the_baseline_and_a_checkpoint_are_kept() -> None:
    """Which trial ran the defaults, and where a state lies."""
    story = Story()
    trial = story.propose(baseline=True)
    story.start(trial)
    story.report(trial, 1, 0.5)
    story.tell(CheckpointSaved, trial=trial, attempt=1, epoch=1, path="p", sha256="00", size=3)
    assert story.study.baseline is story.study.trials[trial]
    assert story.study.trials[trial].checkpoint == Checkpoint(1, 1, "p", "00", 3)


def test_slots_come_and_go() -> None:
    """A slot that joins twice has two lives."""
    story = Story()
    story.tell(SlotJoined, slot="a", node="n")
    story.tell(SlotLeft, slot="a", cause="gone")
    story.tell(SlotJoined, slot="a", node="m")
    lives = [(life.node, life.joined, life.left, life.cause) for life in story.study.slots]
    assert lives == [("n", 101.0, 102.0, "gone"), ("m", 103.0, None, "")]


def test_losses_are_counted_from_zero() -> None:
    """A node has a count as soon as it has a slot, and one that left because it was not wanted is no loss."""
    story = Story()
    story.tell(SlotJoined, slot="a", node="n")
    assert dict(story.study.lost) == {"n": 0}
    story.tell(SlotLeft, slot="a", cause=UNWANTED)
    story.tell(SlotJoined, slot="b", node="n")
    story.tell(SlotLeft, slot="b", cause="gone")
    assert dict(story.study.lost) == {"n": 1}


def test_what_happened_is_counted() -> None:
    """Each report, also of an epoch that is trained once more, and each attempt by its end; none is taken back."""
    story = Story()
    trial = story.propose()
    for outcome in ("lost", "released", "complete"):
        story.start(trial)
        for epoch in (1, 2):
            story.report(trial, epoch, 0.5)
        story.end(trial, outcome)  # type: ignore[arg-type]  # literals
    story.run(0.5, "complete")
    story.tell(StudyStarted, generation=2)
    assert story.study.told == 7
    assert story.study.outcomes == {"lost": 1, "released": 1, "complete": 2}


def test_the_slots_of_a_driver_end_with_it() -> None:
    """A slot of the same name under the next driver is another one."""
    story = Story()
    story.tell(SlotJoined, slot="a", node="n")
    story.time += 1000
    story.tell(StudyStarted, generation=2)
    story.tell(SlotJoined, slot="a", node="n")
    story.tell(SlotLeft, slot="a", cause="gone")
    lives = [(life.joined, life.left, life.cause) for life in story.study.slots]
    assert lives == [(101.0, 101.0, "its driver ended"), (1103.0, 1104.0, "gone")]


def test_the_time_between_drivers_does_not_count() -> None:
    """Running time is the time in which some driver worked, until its last event."""
    story = Story()
    assert Study("loss", "minimize").running_time(5.0) == 0.0
    story.propose()
    assert story.study.running_time(150.0) == 50.0
    story.time = 1000.0
    story.tell(StudyStarted, generation=2)
    assert (story.study.started, story.study.resumed, story.study.generation) == (100.0, 1000.0, 2)
    assert story.study.running_time(1010.0) == 11.0


def test_a_study_that_ended_may_go_on() -> None:
    """A further driver opens it again, until it says that it has ended."""
    story = Story()
    story.tell(StudyEnded, cause="all trials have ended")
    assert (story.study.finished, story.study.cause) == (101.0, "all trials have ended")
    story.tell(StudyStarted, generation=2)
    assert (story.study.finished, story.study.cause) == (None, "")
