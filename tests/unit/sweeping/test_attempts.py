"""How attempts begin and end: losses and nodes, time and memory, and which states are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tinderbox.errors import StaleAttempt
from tinderbox.sweeping.events import CheckpointFreed, CheckpointSaved, NodeAvoided
from tinderbox.sweeping.history import State
from tinderbox.sweeping.messages import Decision, Heartbeat
from tinderbox.sweeping.rungs import Ladder

Open = Callable[..., Any]

PLENTY = {"lease_seconds": 1e9, "most_losses": 1_000}
"""Rules under which only what a test does itself ends attempts."""


def lose(opened: Any, slot: str, cause: str = "its pod was deleted") -> Any:
    """Let a slot take a trial, work a while and be lost; return the lease."""
    lease = opened.take(slot)
    opened.now += 1
    opened.coordinator.leave(slot, cause, opened.now)
    return lease


# Other nodes


def test_a_lost_trial_goes_to_another_node(desk: Open) -> None:
    """A slot of the node that lost it gets another trial, while there is a slot elsewhere."""
    opened = desk(4, **PLENTY)
    opened.take("b@n2")
    assert lose(opened, "a@n1").trial == 1
    assert opened.take("c@n1").trial == 2
    again = opened.take("d@n2")
    assert (again.trial, again.attempt) == (1, 2)


def test_a_lost_trial_stays_where_there_is_no_other_node(desk: Open) -> None:
    """Neither one that has no slot, nor one whose slots are leaving."""
    opened = desk(4, **PLENTY)
    assert lose(opened, "a@n1").trial == 0
    assert opened.take("b@n1").trial == 0
    opened.lease("z@n2")
    opened.coordinator.heartbeat(Heartbeat(slot="z@n2", leaving=True), opened.now)
    assert opened.take("b@n1").trial == 0


def test_a_lost_trial_does_not_wait_for_a_node_that_is_busy(desk: Open) -> None:
    """Where nothing else is to run, it goes on where it was lost, rather than that its slot is idle for hours."""
    opened = desk(2, **PLENTY)
    opened.take("b@n2")
    assert lose(opened, "a@n1").trial == 1
    assert opened.take("c@n1").trial == 1


def test_a_lost_trial_waits_for_a_node_that_is_free(desk: Open) -> None:
    """Whose slot gets it with its next request, whichever slot asks first."""
    opened = desk(2, **PLENTY)
    waiting = opened.take("b@n2")
    lost = opened.take("a@n1")
    assert opened.finish(waiting, "b@n2").lease is None
    opened.coordinator.leave("a@n1", "its pod was deleted", opened.now)
    assert opened.lease("c@n1").lease is None
    assert opened.take("b@n2").trial == lost.trial


def test_a_trial_that_was_released_may_go_anywhere(desk: Open) -> None:
    """The node is not to blame for a driver that stopped."""
    opened = desk(2, **PLENTY)
    opened.take("a@n1")
    resumed = opened.restart()
    resumed.lease("b@n2")
    resumed.coordinator.leave("b@n2", "gone", resumed.now)
    assert resumed.take("a@n1").trial == 0


def test_a_trial_whose_state_could_not_be_fetched_goes_to_another_node(desk: Open) -> None:
    """That is the node's loss too."""
    opened = desk(3, **PLENTY)
    opened.take("b@n2")
    answer = opened.finish(opened.take("a@n1"), "a@n1", "infrastructure", cause="its checkpoint could not be fetched")
    assert answer.lease.trial == 2
    assert opened.study.trials[1].attempts[0].outcome == "infrastructure"
    assert opened.take("c@n2").trial == 1


def test_a_node_that_loses_three_in_a_row_is_avoided(desk: Open) -> None:
    """It is named once, with the cause; it gets nothing while another node has a slot, and something when none has."""
    opened = desk(9, **PLENTY)
    opened.take("z@n2")
    for number in range(3):
        lose(opened, f"a{number}@n1", f"death {number}")
    avoided = [(event.node, event.cause) for event in opened.record if isinstance(event, NodeAvoided)]
    cause = "3 attempts in a row were lost there, the last one because slot a2@n1 on n1 left: death 2"
    assert avoided == [("n1", cause)]
    assert opened.study.avoided["n1"].cause == cause
    idle = opened.lease("b@n1", request=90)
    assert (idle.lease, idle.done) == (None, False)
    opened.coordinator.leave("z@n2", "gone", opened.now)
    assert opened.lease("b@n1", request=90).lease is not None


