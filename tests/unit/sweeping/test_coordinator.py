"""Leases, fencing, idempotence and time, one rule at a time; all of them at once are in test_simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.config import FloatParameter
from tinderbox.errors import BadInput, StaleAttempt
from tinderbox.sweeping.costs import Costs
from tinderbox.sweeping.events import (
    AttemptEnded,
    CheckpointSaved,
    Event,
    RoundStarted,
    SlotLeft,
    StudyEnded,
    TrialProposed,
)
from tinderbox.sweeping.history import State
from tinderbox.sweeping.messages import Decision, Finish, Heartbeat, Report
from tinderbox.sweeping.rungs import Ladder

Open = Callable[..., Any]


def kinds(record: list[Event]) -> list[str]:
    """Return the types of events."""
    return [event.type for event in record]


# Leases


def test_leases_are_given_in_order(desk: Open) -> None:
    """Each slot gets the next trial, with its parameters, a seed of its own and the first attempt number."""
    opened = desk(2)
    first, second = opened.take("a"), opened.take("b")
    assert [(lease.trial, lease.attempt, lease.epochs) for lease in (first, second)] == [(0, 1, 2), (1, 1, 2)]
    assert (first.parameters, second.parameters) == ({"x": 0.0}, {"x": 0.1})
    assert first.seed != second.seed


def test_a_repeated_request_for_work_gets_the_same_lease(desk: Open) -> None:
    """A request whose answer was lost is answered again, without a second trial or event."""
    opened = desk()
    first = opened.lease("a", request=1)
    before = list(opened.record)
    assert opened.lease("a", request=1) == first
    assert opened.record == before


def test_a_late_request_for_work_takes_nothing_away(desk: Open) -> None:
    """A duplicate that was long on its way, older than the slot's newest request, is refused."""
    opened = desk()
    first = opened.lease("a", request=1).lease
    second = opened.finish(first, request=2).lease
    with pytest.raises(StaleAttempt, match="slot a has asked again since its request 1"):
        opened.lease("a", request=1)
    assert opened.study.trials[second.trial].state is State.RUNNING


def test_a_late_repeated_finish_takes_nothing_away(desk: Open) -> None:
    """The same holds for the request that a finish carries."""
    opened = desk()
    first = opened.take()
    second = opened.finish(first, request=2).lease
    third = opened.finish(second, request=3).lease
    with pytest.raises(StaleAttempt, match="since its request 2"):
        opened.finish(first, request=2)
    assert opened.study.trials[third.trial].state is State.RUNNING


def test_a_slot_that_asks_anew_has_dropped_its_trial(desk: Open) -> None:
    """The trial it held goes to the head of the queue with the next attempt number."""
    opened = desk()
    opened.take()
    again = opened.take()
    assert (again.trial, again.attempt) == (0, 2)
    assert opened.study.trials[0].attempts[0].cause == "slot a dropped it"


def test_without_work_a_slot_is_told_to_ask_again(desk: Open) -> None:
    """An empty answer is not kept: the same request gets the lease once there is one."""
    opened = desk(1, proposed=False)
    assert opened.lease("a", request=1) == opened.lease("b", request=1)
    opened.propose()
    assert opened.lease("a", request=1).lease is not None
    empty = opened.lease("b", request=1)
    assert (empty.lease, empty.done) == (None, False)


def test_the_study_is_over_when_all_trials_have_ended(desk: Open) -> None:
    """The last finish says done, and so does every later request."""
    opened = desk(1)
    lease = opened.take()
    assert opened.lease("b").done is False
    opened.report(lease, 2, last=True)
    assert opened.finish(lease).done is True
    assert opened.lease("b").done is True
    opened.pass_time(0)
    assert opened.record[-1] == StudyEnded(time=opened.now, cause="all trials have ended")


# Proposals


def test_proposals_run_ahead_of_the_slots(desk: Open) -> None:
    """As many trials wait as there are slots, and two more; the limit ends them."""
    opened = desk(6, proposed=False)
    wanted = []
    while (number := opened.coordinator.wanted()) is not None:
        wanted.append(number)
        opened.propose()
    assert wanted == [0, 1, 2]
    opened.lease("a"), opened.lease("b"), opened.lease("c")
    assert opened.coordinator.wanted() == 3
    while opened.coordinator.wanted() is not None:
        opened.propose()
    assert len(opened.study.trials) == 6


