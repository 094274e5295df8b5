"""Who is in which attempt, when one begins and why it ends, on a clock that stands still."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.training.driver.scene import Scene
from tinderbox.errors import BadInput, NoExecutor, StaleAttempt, TinderboxError, TrainingFailed
from tinderbox.training.record import AttemptEnded, WorkerReplaced
from tinderbox.training.records import Assignment, Position, Resume, Verdict

A, B, C = "agent-0@a", "agent-1@b", "agent-2@c"


def ends(scene: Scene) -> list[tuple[str, str]]:
    """Return how attempts have ended, and why."""
    return [(event.outcome, event.cause) for event in scene.record if isinstance(event, AttemptEnded)]


# Beginnings


def test_an_attempt_begins_when_all_are_there() -> None:
    """Each gets a rank, by its number, and the addresses of all."""
    scene = Scene()
    assert scene.join(B).assignment is None
    assert scene.rendezvous.running is None
    first = scene.join(A).assignment
    second = scene.join(B).assignment
    assert first is not None
    assert second is not None
    assert (first.rank, second.rank) == (0, 1)
    assert first.addresses == second.addresses == (f"{A}:7100", f"{B}:7100")
    assert (first.attempt, first.workers, first.resume, first.scale, first.rejoins) == (1, 2, None, 1.0, False)
    assert len(first.secret) >= 32
    assert first.secret == second.secret


def test_without_all_it_begins_with_those_who_are_there() -> None:
    """Once `attempts.wait` has passed since the first one came; by the linear rule with a smaller rate."""
    scene = Scene({"workers": 4, "attempts": {"wait": 10}})
    scene.join(A)
    scene.pass_time(9)
    assert scene.join(B).assignment is None
    scene.pass_time(1)
    assignment = scene.join(A).assignment
    assert assignment is not None
    assert (assignment.workers, assignment.scale) == (2, 0.5)


@pytest.mark.parametrize("keys", [{"batch": {"size": 8, "per": "all"}}, {"attempts": {"wait": 10, "scaling": "none"}}])
def test_the_rate_stays(keys: dict[str, Any]) -> None:
    """Where a step has as many examples as before, and where the job says so."""
    scene = Scene({"workers": 4, "attempts": {"wait": 10}, **keys})
    scene.join(A)
    scene.pass_time(10)
    assignment = scene.join(A).assignment
    assert assignment is not None
    assert (assignment.workers, assignment.scale) == (1, 1.0)


def test_an_answer_that_was_lost_is_given_again() -> None:
    """An agent that has not begun, and one that repeats its request, get the same assignment."""
    scene = Scene({"workers": 1})
    first = scene.join(A, 1)
    assert scene.join(A, 1) == first
    assert scene.join(A, 2) == first
    assert first.assignment is not None
    scene.beat(A, first.assignment)
    assert scene.join(A, 1) == first
    assert scene.rendezvous.running is not None


def test_an_agent_that_begins_anew_has_lost_its_worker() -> None:
    """It says so by asking again, with a new request."""
    scene = Scene({"workers": 1})
    scene.begin(A)
    answer = scene.join(A, 99)
    assert ends(scene) == [("lost", "worker 0 on a: its agent has begun anew")]
    assert answer.assignment is not None
    assert answer.assignment.attempt == 2


def test_an_attempt_goes_on_from_the_newest_checkpoint() -> None:
    """Of whatever driver."""
    kept = Resume(Position(1, 4, 15), {0: "ab"})
    assignment = Scene(kept={15: kept}).begin(A, B)[0]
    assert assignment.resume == kept


# Ends


@pytest.mark.parametrize(
    ("outcome", "told"),
    [("killed", "killed"), ("out_of_memory", "out_of_memory"), ("stale", "lost"), ("lost", "lost")],
)
def test_a_lost_worker_ends_an_attempt(outcome: str, told: str) -> None:
    """The others are refused, and all join for the next one."""
    scene = Scene()
    first, second = scene.begin(A, B)
    scene.end(B, second, outcome, "why")
    assert ends(scene) == [(told, "worker 1 on b: why")]
    with pytest.raises(StaleAttempt):
        scene.beat(A, first)
    with pytest.raises(StaleAttempt):
        scene.end(A, first, "peer_lost")
    again = scene.begin(A, B)
    assert [assignment.attempt for assignment in again] == [2, 2]
    assert again[0].secret != first.secret


def test_a_frozen_worker_is_found() -> None:
    """It is silent for 20 s, while its agent lives; the other one goes on beating."""
    scene = Scene()
    first, second = scene.begin(A, B)
    for _ in range(22):
        scene.pass_time(1)
        scene.rendezvous.crew.hear(B, scene.now)
        if scene.rendezvous.running is not None:
            scene.beat(A, first)
    assert ends(scene) == [("frozen", "worker 1 on b was not heard of for 21 s")]
    with pytest.raises(StaleAttempt):
        scene.rendezvous.watch(scene.sender(B, second), scene.now)


def test_a_worker_may_take_its_time_to_start() -> None:
    """Its process has to come to be; who is frozen in that is found in 30 s."""
    scene = Scene({"workers": 1})
    assert scene.join(A).assignment is not None
    for _ in range(27):
        scene.pass_time(1)
        scene.rendezvous.crew.hear(A, scene.now)
    assert ends(scene) == []
    for _ in range(2):
        scene.pass_time(1)
        scene.rendezvous.crew.hear(A, scene.now)
    assert ends(scene) == [("frozen", "worker 0 on a was not heard of for 29 s")]


def test_a_silent_agent_is_submitted_anew() -> None:
    """Nobody could kill its worker; its name is handed on."""
    scene = Scene()
    first, _ = scene.begin(A, B)
    for _ in range(22):
        scene.pass_time(1)
        if scene.rendezvous.running is not None:
            scene.beat(A, first)
    assert ends(scene) == [("lost", "worker 1 on b: the agent on b was not heard of for 21 s")]
    assert scene.rendezvous.renewals == [B]


def test_nobody_is_silent_while_the_driver_stands_still() -> None:
    """A laptop was closed for an hour."""
    scene = Scene()
    first, second = scene.begin(A, B)
    scene.now += 3600
    scene.rendezvous.tick(scene.now)
    assert ends(scene) == []
    scene.beat(A, first)
    scene.beat(B, second)
    scene.pass_time(10)
    assert ends(scene) == []


def test_a_complaint_is_not_older_for_a_standstill() -> None:
    """Whoever is gone has as long to be found as if the driver had not stood still."""
    scene = Scene()
    first, second = scene.begin(A, B)
    scene.end(A, first, "peer_lost", "UnavailableError")
    scene.now += 3600
    scene.rendezvous.tick(scene.now)
    assert ends(scene) == []
    scene.end(B, second, "killed", "why")
    assert ends(scene) == [("killed", "worker 1 on b: why")]


def test_a_standstill_is_no_time_to_wait() -> None:
    """An attempt does not begin with fewer workers for it, however long ago who is there has come."""
    scene = Scene({"attempts": {"wait": 60}})
    scene.pass_time(100)
    scene.join(A)
    scene.now += 3600
    assert scene.join(A).assignment is None
    scene.pass_time(50)
    scene.rendezvous.crew.hear(A, scene.now)
    assert scene.join(A).assignment is None


def test_nor_is_it_time_for_a_successor() -> None:
    """A lost worker's place is kept free for it."""
    scene = Scene({"mode": "threshold", "attempts": {"wait": 60}})
    _, second = scene.begin(A, B)
    scene.end(B, second, "killed", "why")
    scene.now += 3600
    scene.rendezvous.tick(scene.now)
    assert ends(scene) == []