def avoid(desk: Open, **rules: Any) -> Any:
    """Return a desk whose node n1 was avoided just now; a slot of n2 runs trial 0, and idle ones of n1 are there."""
    opened = desk(12, **PLENTY, **rules)
    opened.take("z@n2")
    for number in range(3):
        lose(opened, f"a{number}@n1")
    assert opened.lease("b@n1").lease is opened.lease("c@n1").lease is None
    return opened


def test_a_node_that_is_avoided_is_tried_again(desk: Open) -> None:
    """After a time it gets one trial; once that is through it is a node like others."""
    opened = avoid(desk)
    opened.now += 1799
    assert opened.lease("b@n1").lease is None
    opened.now += 1
    tried = opened.take("b@n1")
    assert opened.lease("c@n1").lease is None
    assert opened.finish(tried, "b@n1", "failed").lease is not None
    assert opened.lease("c@n1").lease is not None
    assert opened.study.avoided == {}
    assert opened.replay() == opened.study


def test_a_node_that_loses_its_trial_again_is_avoided_at_once(desk: Open) -> None:
    """For the same time, though the driver has changed: the record tells when that was."""
    opened = avoid(desk)
    opened.now += 1800
    lose(opened, "b@n1", "its pod was deleted")
    told = "it was tried again, and lost that attempt because slot b@n1 on n1 left: its pod was deleted"
    assert opened.study.avoided["n1"].cause == told
    opened.now += 1000
    resumed = opened.restart()
    resumed.take("z@n2")
    assert resumed.lease("c@n1").lease is None
    resumed.now += 800
    assert resumed.lease("c@n1").lease is not None


def test_when_all_nodes_are_avoided_the_one_to_be_tried_goes_first(desk: Open) -> None:
    """The others get trials once it has one, so that nothing hangs."""
    opened = avoid(desk)
    opened.coordinator.leave("z@n2", "gone", opened.now)
    opened.now += 900
    for number in range(2):
        lose(opened, f"z{number}@n2")
    opened.now += 900
    assert set(opened.study.avoided) == {"n1", "n2"}
    assert opened.lease("y@n2").lease is None
    assert opened.lease("b@n1").lease is not None
    assert opened.lease("y@n2").lease is not None


def test_the_fourth_loss_was_on_a_node_that_was_avoided(desk: Open) -> None:
    """Such a node gets work only while it is the last one; what it loses then is told no second time."""
    opened = desk(9, **PLENTY)
    for number in range(5):
        lose(opened, f"a{number}@n1")
    assert sum(isinstance(event, NodeAvoided) for event in opened.record) == 1


def test_an_end_of_its_own_forgives_a_node(desk: Open) -> None:
    """Two losses, a trial that is through, and two more are not three in a row."""
    opened = desk(9, **PLENTY)
    for _ in range(2):
        lose(opened, "a@n1")
        lose(opened, "b@n1")
        opened.finish(opened.take("c@n1"), "c@n1", "failed")
    assert opened.study.avoided == {}


def test_a_node_that_gets_trials_on_is_not_avoided(desk: Open) -> None:
    """What is taken away from it again and again may be a machine that others need, and its trials lose little."""
    opened = desk(1, epochs=9, checkpoint_epochs=1, **PLENTY)
    for epoch in range(1, 6):
        lease = opened.take("a@n1")
        opened.report(lease, epoch, slot="a@n1", can_save=True)
        opened.save(lease, epoch, "a@n1")
        opened.now += 1
        opened.coordinator.leave("a@n1", "preempted", opened.now)
    assert opened.study.avoided == {}