def test_of_a_grid_the_dearest_of_those_that_wait_is_leased(desk: Open) -> None:
    """What ran before goes first, and then what is learnt to take longest; numbers stay with their points."""
    space = {"x": FloatParameter(low=0, high=1)}
    opened = desk(8, costs=Costs(space))
    for _ in range(2):
        lease = opened.take()
        opened.report(lease, 2, last=True)
        opened.now += 1 + float(lease.parameters["x"])
        opened.coordinator._attempts.end(opened.study.trials[lease.trial], "complete", "", opened.now)
    assert [opened.take(slot).trial for slot in "abc"] == [7, 6, 5]
    assert {trial.number: trial.parameters["x"] for trial in opened.study.trials.values()} == {
        number: number / 10 for number in range(8)
    }
    opened.coordinator.leave("b", "gone", opened.now)
    assert [opened.take(slot).trial for slot in "de"] == [6, 4]


def test_a_round_is_an_event_before_its_first_trial(desk: Open) -> None:
    """The record tells what the search was narrowed to, and why, to whoever goes on from it."""
    opened = desk(4)
    space = {"x": FloatParameter(low=0.2, high=0.4)}
    opened.coordinator.narrow(space, "the best lie there", opened.now)
    begun = RoundStarted(time=opened.now, round=2, trial=4, space=space, cause="the best lie there")
    assert opened.record[-1] == begun
    assert opened.replay().rounds == opened.study.rounds == [begun]
    assert opened.coordinator.look().rounds == [begun]
    opened.coordinator.narrow(space, "and there", opened.now)
    assert [(event.round, event.trial) for event in opened.study.rounds] == [(2, 4), (3, 4)]


def test_nothing_is_proposed_once_the_study_ends(desk: Open) -> None:
    """Neither after a stop nor when the time is used up."""
    stopped, late = desk(6, proposed=False), desk(6, proposed=False, seconds=10.0)
    stopped.coordinator.close(stopped.now)
    late.pass_time(10)
    assert (stopped.coordinator.wanted(), late.coordinator.wanted()) == (None, None)


def test_a_proposal_tells_what_was_known(desk: Open) -> None:
    """The number of ended trials and the baseline are part of the record."""
    opened = desk(2, proposed=False)
    opened.propose(baseline=True)
    lease = opened.take()
    opened.report(lease, 2, last=True)
    opened.finish(lease)
    opened.propose()
    proposals = [event for event in opened.record if isinstance(event, TrialProposed)]
    assert [(event.known, event.baseline) for event in proposals] == [(0, True), (1, False)]


# Reports


def test_a_repeated_report_changes_nothing(desk: Open) -> None:
    """It gets the same decision, and the record has it once."""
    opened = desk()
    lease = opened.take()
    first = opened.report(lease, 1)
    before = list(opened.record)
    assert opened.report(lease, 1) == first
    assert opened.report(lease, 1, value=9.0) == first
    assert opened.record == before


def test_an_older_epoch_is_not_written(desk: Open) -> None:
    """A duplicate of an earlier report that was long on its way does not overwrite a later one."""
    opened = desk()
    lease = opened.take()
    opened.report(lease, 1, 0.5)
    opened.report(lease, 2, 0.4)
    opened.report(lease, 1, 0.3)
    assert opened.study.trials[0].reports == {1: {"loss": 0.5}, 2: {"loss": 0.4}}


def test_the_last_report_of_an_epoch_that_was_told_before(desk: Open) -> None:
    """A function that returns early repeats its newest report as its last, and may be asked for its state."""
    opened = desk()
    lease = opened.take()
    assert opened.report(lease, 1, can_save=True).save is False
    assert opened.report(lease, 1, can_save=True, last=True).save is True
    assert kinds(opened.record).count("reported") == 1


def test_the_metric_must_be_there(desk: Open) -> None:
    """A report without it is refused with what it had, and changes nothing."""
    opened = desk()
    lease = opened.take()
    report = Report(slot="a", attempt=1, epoch=1, metrics={"accuracy": 0.9})
    with pytest.raises(BadInput, match=r"^a report needs loss, got accuracy$"):
        opened.coordinator.report(lease.trial, report, opened.now)
    assert opened.study.trials[0].reports == {}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_ends_the_trial(desk: Open, value: float, last: bool) -> None:
    """It has diverged, told once with its cause; the repeated report is told to stop too."""
    opened = desk()
    lease = opened.take()
    decision = opened.report(lease, 2, value, last=last, can_save=True)
    assert (decision.action, decision.save) == ("stop", False)
    before = list(opened.record)
    assert opened.report(lease, 2, value, last=last, can_save=True) == decision
    assert opened.finish(lease, outcome="stopped").lease is not None
    assert kinds(opened.record[len(before) :]) == ["attempt_started"]
    trial = opened.study.trials[0]
    assert (trial.state, trial.cause) == (State.DIVERGED, f"loss was {value} in epoch 2")