@pytest.mark.parametrize("frozen", [True, False])
def test_who_complains_of_a_peer_is_not_blamed(frozen: bool) -> None:
    """A survivor's operation fails before anybody knows who is gone; its agent waits for the next attempt meanwhile."""
    scene = Scene()
    first, second = scene.begin(A, B)
    scene.end(A, first, "peer_lost", "UnavailableError")
    assert scene.join(A).assignment is None
    assert ends(scene) == []
    if frozen:
        for _ in range(10):  # sooner than without the complaint
            scene.pass_time(1)
            scene.rendezvous.crew.hear(A, scene.now)
            scene.rendezvous.crew.hear(B, scene.now)
        assert ends(scene) == [("frozen", "worker 1 on b was not heard of for 9 s")]
    else:
        scene.end(B, second, "killed", "its process was killed by SIGKILL")
        assert ends(scene) == [("killed", "worker 1 on b: its process was killed by SIGKILL")]


def test_a_complaint_without_a_culprit_ends_the_attempt() -> None:
    """A network that failed for a moment, say: both workers live."""
    scene = Scene()
    first, second = scene.begin(A, B)
    scene.end(A, first, "peer_lost", "UnavailableError")
    for _ in range(27):
        scene.pass_time(1)
        scene.rendezvous.crew.hear(A, scene.now)
        if scene.rendezvous.running is not None:
            scene.beat(B, second)
    assert ends(scene) == [("lost", "worker 0 on a: UnavailableError")]