def test_the_last_node_is_never_avoided(desk: Open) -> None:
    """When all nodes lose what they get, all of them go on getting work."""
    opened = desk(9, **PLENTY)
    for number in range(6):
        lose(opened, f"a{number}@n{number % 2}")
    assert set(opened.study.avoided) == {"n0", "n1"}
    assert opened.lease("b@n0").lease is not None
    assert opened.lease("b@n1").lease is not None


def test_an_avoided_node_is_no_other_node(desk: Open) -> None:
    """A trial that the last good node has lost is tried there again, and waits for no node that gets nothing."""
    opened = desk(4, **PLENTY)
    opened.take("good@n1")
    for number in range(3):
        lose(opened, f"a{number}@n2")
    opened.lease("idle@n2")
    opened.coordinator.leave("good@n1", "gone", opened.now)
    opened.lease("first@n1")
    opened.coordinator.leave("first@n1", "gone", opened.now)
    waiting = {trial.number for trial in opened.study.trials.values() if trial.attempts}
    got = [opened.take(f"b{number}@n1").trial for number in range(len(waiting))]
    assert set(got) == waiting


def test_what_a_machine_loses_at_once_it_loses_once(desk: Open) -> None:
    """A pod with four slots that is preempted is one misfortune, and its node is not avoided for it."""
    opened = desk(12, **PLENTY)
    opened.lease("z@n2")
    for number in range(4):
        opened.take(f"a{number}@n1")
    opened.now += 60
    opened.coordinator.lose_host("pod-n1", "preempted", opened.now)
    assert opened.study.avoided == {}
    for number in range(4):  # silent slots are found one after the other
        opened.take(f"b{number}@n1")
    opened.now += 60
    for number in range(4):
        opened.now += 1
        opened.coordinator.leave(f"b{number}@n1", "silent for 21 s", opened.now)
    assert opened.study.avoided == {}
    lose(opened, "c@n1")
    assert list(opened.study.avoided) == ["n1"]


# Losses


def test_a_trial_that_gets_on_is_not_lost_too_often(desk: Open) -> None:
    """Losses count from its newest state: machines that are taken away every hour do not end what takes a day."""
    opened = desk(1, epochs=20, checkpoint_epochs=1, most_losses=2)
    for epoch in range(1, 10):
        lease = opened.take("a")
        assert (lease.resume.epoch if lease.resume else 0) == epoch - 1
        assert opened.report(lease, epoch, can_save=True).save
        opened.save(lease, epoch)
        opened.coordinator.leave("a", "gone", opened.now)
    for _ in range(2):
        assert opened.study.trials[0].state is State.WAITING
        lose(opened, "a", "gone")
    trial = opened.study.trials[0]
    assert (trial.state, trial.attempts[-1].outcome) == (State.FAILED, "failed")
    assert trial.cause == "lost 3 times, the last time because slot a on node left: gone"


# Time and memory


def test_an_attempt_that_takes_too_long(desk: Open) -> None:
    """Its trial has failed, told once with the time; its slot is refused from then on, and gets other work."""
    opened = desk(2, trial_seconds=60.0, lease_seconds=1e9)
    lease = opened.take()
    opened.pass_time(60)
    assert opened.study.trials[0].state is State.RUNNING
    opened.pass_time(1)
    trial = opened.study.trials[0]
    assert (trial.state, trial.attempts[0].outcome) == (State.FAILED, "timed_out")
    assert trial.cause == "an attempt may take 60 s, and this one took longer"
    with pytest.raises(Exception, match="attempt 1 of trial 0 is over"):
        opened.coordinator.heartbeat(Heartbeat(slot="a", trial=0, attempt=1), opened.now)
    opened.pass_time(100)
    assert opened.take().trial == 1
    assert lease.trial == 0


def test_time_is_counted_anew_for_each_attempt(desk: Open) -> None:
    """What an earlier attempt took is not held against the next one."""
    opened = desk(1, trial_seconds=60.0, lease_seconds=1e9)
    opened.take("a")
    opened.pass_time(50)
    opened.coordinator.leave("a", "gone", opened.now)
    opened.take("b")
    opened.pass_time(50)
    assert opened.study.trials[0].state is State.RUNNING