# Checkpoints


def test_only_the_best_so_far_is_saved(desk: Open) -> None:
    """A state is wanted with the last report, where it can be had, of the best trial and of the baseline."""
    opened = desk(4, proposed=False)
    for baseline in (True, False, False, False):
        opened.propose(baseline)
    saved = []
    for value, can_save in ((0.9, True), (0.5, True), (0.7, True), (0.1, False)):
        lease = opened.take()
        assert opened.report(lease, 1, value, can_save=can_save).save is False
        saved.append(opened.report(lease, 2, value, can_save=can_save, last=True).save)
        opened.finish(lease)
    assert saved == [True, True, False, False]


def checkpoint(opened: Any, attempt: int, epoch: int, sha256: str = "00") -> CheckpointSaved:
    """Return the note that a state of trial 0 is safe."""
    return CheckpointSaved(
        time=opened.now, trial=0, attempt=attempt, epoch=epoch, path="somewhere", sha256=sha256, size=1
    )


def test_a_checkpoint_belongs_to_the_newest_report(desk: Open) -> None:
    """It is kept with its epoch; one of another epoch or attempt is refused, and a repeated one changes nothing."""
    opened = desk()
    lease = opened.take()
    opened.report(lease, 2, can_save=True, last=True)
    with pytest.raises(StaleAttempt, match="trial 0 is at epoch 2, and this checkpoint at 1"):
        opened.coordinator.saved(checkpoint(opened, 1, epoch=1), "a")
    opened.coordinator.saved(checkpoint(opened, 1, epoch=2), "a")
    opened.coordinator.saved(checkpoint(opened, 1, epoch=2), "a")
    assert kinds(opened.record).count("checkpoint_saved") == 1
    opened.coordinator.leave("a", "gone", opened.now)
    with pytest.raises(StaleAttempt, match="attempt 1 of trial 0 is over"):
        opened.coordinator.saved(checkpoint(opened, 1, epoch=2), "a")


def test_a_checkpoint_is_checked_before_it_is_taken(desk: Open) -> None:
    """The attempt and the slot that holds it are the ones that may bring a state."""
    opened = desk()
    opened.take("a")
    opened.coordinator.check(0, 1, "a")
    for attempt, slot in ((2, "a"), (1, "b")):
        with pytest.raises(StaleAttempt):
            opened.coordinator.check(0, attempt, slot)


# Zombies


def zombie(opened: Any) -> tuple[Any, Any]:
    """Let slot a lose trial 0 by silence and slot b take it; return both leases."""
    old = opened.take("a")
    opened.report(old, 1, 0.5)
    opened.pass_time(21)
    new = opened.take("b")
    assert (new.trial, new.attempt) == (0, 2)
    return old, new


def test_a_late_report_is_refused_and_changes_nothing(desk: Open) -> None:
    """After its lease expired a slot may repeat its last message or send a new one: neither is taken."""
    opened = desk()
    old, _ = zombie(opened)
    before = list(opened.record)
    for epoch, last in ((1, False), (2, True)):
        with pytest.raises(StaleAttempt, match="slot a was given up; it must ask for work again"):
            opened.report(old, epoch, 0.1, last=last)
    with pytest.raises(StaleAttempt, match="slot a was given up"):
        opened.finish(old)
    with pytest.raises(StaleAttempt, match="slot a was given up"):
        opened.coordinator.heartbeat(Heartbeat(slot="a", trial=0, attempt=1), opened.now)
    assert opened.record == before
    assert opened.replay() == opened.study


def test_a_zombie_that_asked_again_still_cannot_write(desk: Open) -> None:
    """A slot that has come back is known, but its old attempt stays over, repeated messages included."""
    opened = desk()
    old, new = zombie(opened)
    opened.lease("a")
    before = list(opened.record)
    for epoch in (1, 2):
        with pytest.raises(StaleAttempt, match="attempt 1 of trial 0 is over"):
            opened.report(old, epoch, 0.1)
    with pytest.raises(StaleAttempt, match="attempt 1 of trial 0 is over"):
        opened.finish(old)
    with pytest.raises(StaleAttempt, match="attempt 1 of trial 0 is over"):
        opened.coordinator.heartbeat(Heartbeat(slot="a", trial=0, attempt=1), opened.now)
    assert opened.record == before
    opened.report(new, 1, 0.7, slot="b")
    assert opened.study.trials[0].reports == {1: {"loss": 0.7}}