def test_all_complain() -> None:
    """Each of the others; the one that nobody hears of is the culprit."""
    scene = Scene({"workers": 3})
    first, second, _ = scene.begin(A, B, C)
    scene.end(A, first, "peer_lost")
    scene.end(B, second, "peer_lost")
    for _ in range(10):
        scene.pass_time(1)
        for agent in (A, B, C):
            scene.rendezvous.crew.hear(agent, scene.now)
    assert ends(scene) == [("frozen", "worker 2 on c was not heard of for 9 s")]


def test_a_job_of_spark_that_ends_takes_its_worker_with_it() -> None:
    """And says whether it had ever come to work."""
    scene = Scene()
    scene.begin(A, B)
    assert scene.rendezvous.leave(B, "executor lost", scene.now)
    assert ends(scene) == [("lost", "worker 1 on b: executor lost")]
    assert not scene.rendezvous.leave("agent-7", "never came", scene.now)


def test_a_task_that_spark_begins_anew_takes_the_place_of_its_first_agent() -> None:
    """Whose worker is lost; the healthy one is neither cancelled nor left behind when its job ends."""
    scene = Scene()
    scene.begin(A, B)
    scene.join(f"{A}+1")
    assert ends(scene) == [("lost", "worker 0 on a: Spark has begun its task anew")]
    first, second = scene.begin(f"{A}+1", B)
    with pytest.raises(StaleAttempt, match="is not wanted any more"):
        scene.join(A)
    for _ in range(30):
        scene.pass_time(1)
        scene.beat(f"{A}+1", first)
        scene.beat(B, second)
    assert scene.rendezvous.renewals == []
    assert scene.rendezvous.leave(A, "executor lost", scene.now)
    assert list(scene.rendezvous.crew.agents) == [B]
    assert ends(scene)[1:] == [("lost", "worker 0 on a+1: executor lost")]


@pytest.mark.parametrize(("out_of_memory", "outcome"), [(True, "out_of_memory"), (False, "lost")])
def test_a_pod_that_dies_takes_its_workers_with_it(out_of_memory: bool, outcome: str) -> None:
    """All of them at once; what Spark says of it later is no news."""
    scene = Scene()
    scene.begin(A, B)
    scene.rendezvous.lose_host("pod-b", "OOMKilled", out_of_memory, scene.now)
    scene.rendezvous.leave(B, "executor lost", scene.now)
    assert ends(scene) == [(outcome, "worker 1 on b: OOMKilled")]


@pytest.mark.parametrize("outcome", ["failed", "diverged"])
def test_what_would_happen_again_ends_the_run(outcome: str) -> None:
    """The user's code raised, or the loss is no number: told once, and not tried again."""
    scene = Scene()
    scene.end(A, scene.begin(A, B)[0], outcome, "ValueError: no")
    assert isinstance(scene.rendezvous.failure, TrainingFailed)
    assert str(scene.rendezvous.failure) == "worker 0 on a: ValueError: no"
    assert scene.rendezvous.over
    assert scene.join(B).done