def beat(opened: Any, slot: str, lease: Any, memory: int) -> None:
    """Tell how much a slot's trial holds."""
    opened.coordinator.heartbeat(
        Heartbeat(slot=slot, trial=lease.trial, attempt=lease.attempt, memory=memory), opened.now
    )


def states(opened: Any) -> list[State]:
    """Return where each trial stands."""
    return [trial.state for trial in opened.study.trials.values()]


def test_the_largest_trial_has_used_up_the_memory(desk: Open) -> None:
    """Of the slots of a pod that ran out of it, the one whose trial held most fails, and the others run again."""
    opened = desk(4, **PLENTY)
    for slot, memory in (("a@n1", 3), ("b@n1", 9), ("c@n1", 4), ("d@n2", 99)):
        beat(opened, slot, opened.take(slot), memory)
    opened.coordinator.lose_host("pod-n1", "OOMKilled", opened.now, out_of_memory=True)
    assert states(opened) == [State.WAITING, State.FAILED, State.WAITING, State.RUNNING]
    assert opened.study.trials[1].attempts[0].outcome == "out_of_memory"
    assert opened.study.trials[1].cause == "slot b@n1 on n1 left: OOMKilled"


def test_an_idle_slot_has_not_used_up_the_memory(desk: Open) -> None:
    """Even if nothing is known of what the trials held, or its last trial held most."""
    opened = desk(2, **PLENTY)
    opened.lease("a@n1"), opened.lease("b@n1")
    for slot in ("idle@n1", "busy@n1"):
        opened.lease(slot)
    opened.coordinator.leave("a@n1", "gone", opened.now)
    opened.coordinator.leave("b@n1", "gone", opened.now)
    opened.take("busy@n1")
    opened.coordinator.lose_host("pod-n1", "OOMKilled", opened.now, out_of_memory=True)
    assert states(opened).count(State.FAILED) == 1


def test_a_new_trial_has_not_used_what_the_one_before_it_did(desk: Open) -> None:
    """What a slot said of its last trial is forgotten when it begins another one."""
    opened = desk(3, **PLENTY)
    large = opened.take("a@n1")
    beat(opened, "a@n1", large, 9)
    opened.finish(large, "a@n1", "failed")
    beat(opened, "b@n1", opened.take("b@n1"), 5)
    opened.coordinator.lose_host("pod-n1", "OOMKilled", opened.now, out_of_memory=True)
    assert states(opened) == [State.FAILED, State.WAITING, State.FAILED]


# Which states are kept


def freed(opened: Any) -> list[str]:
    """Return the files that the record says were thrown away."""
    return [event.path for event in opened.record if isinstance(event, CheckpointFreed)]


def run(opened: Any, value: float, slot: str = "a", outcome: str = "complete") -> str:
    """Let a slot run its next trial whole, with a state for each of its two epochs, and return the last state."""
    lease = opened.take(slot)
    for epoch in (1, 2):
        decision = opened.report(lease, epoch, value, slot=slot, can_save=True, last=epoch == 2)
        path = opened.save(lease, epoch, slot) if decision.save else ""
    opened.finish(lease, slot, outcome)
    opened.coordinator.leave(slot, "idle", opened.now)  # it has taken the next trial
    return path


def test_of_those_that_have_ended_the_best_and_the_baseline_are_kept(desk: Open) -> None:
    """All other states are thrown away, each once and with an event, and the study knows how much that was."""
    opened = desk(5, proposed=False, checkpoint_epochs=1, **PLENTY)
    for number in range(5):
        opened.propose(baseline=number == 0)
    for value, outcome in ((0.9, "complete"), (0.5, "complete"), (0.7, "complete"), (0.4, "complete"), (0.1, "failed")):
        run(opened, value, outcome=outcome)
    assert {trial.number: trial.kept for trial in opened.study.trials.values()} == {0: 2, 1: 0, 2: 0, 3: 2, 4: 0}
    saved = {event.path for event in opened.record if isinstance(event, CheckpointSaved)}
    kept = {trial.checkpoint.path for trial in opened.study.trials.values() if trial.checkpoint is not None}
    assert sorted(freed(opened)) == sorted(saved - kept)
    assert opened.study.freed == len(freed(opened))
    assert opened.coordinator.clear_garbage() == freed(opened)
    assert opened.coordinator.clear_garbage() == []
    assert opened.replay() == opened.study