def test_an_attempt_belongs_to_one_slot(desk: Open) -> None:
    """Another slot cannot speak for it, even with the right number."""
    opened = desk()
    lease = opened.take("a")
    opened.lease("b")
    with pytest.raises(StaleAttempt, match="trial 0 is leased to slot a, not to b"):
        opened.report(lease, 1, slot="b")


def test_unknown_trials_are_refused(desk: Open) -> None:
    """A trial that was never proposed is nobody's."""
    opened = desk()
    opened.lease()
    finish = Finish(ask=opened.ask(), attempt=1, outcome="complete")
    with pytest.raises(StaleAttempt, match="attempt 1 of trial 99 is over"):
        opened.coordinator.finish(99, finish, opened.now)
    with pytest.raises(StaleAttempt, match="attempt 1 of trial 99 is over"):
        opened.coordinator.report(99, Report(slot="a", attempt=1, epoch=1, metrics={"loss": 1}), opened.now)


def test_a_repeated_finish_gets_the_same_lease(desk: Open) -> None:
    """The attempt ends once, and the slot's next trial stays the same."""
    opened = desk()
    lease = opened.take()
    opened.report(lease, 2, last=True)
    first = opened.finish(lease, request=9)
    before = list(opened.record)
    assert opened.finish(lease, request=9) == first
    assert opened.record == before
    assert sum(isinstance(event, AttemptEnded) for event in opened.record) == 1


def test_a_repeated_finish_gets_the_same_trial_again(desk: Open) -> None:
    """A trial that is promoted the moment it is paused is its slot's next lease, however often that is asked for."""
    opened = desk(2, ladder=Ladder(1, 2, 4), epochs=4)
    better, worse = opened.take("a"), opened.take("b")
    assert opened.report(better, 1, 0.4, slot="a", can_save=True).action == "pause"
    opened.report(worse, 1, 0.6, slot="b", can_save=True)
    opened.save(better, 1, "a")
    first = opened.finish(better, "a", "paused", request=9)
    assert (first.lease.trial, first.lease.attempt) == (better.trial, 2)
    before = list(opened.record)
    assert opened.finish(better, "a", "paused", request=9) == first
    assert opened.record == before


def test_failures_are_told(desk: Open) -> None:
    """The cause of a failed attempt is the trial's, and it is not tried again."""
    opened = desk(1)
    assert opened.finish(opened.take(), outcome="failed", cause="ValueError: no").done is True
    assert (opened.study.trials[0].state, opened.study.trials[0].cause) == (State.FAILED, "ValueError: no")


# Time


def test_a_lease_lasts_as_long_as_its_slot_is_heard(desk: Open) -> None:
    """Every message keeps it; silence for longer than the lease ends it, not silence of just that long."""
    opened = desk(lease_seconds=20.0)
    lease = opened.take()
    opened.pass_time(20)
    opened.coordinator.heartbeat(Heartbeat(slot="a", trial=0, attempt=1), opened.now)
    opened.pass_time(20)
    opened.report(lease)
    opened.pass_time(20)
    assert opened.study.trials[0].state is State.RUNNING
    opened.pass_time(0.5)
    assert opened.study.trials[0].state is State.WAITING
    assert opened.study.trials[0].cause == "slot a on node left: silent for 20 s"
    assert [event.cause for event in opened.record if isinstance(event, SlotLeft)] == ["silent for 20 s"]


def test_a_trial_is_lost_so_many_times(desk: Open) -> None:
    """After three losses a fourth one is a failure with its cause."""
    opened = desk(1, most_losses=3)
    for number in range(4):
        assert opened.take(f"s{number}").attempt == number + 1
        opened.coordinator.leave(f"s{number}", "its pod was deleted", opened.now)
    trial = opened.study.trials[0]
    assert [attempt.outcome for attempt in trial.attempts] == ["lost", "lost", "lost", "failed"]
    assert trial.cause == "lost 4 times, the last time because slot s3 on node left: its pod was deleted"
    assert opened.lease("z").done is True