def test_a_process_that_ends_by_itself_twice_ends_the_run() -> None:
    """At the same place: nothing was done in between."""
    scene = Scene()
    scene.end(A, scene.begin(A, B)[0], "crashed", "its process ended with exit code 3")
    assert scene.rendezvous.failure is None
    scene.end(A, scene.begin(A, B)[0], "crashed", "its process ended with exit code 3")
    assert "exit code 3; it was so twice, at the same place" in str(scene.rendezvous.failure)
    assert [outcome for outcome, _ in ends(scene)] == ["failed", "failed"]


def test_a_process_that_ends_by_itself_farther_on_is_tried_again() -> None:
    """As long as there is some progress, or something else happened in between."""
    scene = Scene()
    scene.end(A, scene.begin(A, B)[0], "crashed")
    first, second = scene.begin(A, B)
    assert (scene.tell(A, first, 1), scene.tell(B, second, 1)) == (None, Verdict())
    scene.end(A, first, "crashed")
    assert scene.rendezvous.failure is None
    scene.end(B, scene.begin(A, B)[1], "killed")
    scene.end(A, scene.begin(A, B)[0], "crashed")
    assert scene.rendezvous.failure is None


def test_attempts_are_bounded() -> None:
    """The last one tells the causes."""
    scene = Scene({"attempts": {"most": 3}})
    for number in range(3):
        scene.end(B, scene.begin(A, B)[1], "killed", f"cause {number}")
    assert "after 3 attempts" in str(scene.rendezvous.failure)
    assert "attempt 2: worker 1 on b: cause 1; attempt 3: worker 1 on b: cause 2" in str(scene.rendezvous.failure)
    assert scene.join(A).done


def test_another_driver_has_all_attempts_again() -> None:
    """The same command goes on; the attempt of a driver that was killed is over."""
    scene = Scene({"attempts": {"most": 2}})
    scene.end(B, scene.begin(A, B)[1], "killed")
    scene.begin(A, B)
    other = Scene({"attempts": {"most": 2}}, scene.record, scene.kept, scene.now + 60)
    _, second = other.begin(A, B)
    assert second.attempt == 3
    assert [attempt.ended.outcome for attempt in other.rendezvous.training.attempts[:2] if attempt.ended] == [
        "killed",
        "superseded",
    ]
    other.end(B, second, "killed")
    assert other.rendezvous.failure is None


def test_a_driver_that_is_asked_to_end() -> None:
    """What runs is released, and agents are told that all is over."""
    scene = Scene()
    scene.begin(A, B)
    scene.rendezvous.close(scene.now)
    assert ends(scene) == [("released", "its driver was asked to end")]
    assert scene.join(A).done


@pytest.mark.parametrize(("error", "outcome"), [(NoExecutor("no executor"), "lost"), (BadInput("no task"), "failed")])
def test_a_driver_that_ends_by_an_error(error: TinderboxError, outcome: str) -> None:
    """Nobody has asked it to: the record says why."""
    scene = Scene()
    scene.begin(A, B)
    scene.rendezvous.close(scene.now, error)
    assert ends(scene) == [(outcome, str(error))]


# Epochs


def test_an_epoch_ends_when_all_have_told() -> None:
    """Once; who tells again gets the same verdict."""
    scene = Scene()
    first, second = scene.begin(A, B)
    assert scene.tell(A, first, 1, 0.25) is None
    assert scene.tell(A, first, 1, 9.0) is None
    assert scene.tell(B, second, 1, 0.75) == Verdict()
    assert scene.tell(A, first, 1) == Verdict()
    (row,) = scene.rendezvous.training.history
    assert (row.metrics, row.workers, row.step) == ({"loss": 0.5}, 2, 10)