def test_what_may_go_on_is_kept(desk: Open) -> None:
    """The newest state of a trial that runs, waits, or is paused; an older one of the same trial is not."""
    opened = desk(3, epochs=4, checkpoint_epochs=1, ladder=Ladder(2, 2, 4), **PLENTY)
    lost, paused, running = opened.take("a"), opened.take("b"), opened.take("c")
    for slot, lease, epochs in (("a", lost, 1), ("b", paused, 2), ("c", running, 1)):
        for epoch in range(1, epochs + 1):
            assert opened.report(lease, epoch, slot=slot, can_save=True).save
            opened.save(lease, epoch, slot)
    opened.finish(paused, "b", "paused")
    opened.coordinator.leave("a", "gone", opened.now)
    assert states(opened) == [State.WAITING, State.PAUSED, State.RUNNING]
    assert [trial.kept for trial in opened.study.trials.values()] == [1, 2, 1]
    assert freed(opened) == ["1-1-1"]


def test_a_state_that_is_sent_twice_is_kept(desk: Open) -> None:
    """The same file under the same name is not thrown away, not even when its content is another one."""
    opened = desk(1, epochs=4, **PLENTY)
    lease = opened.take()
    opened.report(lease, 1, can_save=True)
    for sha256 in ("00", "00", "11"):
        opened.save(lease, 1, sha256=sha256)
    assert freed(opened) == []
    assert opened.study.trials[0].checkpoint.sha256 == "11"


def test_a_state_that_comes_too_late_is_thrown_away(desk: Open) -> None:
    """It is in storage already; but not where it is the one that the trial goes on from, told of once more."""
    opened = desk(1, epochs=4, **PLENTY)
    lease = opened.take()
    opened.report(lease, 1, can_save=True)
    kept = opened.save(lease, 1)
    opened.report(lease, 2, can_save=True)
    with pytest.raises(StaleAttempt, match="trial 0 is at epoch 2, and this checkpoint at 1"):
        opened.save(lease, 1)
    opened.coordinator.leave("a", "gone", opened.now)
    for epoch in (1, 2):
        with pytest.raises(StaleAttempt, match="attempt 1 of trial 0 is over"):
            opened.save(lease, epoch)
    assert opened.study.trials[0].checkpoint.path == kept
    assert opened.coordinator.clear_garbage() == ["0-1-2"]


@pytest.mark.parametrize("value", [0.5, float("nan")])
def test_a_trial_that_ends_by_its_report_keeps_nothing(desk: Open, value: float) -> None:
    """Whether a rung stops it or it has diverged."""
    opened = desk(2, epochs=4, checkpoint_epochs=1, ladder=Ladder(2, 2, 4, pauses=False), **PLENTY)
    best = opened.take("z")
    opened.report(best, 2, 0.1, slot="z")
    lease = opened.take()
    opened.report(lease, 1, can_save=True)
    opened.save(lease, 1)
    assert opened.report(lease, 2, value, can_save=True) == Decision(action="stop")
    assert freed(opened) == ["1-1-1"]


def test_a_driver_that_dies_between_an_end_and_its_tidying(desk: Open) -> None:
    """The next one throws away what nothing needs any more."""
    opened = desk(2, checkpoint_epochs=1, **PLENTY)
    run(opened, 0.5)
    run(opened, 0.4)
    (place,) = [index for index, event in enumerate(opened.record) if getattr(event, "path", "") == "0-1-2"][1:]
    resumed = opened.restart(kept=place)
    assert resumed.study.best.number == 1
    assert freed(resumed)[-1:] == ["0-1-2"]
    assert resumed.coordinator.clear_garbage() == ["0-1-2"]