def test_a_slot_that_is_not_known_cannot_leave(desk: Open) -> None:
    """A second goodbye changes nothing."""
    opened = desk()
    opened.lease()
    opened.coordinator.leave("a", "gone", opened.now)
    before = list(opened.record)
    opened.coordinator.leave("a", "gone", opened.now)
    assert opened.record == before


def test_when_the_time_is_used_up(desk: Open) -> None:
    """Nothing is leased any more, a trial that cannot save is given back at its next report, and the study ends."""
    opened = desk(seconds=100.0, lease_seconds=1000.0)
    lease = opened.take("a")
    opened.pass_time(99)
    assert opened.report(lease, 1).action == "go_on"
    assert opened.coordinator.is_ending is False
    opened.pass_time(1)
    assert opened.coordinator.is_ending is True
    beat = opened.coordinator.heartbeat(Heartbeat(slot="a", trial=0, attempt=1), opened.now)
    assert beat.action == "stop"
    assert opened.lease("b").lease is None
    assert opened.report(lease, 2).action == "stop"
    opened.pass_time(0)
    assert opened.study.trials[0].state is State.WAITING
    assert opened.study.trials[0].cause == "the study's time is used up"
    assert (opened.study.finished, opened.study.cause) == (opened.now, "its time is used up")
    assert opened.finish(lease, outcome="stopped").done is True


def test_trials_that_can_save_go_on_with_more_time(desk: Open) -> None:
    """They pause at their next report, if that comes soon, and are the first to run when the budget was raised."""
    opened = desk(3, epochs=9, seconds=100.0, lease_seconds=1000.0)
    quick, slow = opened.take("a"), opened.take("b")
    beats = [Heartbeat(slot=slot, trial=number, attempt=1) for number, slot in enumerate("ab")]
    opened.report(slow, 1, slot="b", can_save=True)
    opened.pass_time(100)
    assert [opened.coordinator.heartbeat(beat, opened.now).action for beat in beats] == ["go_on", "go_on"]
    opened.pass_time(9)
    assert opened.report(quick, 1, can_save=True) == Decision(action="pause", save=True)
    opened.save(quick, 1)
    assert opened.finish(quick, outcome="paused").done is False
    opened.pass_time(1)
    assert opened.coordinator.heartbeat(beats[1], opened.now).action == "stop"
    assert opened.finish(slow, "b", outcome="paused").done is True
    opened.pass_time(0)
    assert opened.study.cause == "its time is used up"
    for trial, kept in ((0, 1), (1, 0)):
        ended = opened.study.trials[trial]
        assert (ended.state, ended.kept, ended.cause) == (State.WAITING, kept, "the study's time is used up")
        assert ended.attempts[0].outcome == "released"
    opened.rules["seconds"] = 200.0
    resumed = opened.restart()
    assert [(lease.trial, lease.attempt) for lease in (resumed.take("c"), resumed.take("d"))] == [(0, 2), (1, 2)]


def test_a_last_report_counts_after_the_time(desk: Open) -> None:
    """A trial that is through when the time ends is complete."""
    opened = desk(1, seconds=100.0, lease_seconds=1000.0)
    lease = opened.take()
    opened.pass_time(100)
    assert opened.report(lease, 2, last=True).action == "go_on"
    opened.finish(lease)
    assert opened.study.trials[0].state is State.COMPLETE


# Drivers


def test_a_driver_that_is_to_stop_lets_its_trials_pause(desk: Open) -> None:
    """Those that can save, at their next report; nothing is leased any more, and a new driver goes on from there."""
    opened = desk(4, epochs=9)
    saves, other = opened.take("a"), opened.take("b")
    opened.coordinator.suspend()
    assert opened.coordinator.is_ending
    assert opened.coordinator.may_pause
    assert opened.lease("c").done is True
    assert opened.report(other, 1, slot="b") == Decision()
    assert opened.report(saves, 1, can_save=True) == Decision(action="pause", save=True)
    opened.save(saves, 1)
    assert opened.coordinator.may_pause
    assert opened.finish(saves, outcome="paused").done is True
    assert not opened.coordinator.may_pause
    assert opened.study.finished is None
    attempt = opened.study.trials[0].attempts[0]
    assert (attempt.outcome, attempt.cause) == ("released", "the driver was asked to stop")
    opened.coordinator.close(opened.now)
    assert [trial.kept for trial in opened.study.trials.values()] == [1, 0, 0, 0]
    assert opened.restart().take("c").resume.epoch == 1


