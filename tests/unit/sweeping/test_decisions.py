"""What a trial is told when it reports: to go on, to save its state, to pause, or to stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.errors import StaleAttempt
from tinderbox.kube.watch import PodWatch
from tinderbox.sweeping.events import Reported, RungDecided
from tinderbox.sweeping.history import State
from tinderbox.sweeping.messages import Decision, Heartbeat
from tinderbox.sweeping.rungs import Ladder

Open = Callable[..., Any]

LADDER = Ladder(1, 2, 4)
"""Rungs after 1 and 2 epochs of 4, and the better half of each goes on."""

GO_ON, SAVE, PAUSE, STOP = Decision(), Decision(save=True), Decision(action="pause", save=True), Decision(action="stop")


def decided(opened: Any) -> list[tuple[int, int, str]]:
    """Return trial, epoch and action of each decision on a rung."""
    return [(event.trial, event.epoch, event.action) for event in opened.record if isinstance(event, RungDecided)]


def pause(opened: Any, lease: Any, value: float = 0.5, epoch: int = 1, slot: str = "a") -> Any:
    """Let a trial be paused on a rung, and return what its slot gets next."""
    assert opened.report(lease, epoch, value, slot=slot, can_save=True) == PAUSE
    opened.save(lease, epoch, slot)
    return opened.finish(lease, slot, "paused")


# Rungs


def test_a_trial_is_paused_saved_and_gives_way(desk: Open) -> None:
    """Its slot gets the next trial, and the trial waits on its rung, with its value and its state."""
    opened = desk(3, ladder=LADDER, epochs=4)
    answer = pause(opened, opened.take())
    trial = opened.study.trials[0]
    assert (trial.state, trial.attempts[0].outcome) == (State.PAUSED, "paused")
    assert trial.cause == "it waits after 1 epochs to be promoted"
    assert (trial.value("loss"), trial.kept) == (0.5, 1)
    assert answer.lease.trial == 1
    assert decided(opened) == [(0, 1, "pause")]
    assert opened.replay() == opened.study


def test_the_best_goes_on_at_once(desk: Open) -> None:
    """A trial that is among the best half when it arrives is not paused; the one that it beats stays where it is."""
    opened = desk(3, ladder=LADDER, epochs=4)
    better = pause(opened, opened.take(), 0.5).lease
    assert opened.report(better, 1, 0.4, can_save=True) == GO_ON
    assert decided(opened) == [(0, 1, "pause"), (1, 1, "go_on")]
    assert opened.take("b").trial == 2
    assert opened.lease("c").lease is None


def test_a_paused_trial_is_promoted_on_another_slot(desk: Open) -> None:
    """Once it is among the best half it comes before new trials, and goes on from its state with its reports."""
    opened = desk(5, ladder=LADDER, epochs=4)
    worse = pause(opened, opened.take("a"), 0.5, slot="a").lease
    assert opened.report(worse, 1, 0.6, slot="a", can_save=True) == PAUSE
    promoted = opened.take("b")
    assert (promoted.trial, promoted.attempt) == (0, 2)
    assert (promoted.resume.epoch, promoted.resume.path, promoted.resume.sha256) == (1, "0-1-1", "00")
    assert decided(opened) == [(0, 1, "pause"), (1, 1, "pause"), (0, 1, "go_on")]
    assert opened.study.trials[0].reports == {1: {"loss": 0.5}}
    assert opened.coordinator.resume(0, 2, "b") == "0-1-1"
    assert opened.report(promoted, 2, 0.3, slot="b", can_save=True) == PAUSE
    told = [(event.trial, event.epoch) for event in opened.record if isinstance(event, Reported)]
    assert told == [(0, 1), (1, 1), (0, 2)]


def test_more_may_be_better(desk: Open) -> None:
    """Then the larger value goes on."""
    opened = desk(3, direction="maximize", ladder=LADDER, epochs=4)
    better = pause(opened, opened.take(), 0.5).lease
    assert opened.report(better, 1, 0.6, can_save=True) == GO_ON


def test_the_baseline_is_never_paused(desk: Open) -> None:
    """Others are compared with it, so it runs whole; it takes its place on the rungs all the same."""
    opened = desk(2, proposed=False, ladder=LADDER, epochs=4)
    opened.propose(baseline=True)
    opened.propose()
    lease = opened.take()
    for epoch in (1, 2, 3):
        assert opened.report(lease, epoch, 9.0, can_save=True) == GO_ON
    assert opened.report(lease, 4, 9.0, can_save=True, last=True) == SAVE
    assert decided(opened) == [(0, 1, "go_on"), (0, 2, "go_on")]
    other = opened.finish(lease).lease
    assert opened.report(other, 1, 1.0, can_save=True) == GO_ON


def test_a_function_that_saves_nothing_is_stopped(desk: Open) -> None:
    """The first to come goes on; of the others who is neither among the best half nor the best is told why it ends."""
    opened = desk(4, ladder=LADDER, epochs=4)
    first, second, third = opened.take("a"), opened.take("b"), opened.take("c")
    assert opened.report(first, 1, 0.5, slot="a") == GO_ON
    assert opened.report(second, 1, 0.6, slot="b") == STOP
    assert opened.report(second, 1, 0.6, slot="b") == STOP
    assert opened.report(third, 1, 0.4, slot="c") == GO_ON
    trial = opened.study.trials[second.trial]
    assert trial.state is State.STOPPED
    assert trial.cause == "it was not among the best 1/2 of the trials that have reached 1 epochs"
    assert opened.finish(second, "b", "stopped").lease.trial == 3


def test_a_ladder_that_stops_pauses_nobody(desk: Open) -> None:
    """Even if the function could save."""
    opened = desk(2, ladder=Ladder(1, 2, 4, pauses=False), epochs=4)
    first, second = opened.take("a"), opened.take("b")
    assert opened.report(first, 1, 0.5, slot="a", can_save=True) == GO_ON
    assert opened.report(second, 1, 0.6, slot="b", can_save=True) == STOP


def test_a_trial_meets_a_rung_once(desk: Open) -> None:
    """What was let go on and was lost then may go on again, whoever is better by now."""
    opened = desk(5, ladder=LADDER, epochs=4)
    lease = pause(opened, opened.take("a"), 0.5, slot="a").lease
    assert opened.report(lease, 1, 0.4, slot="a", can_save=True) == GO_ON
    others = [opened.take(slot) for slot in "bcd"]
    for slot, other in zip("bcd", others, strict=True):
        opened.report(other, 1, 0.1, slot=slot, can_save=True)
    opened.coordinator.leave("a", "gone", opened.now)
    again = opened.take("e")
    assert (again.trial, again.attempt, again.resume) == (1, 2, None)
    assert opened.report(again, 1, 0.4, slot="e", can_save=True) == GO_ON
    assert decided(opened).count((1, 1, "go_on")) == 1


def test_a_slot_lost_between_pause_and_save(desk: Open) -> None:
    """The state is not safe, so the trial runs again from where it was, and the rung is decided anew."""
    opened = desk(2, ladder=LADDER, epochs=4)
    lease = opened.take("a")
    assert opened.report(lease, 1, 0.5, slot="a", can_save=True) == PAUSE
    opened.coordinator.leave("a", "gone", opened.now)
    assert opened.study.trials[0].state is State.WAITING
    again = opened.take("b")
    assert (again.trial, again.resume) == (0, None)
    assert opened.report(again, 1, 0.5, slot="b", can_save=True) == PAUSE
    assert decided(opened) == [(0, 1, "pause")] * 2


def test_a_slot_lost_between_save_and_finish(desk: Open) -> None:
    """The trial waits on its rung as if its slot had said so, and a new driver sees the same."""
    opened = desk(2, ladder=LADDER, epochs=4)
    lease = opened.take("a")
    opened.report(lease, 1, 0.5, slot="a", can_save=True)
    opened.save(lease, 1, "a")
    opened.coordinator.leave("a", "gone", opened.now)
    trial = opened.study.trials[0]
    assert (trial.state, trial.attempts[0].outcome) == (State.PAUSED, "lost")
    with pytest.raises(StaleAttempt):
        opened.finish(lease, "a", "paused")
    for sees in (opened.restart(), opened):
        answer = pause(sees, sees.take("b"), 0.6, slot="b")
        assert (answer.lease.trial, answer.lease.resume.epoch) == (0, 1)


def test_a_driver_lost_between_save_and_finish(desk: Open) -> None:
    """The next one finds that the trial was to wait, and that it can."""
    opened = desk(2, ladder=LADDER, epochs=4)
    lease = opened.take("a")
    opened.report(lease, 1, 0.5, can_save=True)
    opened.save(lease, 1)
    resumed = opened.restart()
    assert resumed.study.trials[0].state is State.PAUSED
    answer = pause(resumed, resumed.take("b"), 0.6, slot="b")
    assert (answer.lease.trial, answer.lease.attempt) == (0, 2)


def test_a_study_with_rungs_ends_when_nothing_can_be_promoted(desk: Open) -> None:
    """Trials that still wait then stay paused, with their states; with a higher limit they are there again."""
    opened = desk(2, ladder=LADDER, epochs=4)
    promoted = pause(opened, pause(opened, opened.take(), 0.5).lease, 0.6).lease
    opened.pass_time(1)
    assert opened.study.finished is None
    last = pause(opened, promoted, 0.4, epoch=2).lease  # alone on its rung it is not among the better half, but leads
    assert (last.trial, last.attempt, last.resume.epoch) == (0, 3, 2)
    assert opened.report(last, 4, 0.3, can_save=True, last=True) == SAVE
    opened.save(last, 4)
    assert opened.finish(last).done is True
    opened.pass_time(1)
    assert (opened.study.finished, opened.study.cause) == (opened.now, "all trials have ended")
    assert [trial.state for trial in opened.study.trials.values()] == [State.COMPLETE, State.PAUSED]
    assert [trial.kept for trial in opened.study.trials.values()] == [4, 1]
    opened.trials = 4
    more = opened.restart()
    third = more.take("b")
    assert third.trial == 2
    fourth = pause(more, third, 0.7, slot="b").lease  # three have reached the rung, and the best of them is beyond
    assert fourth.trial == 3
    assert pause(more, fourth, 0.8, slot="b").lease.trial == 1


def test_nobody_is_done_while_a_trial_may_still_make_another_one_go_on(desk: Open) -> None:
    """A slot that finds nothing waits, and gets the trial that is promoted then."""
    opened = desk(2, ladder=LADDER, epochs=4)
    lease = pause(opened, opened.take("a"), 0.5, slot="a").lease
    idle = opened.lease("b", request=90)
    assert (idle.lease, idle.done) == (None, False)
    assert opened.report(lease, 1, 0.6, slot="a", can_save=True) == PAUSE
    assert opened.lease("b", request=90).lease.trial == 0


# Checkpoints


def test_a_state_is_saved_every_so_many_epochs(desk: Open) -> None:
    """Counted from the last one that is safe, and only if it can be had."""
    opened = desk(1, epochs=9, checkpoint_epochs=3)
    lease = opened.take()
    asked = []
    for epoch in range(1, 9):
        decision = opened.report(lease, epoch, can_save=epoch != 3)
        asked.append(decision.save)
        if decision.save:
            opened.save(lease, epoch)
    assert [epoch for epoch, save in enumerate(asked, start=1) if save] == [4, 7]


def test_a_state_is_saved_when_the_last_one_is_old(desk: Open) -> None:
    """Counted from the beginning of the attempt, and from each save."""
    opened = desk(1, epochs=9, checkpoint_seconds=60.0, lease_seconds=1e9)
    lease = opened.take()
    asked = []
    for epoch, seconds in enumerate((30, 29, 1, 59, 1, 1), start=1):
        opened.pass_time(seconds)
        decision = opened.report(lease, epoch, can_save=True)
        asked.append(decision.save)
        if decision.save:
            opened.save(lease, epoch)
    assert asked == [False, False, True, False, True, False]


def test_the_age_of_a_state_is_that_of_the_attempt(desk: Open) -> None:
    """A trial that waited long for a slot need not save at once."""
    opened = desk(1, epochs=9, checkpoint_seconds=60.0)
    lease = opened.take("a")
    opened.report(lease, 1, slot="a", can_save=True)
    opened.pass_time(1_000)
    again = opened.take("b")
    assert opened.report(again, 1, slot="b", can_save=True) == GO_ON


# Slots that leave


def leave_soon(opened: Any, lease: Any, slot: str = "a") -> None:
    """Let a slot say that its machine is being taken away."""
    opened.coordinator.heartbeat(
        Heartbeat(slot=slot, trial=lease.trial, attempt=lease.attempt, leaving=True), opened.now
    )


def test_a_slot_that_leaves_pauses_its_trial(desk: Open) -> None:
    """At its next report, with a save; it gets no more work, and another slot goes on from there at no loss."""
    opened = desk(2, epochs=4)
    lease = opened.take("a@n1")
    assert opened.report(lease, 1, slot="a@n1", can_save=True) == GO_ON
    leave_soon(opened, lease, "a@n1")
    assert opened.report(lease, 2, slot="a@n1", can_save=True) == PAUSE
    opened.save(lease, 2, "a@n1")
    assert opened.finish(lease, "a@n1", "paused").done is True
    trial = opened.study.trials[0]
    assert (trial.state, trial.attempts[0].outcome) == (State.WAITING, "released")
    assert trial.cause == "its slot is being taken away"
    again = opened.take("b@n2")
    assert (again.trial, again.resume.epoch) == (0, 2)


def test_a_pod_that_is_evicted_has_time_to_pause_its_trial(desk: Open) -> None:
    """Its grace has begun when the cluster says that it is taken away, and has not ended: nothing is lost."""
    opened = desk(1, epochs=4)
    watch = PodWatch(lambda: ([], []), lambda pod, cause, memory: opened.coordinator.lose_host(pod, cause, opened.now))
    evicted = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    pod = {"metadata": {"name": "pod-n1", "deletionTimestamp": "soon"}, "spec": {"nodeName": "n1"}}
    lease = opened.take("a@n1")
    watch.see({**pod, "status": {"phase": "Running", "conditions": [evicted]}})
    leave_soon(opened, lease, "a@n1")
    assert opened.report(lease, 1, slot="a@n1", can_save=True) == PAUSE
    opened.save(lease, 1, "a@n1")
    assert opened.finish(lease, "a@n1", "paused").done is True
    watch.see({**pod, "status": {"phase": "Failed", "conditions": [evicted]}}, is_gone=True)
    attempt = opened.study.trials[0].attempts[0]
    assert (attempt.outcome, attempt.cause) == ("released", "its slot is being taken away")
    assert "a@n1" not in opened.coordinator.roster.slots


def test_a_slot_that_leaves_once_leaves(desk: Open) -> None:
    """A heartbeat that says nothing of it changes nothing, and an idle one is done too."""
    opened = desk(2, epochs=4)
    lease = opened.take()
    leave_soon(opened, lease)
    opened.coordinator.heartbeat(Heartbeat(slot="a", trial=0, attempt=1), opened.now)
    assert opened.report(lease, 1, can_save=True) == PAUSE
    opened.lease("b"), opened.lease("c")
    opened.coordinator.heartbeat(Heartbeat(slot="c", leaving=True), opened.now)
    assert opened.lease("c").done is True


def test_a_slot_that_leaves_lets_its_last_report_count(desk: Open) -> None:
    """A trial that is through is complete."""
    opened = desk(1, epochs=2)
    lease = opened.take()
    leave_soon(opened, lease)
    assert opened.report(lease, 2, can_save=True, last=True) == SAVE
    opened.finish(lease)
    assert opened.study.trials[0].state is State.COMPLETE


def test_a_rung_comes_before_the_slot_that_leaves(desk: Open) -> None:
    """A trial that is to wait on its rung waits there, and does not run on elsewhere."""
    opened = desk(2, ladder=LADDER, epochs=4)
    lease = opened.take()
    leave_soon(opened, lease)
    assert opened.report(lease, 1, can_save=True) == PAUSE
    opened.save(lease, 1)
    opened.finish(lease, outcome="paused")
    assert opened.study.trials[0].state is State.PAUSED


# Messages that are late


def test_a_late_report_does_not_change_the_newest_decision(desk: Open) -> None:
    """The pause whose answer was lost is told again, though a duplicate of an older report came in between."""
    opened = desk(2, ladder=Ladder(2, 2, 4), epochs=4)
    lease = opened.take()
    assert opened.report(lease, 1, can_save=True) == GO_ON
    assert opened.report(lease, 2, can_save=True) == PAUSE
    before = list(opened.record)
    assert opened.report(lease, 1, can_save=True) == GO_ON
    assert opened.report(lease, 2, can_save=True) == PAUSE
    assert opened.record == before


def test_a_function_that_returns_earlier_than_it_did_before(desk: Open) -> None:
    """One that ignores its checkpoint may: its trial is complete with what it reported last, and nothing is saved."""
    opened = desk(1, epochs=9, checkpoint_epochs=4)
    lease = opened.take("a")
    assert opened.report(lease, 4, 0.5, slot="a", can_save=True) == SAVE
    opened.save(lease, 4, "a")
    opened.coordinator.leave("a", "gone", opened.now)
    again = opened.take("b")
    assert opened.report(again, 3, 0.7, slot="b", can_save=True, last=True) == GO_ON
    opened.finish(again, "b")
    assert (opened.study.trials[0].state, opened.study.best_value) == (State.COMPLETE, 0.5)


# Time


def test_a_rung_decides_though_the_time_is_up(desk: Open) -> None:
    """A trial that leads is let go beyond, and pauses; another one waits on its rung: both go on with more time."""
    opened = desk(2, ladder=LADDER, epochs=4, seconds=100.0, lease_seconds=1e9)
    first, second = opened.take("a"), opened.take("b")
    opened.pass_time(100)
    pause(opened, first, 0.5, slot="a")
    assert pause(opened, second, 0.4, slot="b").done
    assert decided(opened) == [(0, 1, "pause"), (1, 1, "go_on")]
    assert [trial.state for trial in opened.study.trials.values()] == [State.PAUSED, State.WAITING]