def test_the_last_epoch_stops() -> None:
    """The job has three."""
    scene = Scene({"workers": 1})
    (first,) = scene.begin(A)
    assert [scene.tell(A, first, epoch) for epoch in (1, 2, 3)] == [Verdict(), Verdict(), Verdict(stop=True)]


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    """Other attempts would come to the same."""
    scene = Scene({"workers": 1})
    (first,) = scene.begin(A)
    assert scene.tell(A, first, 1, math.nan) is None
    assert isinstance(scene.rendezvous.failure, TrainingFailed)
    assert "training has diverged: after epoch 1 loss is nan" in str(scene.rendezvous.failure)
    with pytest.raises(StaleAttempt):
        scene.tell(A, first, 1)


def test_early_stopping_by_a_metric_that_is_not_there() -> None:
    """It is told as soon as there is a history."""
    scene = Scene({"workers": 1, "early_stopping": {"metric": "val_mae"}})
    (first,) = scene.begin(A)
    scene.tell(A, first, 1)
    assert "metric must be one of loss" in str(scene.rendezvous.failure)


def early(scene: Scene, agent: str, assignment: Assignment) -> Verdict | None:
    """Let epochs get worse after the first one, each with its checkpoint, and return the verdict at the second."""
    assert scene.tell(agent, assignment, 1, val=0.0, loss=0.1) == Verdict(save=True)
    scene.save(agent, assignment, 1)
    return scene.tell(agent, assignment, 2, loss=0.2)


def test_early_stopping_goes_back() -> None:
    """To the best one's checkpoint."""
    scene = Scene({"workers": 1, "early_stopping": {"metric": "loss", "patience": 1}})
    (first,) = scene.begin(A)
    assert early(scene, A, first) == Verdict(stop=True, best=scene.kept[10])


def test_a_worker_that_is_lost_after_the_end_only_has_to_finish() -> None:
    """Training stopped early, and its last epoch has a checkpoint: the next attempt loads the best one, and is over."""
    scene = Scene({"workers": 1, "early_stopping": {"metric": "loss", "patience": 1}})
    (first,) = scene.begin(A)
    early(scene, A, first)
    scene.save(A, first, 2)
    scene.end(A, first, "killed")
    (again,) = scene.begin(A)
    assert again.over
    assert again.resume == scene.kept[10]
    assert len(scene.rendezvous.training.history) == 2
    assert scene.finish(A, again)
    ended = scene.rendezvous.training.ended
    assert ended is not None
    assert (ended.epoch, ended.early) == (1, True)