def test_a_trial_that_has_not_reported_yet_may_pause(desk: Open) -> None:
    """Whatever the one before it on the same slot could do."""
    opened = desk(2)
    lease = opened.take()
    opened.report(lease, 1)
    assert not opened.coordinator.may_pause
    assert opened.finish(lease).lease is not None
    assert opened.coordinator.may_pause


def test_a_driver_that_stops_gives_its_trials_back(desk: Open) -> None:
    """Running trials are released, which is no loss, slots are told done, and a new driver goes on."""
    opened = desk()
    lease = opened.take()
    opened.coordinator.close(opened.now)
    assert opened.study.trials[0].attempts[0].outcome == "released"
    with pytest.raises(StaleAttempt):
        opened.report(lease)
    assert opened.lease("b").done is True
    resumed = opened.restart()
    again = resumed.take("c")
    assert (again.trial, again.attempt, again.seed) == (lease.trial, 2, lease.seed)


def test_a_driver_that_died_leaves_its_trials_waiting(desk: Open) -> None:
    """The next generation releases what ran, refuses the old slots, and counts attempts on."""
    opened = desk()
    lease = opened.take()
    opened.report(lease, 1)
    resumed = opened.restart()
    assert resumed.study.generation == 2
    assert resumed.study.trials[0].cause == "the driver that leased it is gone"
    with pytest.raises(StaleAttempt, match="slot a was given up"):
        resumed.report(lease, 2)
    assert resumed.take("b").attempt == 2


def test_a_kill_between_append_and_acknowledgement(desk: Open) -> None:
    """A finish that is in the record counts though its slot never heard so; one that is not is refused."""
    opened = desk()
    lease = opened.take()
    opened.report(lease, 2, 0.25, last=True)
    before = len(opened.record)
    opened.finish(lease)
    assert isinstance(opened.record[before], AttemptEnded)
    written, unwritten = opened.restart(kept=before + 1), opened.restart(kept=before)
    for resumed in (written, unwritten):
        with pytest.raises(StaleAttempt, match="slot a was given up"):
            resumed.finish(lease)
    assert (written.study.trials[0].state, written.study.best_value) == (State.COMPLETE, 0.25)
    assert written.take("a").trial == 1
    assert (unwritten.study.trials[0].state, unwritten.study.best_value) == (State.WAITING, None)
    again = unwritten.take("a")
    assert (again.trial, again.attempt) == (0, 2)
    with pytest.raises(StaleAttempt, match="attempt 1 of trial 0 is over"):
        unwritten.finish(lease)


def test_a_host_takes_its_slots_with_it(desk: Open) -> None:
    """All slots of a pod that died leave at once, the others stay."""
    opened = desk()
    for slot, host in (("a", "pod-1"), ("b", "pod-2"), ("c", "pod-1")):
        ask = type(opened.ask())(slot=slot, node="node", request=1, host=host)
        opened.coordinator.lease(ask, opened.now)
    opened.coordinator.lose_host("pod-1", "OOMKilled", opened.now)
    assert list(opened.coordinator.roster.slots) == ["b"]
    assert [trial.state for trial in opened.study.trials.values()] == [State.WAITING, State.RUNNING, State.WAITING]


def test_a_slot_that_is_dismissed_ends_after_its_next_report(desk: Open) -> None:
    """Its trial goes on elsewhere from there; a slot that is idle ends at once, and one that is gone is no matter."""
    opened = desk(2, epochs=3)
    lease = opened.take("a")
    opened.coordinator.dismiss(["a", "gone"])
    decision = opened.report(lease, 1, can_save=True)
    assert (decision.action, decision.save) == ("pause", True)
    assert opened.finish(lease, outcome="paused").done
    assert opened.study.trials[lease.trial].attempts[-1].outcome == "released"
    assert opened.take("b").trial == lease.trial


def test_a_raised_limit_lets_more_trials_follow(desk: Open) -> None:
    """While the study runs."""
    opened = desk(2)
    assert opened.coordinator.wanted() is None
    opened.coordinator.allow(4, None)
    assert opened.coordinator.wanted() == 2


def test_raised_seconds_let_trials_go_on(desk: Open) -> None:
    """Also where the time was just used up."""
    opened = desk(2, seconds=10.0)
    lease = opened.take("a")
    opened.pass_time(11)
    assert opened.coordinator.is_ending
    opened.coordinator.allow(2, 60.0)
    assert not opened.coordinator.is_ending
    assert opened.report(lease, 1).action == "go_on"