@pytest.mark.parametrize("lost", [False, True])
def test_the_end_says_which_epoch_the_model_is_of(lost: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Where the best one's checkpoint is damaged, that is told, and the model is not said to be the best one's."""
    scene = Scene({"workers": 1, "early_stopping": {"metric": "loss", "patience": 1}})
    (first,) = scene.begin(A)
    assert scene.tell(A, first, 1, val=0.0, loss=0.1) == Verdict(save=True)
    assert scene.tell(A, first, 2, loss=0.2) == Verdict(stop=True)
    if lost:
        scene.save(A, first, 2)
        scene.end(A, first, "killed")
        (first,) = scene.begin(A)
    assert scene.finish(A, first)
    assert "the checkpoint of epoch 1, the best one, is gone or damaged" in caplog.text
    ended = scene.rendezvous.training.ended
    assert ended is not None
    assert ended.epoch == 2


# Checkpoints


def test_a_checkpoint_of_one_part_counts_at_once() -> None:
    """In mode synchronous rank 0 has all; what another one leaves counts for nothing."""
    scene = Scene()
    first, second = scene.begin(A, B)
    scene.save(B, second, 1)
    assert scene.kept == {}
    scene.save(A, first, 1)
    assert scene.kept == {10: Resume(Position(1, 0, 10), {0: "1-0", 1: "1-1"})}


def test_a_checkpoint_of_all_parts_waits_for_them() -> None:
    """In mode threshold each worker has a state of its own."""
    scene = Scene({"mode": "threshold"})
    first, second = scene.begin(A, B)
    scene.save(A, first, 1)
    assert scene.kept == {}
    scene.save(B, second, 1)
    assert set(scene.kept) == {10}


def test_nothing_begins_while_a_checkpoint_is_about_to_count() -> None:
    """Or it would begin at the one before, and find this one later."""
    scene = Scene({"workers": 1})
    (first,) = scene.begin(A)
    scene.rendezvous.take_part(scene.sender(A, first), Position(1, 0, 10), "ab", 100, scene.now)
    scene.end(A, first, "killed")
    assert scene.join(A).assignment is None
    scene.count()
    assignment = scene.join(A).assignment
    assert assignment is not None
    assert assignment.resume == scene.kept[10]


def test_more_workers_begin_at_the_next_checkpoint() -> None:
    """One came late, and waits while the other one trains alone."""
    scene = Scene({"attempts": {"wait": 10, "most": 1}})
    scene.join(A)
    scene.pass_time(10)
    assignment = scene.join(A).assignment
    assert assignment is not None
    scene.beat(A, assignment)
    assert scene.join(B).assignment is None
    scene.save(A, assignment, 0, 5, 5)
    assert ends(scene) == [("replaced", "2 workers are there, and it had 1")]
    assert scene.rendezvous.failure is None
    assert scene.begin(A, B)[1].resume == scene.kept[5]


def test_nobody_begins_anew_when_training_is_over() -> None:
    """The last checkpoint is no reason to."""
    scene = Scene({"attempts": {"wait": 10}, "epochs": 1})
    scene.join(A)
    scene.pass_time(10)
    assignment = scene.join(A).assignment
    assert assignment is not None
    scene.join(B)
    assert scene.tell(A, assignment, 1) == Verdict(stop=True)
    scene.save(A, assignment, 1)
    assert ends(scene) == []


# The end


def test_training_ends_when_all_have_finished() -> None:
    """The model is there; what workers took validation examples for is added up."""
    scene = Scene({"epochs": 1})
    first, second = scene.begin(A, B)
    scene.tell(A, first, 1)
    scene.tell(B, second, 1)
    assert not scene.finish(A, first, [[3, 0], [1, 2]])
    assert not scene.finish(A, first, [[3, 0], [1, 2]])
    scene.end(A, first, "complete")
    assert scene.join(A).assignment is None
    running = scene.rendezvous.running
    assert running is not None
    assert scene.finish(B, second, [[1, 1], [0, 1]])
    assert running.confusion == [[4, 1], [1, 3]]
    assert ends(scene) == [("complete", "")]
    ended = scene.rendezvous.training.ended
    assert ended is not None
    assert (ended.epoch, ended.early) == (1, False)
    assert scene.join(A).done


def test_a_worker_that_has_finished_may_go() -> None:
    """Its executor, too; nobody is blamed."""
    scene = Scene({"epochs": 1})
    first, second = scene.begin(A, B)
    scene.tell(A, first, 1)
    scene.tell(B, second, 1)
    scene.finish(A, first)
    scene.rendezvous.leave(A, "executor lost", scene.now)
    assert ends(scene) == []
    assert scene.finish(B, second)


# Mode threshold


def test_the_others_go_on_without_a_lost_worker() -> None:
    """The next agent that joins gets its rank, and all learn its address."""
    scene = Scene({"mode": "threshold", "workers": 3})
    first, second, third = scene.begin(A, B, C)
    scene.end(B, second, "killed", "why")
    assert ends(scene) == []
    sender = scene.sender(A, first)
    assert scene.rendezvous.assignment(sender).addresses == (f"{A}:7100", "", f"{C}:7100")
    scene.beat(C, third)
    with pytest.raises(StaleAttempt):
        scene.beat(B, second)
    again = scene.join("agent-1.1@d").assignment
    assert again is not None
    assert (again.rank, again.rejoins, again.attempt) == (1, True, 1)
    assert scene.rendezvous.assignment(sender).addresses[1] == "agent-1.1@d:7100"
    (replaced,) = (event for event in scene.record if isinstance(event, WorkerReplaced))
    assert (replaced.member.node, replaced.cause) == ("d", "worker 1 on b: why")
    with pytest.raises(StaleAttempt):
        scene.beat(B, second)


def test_an_epoch_ends_without_a_lost_worker() -> None:
    """As soon as it is lost, if the others wait for nobody else; who rejoins late gets the verdict that was given."""
    scene = Scene({"mode": "threshold"})
    first, second = scene.begin(A, B)
    assert scene.tell(A, first, 1) is None
    scene.save(A, first, 1)
    scene.end(B, second, "killed")
    assert scene.tell(A, first, 1) == Verdict()
    scene.count()
    assert set(scene.kept) == {10}
    again = scene.join(B).assignment
    assert again is not None
    assert scene.tell(B, again, 1) == Verdict()
    assert scene.rendezvous.training.history[0].workers == 1


def test_nobody_waits_for_ever_for_a_successor() -> None:
    """After as long as an attempt waits to begin, another one begins with the workers that are left."""
    scene = Scene({"mode": "threshold", "attempts": {"wait": 30}})
    first, second = scene.begin(A, B)
    scene.end(B, second, "killed", "why")
    for _ in range(2):
        scene.pass_time(14)
        scene.beat(A, first)
    assert ends(scene) == []
    scene.pass_time(3)
    assert ends(scene) == [("lost", "worker 1 on b: why, and nobody took its place in 30 s")]
    with pytest.raises(StaleAttempt):
        scene.beat(A, first)
    assert scene.join(A).assignment is None
    scene.pass_time(15)
    scene.join(A)
    scene.pass_time(16)
    again = scene.join(A).assignment
    assert again is not None
    assert (again.workers, again.attempt, again.rejoins) == (1, 2, False)


def test_the_last_worker_that_is_lost_ends_the_attempt() -> None:
    """There is nobody to catch up with."""
    scene = Scene({"mode": "threshold"})
    first, second = scene.begin(A, B)
    scene.end(B, second, "killed")
    scene.end(A, first, "killed", "too")
    assert ends(scene) == [("killed", "worker 0 on a: too")]


def test_replaced_workers_are_bounded() -> None:
    """As attempts are."""
    scene = Scene({"mode": "threshold", "attempts": {"most": 3}})
    _, second = scene.begin(A, B)
    for _ in range(3):
        scene.end(B, second, "out_of_memory", "why")
        second = scene.join(B).assignment or second
    assert "0 attempts and 3 replaced workers" in str(scene.rendezvous.failure) or "1 attempts" in str(
        scene.rendezvous.failure
    )
    assert scene.rendezvous.running is None


def test_who_was_not_replaced_is_told_in_the_end() -> None:
    """The record has each loss with its cause."""
    scene = Scene({"mode": "threshold", "epochs": 1})
    first, second = scene.begin(A, B)
    scene.end(B, second, "killed", "why")
    scene.tell(A, first, 1)
    assert scene.finish(A, first)
    assert ends(scene) == [("complete", "worker 1 on b: why, and nobody took its place")]


@pytest.mark.parametrize(
    "call",
    [
        lambda scene, sender: scene.rendezvous.assignment(sender),
        lambda scene, sender: (scene.rendezvous.take_part(sender, Position(), "", 0, scene.now), scene.count()),
        lambda scene, sender: scene.rendezvous.take_model(sender),
        lambda scene, sender: scene.rendezvous.finish(sender, None),
        lambda scene, sender: scene.rendezvous.watch(sender, scene.now),
    ],
    ids=["assignment", "take_part", "take_model", "finish", "watch"],
)
def test_who_has_no_seat_is_refused(call: Callable[[Scene, Any], object]) -> None:
    """Of an attempt that is over, and before there is one."""
    scene = Scene()
    first, second = scene.begin(A, B)
    sender = scene.sender(A, first)
    call(scene, sender)
    scene.end(B, second, "killed")
    with pytest.raises(StaleAttempt):
        call(scene, sender)
    scene.begin(A, B)
    with pytest.raises(StaleAttempt, match="worker 0 of attempt 1 on agent-0@a is not wanted any more"):
        call(scene, sender)
