"""Slots with real child processes and a real coordinator, but without a network between them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tinderbox.allowance import JAVA_REST, Share
from tinderbox.errors import StaleAttempt, TinderboxError
from tinderbox.metrics.catalogue import EXAMPLES, HANDOVER_SECONDS, STEP_SECONDS, Metric
from tinderbox.metrics.meter import Meter
from tinderbox.sweeping import routes
from tinderbox.sweeping.child import Over, Work
from tinderbox.sweeping.client import Client
from tinderbox.sweeping.events import CheckpointSaved
from tinderbox.sweeping.history import State
from tinderbox.sweeping.messages import Answer, Ask, Decision, Finish, Heartbeat, Report, Resume
from tinderbox.sweeping.rungs import Ladder
from tinderbox.sweeping.slot import Settings, Slot

MakeWork = Callable[..., Work]
Open = Callable[..., Any]
Eventually = Callable[[Callable[[], bool], float], bool]


@dataclass
class Direct:
    """A slot's door to a coordinator in the same process.

    `watch` is called with each report, `receive` before a state is taken; the next fetches raise `troubles`.
    """

    desk: Any
    watch: Callable[[int, Report], None] = lambda trial, report: None
    receive: Callable[[int, int], None] = lambda trial, epoch: None
    troubles: list[Exception] = field(default_factory=list)
    logs: dict[int, str] = field(default_factory=dict)
    uploads: dict[tuple[int, int], bytes] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    beats: list[Heartbeat] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let one message after the other in."""
        self._lock = threading.Lock()

    def lease(self, ask: Ask) -> Answer:
        """Ask for work."""
        with self._lock:
            return self.desk.coordinator.lease(ask, time.time())

    def report(self, trial: int, report: Report) -> Decision:
        """Deliver a report."""
        self.watch(trial, report)
        with self._lock:
            return self.desk.coordinator.report(trial, report, time.time())

    def finish(self, trial: int, finish: Finish) -> Answer:
        """End an attempt."""
        self.logs[trial] = finish.log
        with self._lock:
            return self.desk.coordinator.finish(trial, finish, time.time())

    def heartbeat(self, beat: Heartbeat) -> Decision:
        """Say that the slot is alive."""
        self.beats.append(beat)
        with self._lock:
            self.desk.coordinator.tick(time.time())
            return self.desk.coordinator.heartbeat(beat, time.time())

    def upload(self, trial: int, attempt: int, epoch: int, slot: str, path: Path) -> None:
        """Take a checkpoint."""
        self.receive(trial, epoch)
        self.uploads[trial, epoch] = path.read_bytes()
        self.folders.append(path.parent)
        name, sha256 = f"{trial}-{attempt}-{epoch}", "00"
        saved = CheckpointSaved(
            time=time.time(), trial=trial, attempt=attempt, epoch=epoch, path=name, sha256=sha256, size=1
        )
        with self._lock:
            self.desk.coordinator.saved(saved, slot)

    def download(self, trial: int, attempt: int, slot: str, resume: Resume, path: Path) -> None:
        """Send a checkpoint."""
        if self.troubles:
            raise self.troubles.pop(0)
        with self._lock:
            assert self.desk.coordinator.resume(trial, attempt, slot) == resume.path
        path.write_bytes(self.uploads[trial, resume.epoch])


SETTINGS = Settings(name="a", node="node", preload=("tinderbox.sweeping.child",))


@pytest.fixture
def open_door(desk: Open) -> Callable[..., Direct]:
    """Return a function that opens a door to a coordinator on real time."""

    def opened(trials: int, **rules: Any) -> Direct:
        made = desk(trials, **rules)
        made.study.resumed = time.time()
        return Direct(made)

    return opened


def test_each_trial_has_its_own_process(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """The child that runs the next trial stands by while one trains, and none is left at the end."""

    def train(trial: Any) -> None:
        import os

        trial.report(2, loss=1.0, pid=os.getpid())

    door, standing_by = open_door(3), list[int | None]()
    slot = Slot(SETTINGS, make_work(train), door)
    door.watch = lambda trial, report: standing_by.append(slot._standby.pid if slot._standby else None)
    assert slot.run() == 3
    pids = [int(trial.reports[2]["pid"]) for trial in door.desk.study.trials.values()]
    assert len({*pids, os.getpid()}) == 4
    assert standing_by[:2] == pids[1:]
    assert all(not Path(f"/proc/{pid}").exists() for pid in (*pids, *standing_by))


def test_a_child_may_run_them_all(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """With reuse all trials have one process, until one of them fails; each has a log of its own."""

    def train(trial: Any) -> None:
        import os

        print(f"this is trial {trial.number}")  # noqa: T201 - what a user may do
        trial.report(1, loss=1.0, pid=os.getpid())
        if trial.number == 1:
            raise ValueError("no")

    door = open_door(4)
    assert Slot(SETTINGS, make_work(train, repeat=True), door).run() == 4
    trials = door.desk.study.trials
    pids = [trials[number].reports[1]["pid"] for number in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert [trials[number].state for number in range(4)] == ["complete", "failed", "complete", "complete"]
    assert door.logs == {number: f"this is trial {number}\n" for number in range(4)}


def test_ways_to_end(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """Each costs its own trial only, and is told in one sentence."""

    def train(trial: Any) -> None:
        import os
        import signal

        if trial.number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.number == 1:
            os._exit(3)
        if trial.number == 2:
            print("x" * 1_000_000 + "the end")  # noqa: T201 - what a user may do
            raise ValueError("no such layer")
        if trial.number == 3:
            return
        trial.report(1, loss=float("nan") if trial.number == 4 else 0.5)
        if trial.number == 4:
            raise AssertionError("a diverged trial is ended by its report")

    door = open_door(6)
    assert Slot(SETTINGS, make_work(train), door).run() == 6
    trials = door.desk.study.trials
    assert [(trials[number].state.value, trials[number].cause) for number in range(6)] == [
        ("failed", "the trial's process was killed by SIGKILL"),
        ("failed", "the trial's process ended with exit code 3 before the function returned"),
        ("failed", "ValueError: no such layer"),
        ("failed", "the function returned without a report; call trial.report(epoch, loss=...)"),
        ("diverged", "loss was nan in epoch 1"),
        ("complete", ""),
    ]
    details = trials[2].attempts[0].details
    assert "in train" in details
    assert "tinderbox/sweeping" not in details
    assert 256 << 10 < len(door.logs[2]) < (256 << 10) + 100
    assert door.logs[2].endswith("xthe end\n")
    assert "bytes left out" in door.logs[2]


def test_states_are_fetched_when_they_are_wanted(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """Of the best so far, after its last epoch, in the place of the one before; what the child wrote is removed."""

    def train(trial: Any) -> None:
        loss = (0.5, 0.9, 0.1)[trial.number]
        for epoch in (1, 2):
            trial.report(epoch, checkpoint=lambda file, e=epoch: file.write(b"%d" % e) and None, loss=loss)

    door = open_door(3)
    Slot(SETTINGS, make_work(train), door).run()
    assert door.uploads == {(0, 2): b"2", (2, 2): b"2"}
    assert [folder.exists() for folder in door.folders] == [False, False]
    checkpoints = [trial.checkpoint for trial in door.desk.study.trials.values()]
    assert [checkpoint and checkpoint.epoch for checkpoint in checkpoints] == [None, None, 2]


def test_a_slot_that_was_given_up_drops_its_trial(
    open_door: Callable[..., Direct], make_work: MakeWork, tmp_path: Path
) -> None:
    """Its child is ended in the middle, it asks for work again, and the trial's next attempt has all the say."""
    mark = tmp_path / "was here"

    def train(trial: Any) -> None:
        import time

        trial.report(1, loss=0.5)
        if not mark.exists():
            mark.touch()
            time.sleep(60)

    door = open_door(1)

    def give_up(trial: int, report: Report) -> None:
        if report.attempt == 1:
            leave = door.desk.coordinator.leave
            threading.Timer(0.5, leave, ("a", "its pod was deleted", time.time())).start()

    door.watch = give_up
    began = time.monotonic()
    assert Slot(SETTINGS, make_work(train), door).run() == 2
    assert time.monotonic() - began < 15
    trial = door.desk.study.trials[0]
    assert [attempt.outcome for attempt in trial.attempts] == ["lost", "complete"]
    assert trial.attempts[0].cause == "slot a on node left: its pod was deleted"


@pytest.mark.parametrize("repeat", [False, True])
def test_a_slot_ends_a_trial_whose_time_is_up(
    open_door: Callable[..., Direct], make_work: MakeWork, repeat: bool
) -> None:
    """It need not wait for a report."""

    def train(trial: Any) -> None:
        import time

        trial.report(1, loss=0.5)
        time.sleep(60)

    door = open_door(1, seconds=4.0)
    began = time.monotonic()
    assert Slot(SETTINGS, make_work(train, repeat), door).run() == 1
    assert time.monotonic() - began < 30
    trial = door.desk.study.trials[0]
    assert (trial.state, trial.attempts[0].outcome) == (State.WAITING, "released")
    assert trial.cause == "the study's time is used up"


def test_what_is_done_counts_though_the_time_is_up(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """A function that ended before its slot could stop it is complete."""

    class Done:
        """A child whose function has just ended."""

        def receive(self, timeout: float) -> Over:
            return Over("complete")

    door = open_door(1)
    slot = Slot(SETTINGS, make_work(lambda trial: None), door)
    slot._verdict = "stop"
    assert slot._relay(door.desk.take("a"), Done()) == Over("complete")  # type: ignore[arg-type]


def test_a_child_that_was_ended_runs_no_other_trial(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """With reuse, a study whose time is raised when it was up gives the slot another trial, for a child that lives."""

    def train(trial: Any) -> None:
        import time

        time.sleep(60)

    door = open_door(1)
    slot = Slot(SETTINGS, make_work(train, repeat=True), door)
    child, lease = slot._nursery.start(), door.desk.take("a")
    slot._verdict = "stop"
    over = slot._relay(lease, child)
    slot._put_back(child, over)
    assert (over.outcome, slot._standby, slot._retired) == ("paused", None, child)


def test_heartbeats_carry_what_is_new(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """The log is sent while the trial runs, and again only when there is more of it."""

    def train(trial: Any) -> None:
        import time

        print("hello", flush=True)  # noqa: T201 - what a user may do
        time.sleep(2)
        trial.report(1, loss=0.5)

    door = open_door(1)
    Slot(SETTINGS, make_work(train), door).run()
    beats = [beat for beat in door.beats if beat.trial == 0]
    assert [beat.log for beat in beats if beat.log] == ["hello\n"]
    assert len(beats) >= 2
    assert {(beat.slot, beat.attempt) for beat in beats} == {("a", 1)}


def test_a_door_that_is_closed_ends_the_slot(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """The error is the slot's end, and its children's."""

    def train(trial: Any) -> None:
        import os
        import time

        trial.report(1, loss=0.5, pid=os.getpid())
        time.sleep(60)

    door, pids = open_door(1), list[int]()

    def break_down(trial: int, report: Report) -> None:
        pids.append(int(report.metrics["pid"]))
        raise TinderboxError("HTTP 500")

    door.watch = break_down
    slot = Slot(SETTINGS, make_work(train), door)
    with pytest.raises(TinderboxError, match="HTTP 500"):
        slot.run()
    assert slot._standby is not None
    assert [Path(f"/proc/{pid}").exists() for pid in (*pids, slot._standby.pid)] == [False, False]


# States


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which a slot keeps what passes through it."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def count_up(trial: Any) -> None:
    """Count epochs, from a checkpoint if there is one, and tell in which process and from where."""
    import os

    told, done = ("", 0) if trial.checkpoint is None else (trial.checkpoint.read_text(), trial.epoch)
    for epoch in range(done + 1, trial.epochs + 1):
        told += str(epoch)
        metrics = {"loss": 1 / epoch + trial.number, "told": float(told), "began": float(done), "pid": os.getpid()}
        trial.report(epoch, checkpoint=lambda file, told=told: file.write(told.encode()) and None, **metrics)


def reports(door: Direct, trial: int, metric: str) -> list[float]:
    """Return what a trial reported, epoch by epoch."""
    return [value for _, value in door.desk.study.trials[trial].curve(metric)]


def lose_after(door: Direct, epoch: int) -> None:
    """Let the coordinator give the slot up when its trial's first attempt reports an epoch."""

    def watch(trial: int, report: Report) -> None:
        if (report.attempt, report.epoch) == (1, epoch):
            door.desk.coordinator.leave("a", "its pod was deleted", time.time())

    door.watch = watch


def test_a_trial_goes_on_from_its_checkpoint(
    open_door: Callable[..., Direct], make_work: MakeWork, scratch: Path
) -> None:
    """The state of its last safe epoch is handed to the next child, and each epoch is reported once."""
    door = open_door(1, epochs=5, checkpoint_epochs=2)
    lose_after(door, 4)
    assert Slot(SETTINGS, make_work(count_up), door).run() == 2
    trial = door.desk.study.trials[0]
    assert ([attempt.outcome for attempt in trial.attempts], trial.state) == (["lost", "complete"], State.COMPLETE)
    assert reports(door, 0, "told") == [1, 12, 123, 1234, 12345]
    assert reports(door, 0, "began") == [0, 0, 2, 2, 2]
    assert list(scratch.iterdir()) == []


def test_a_function_that_does_not_look_for_its_checkpoint(
    open_door: Callable[..., Direct], make_work: MakeWork
) -> None:
    """It trains all epochs again, and those that are in the record already are not reported twice."""

    def train(trial: Any) -> None:
        for epoch in range(1, trial.epochs + 1):
            trial.report(epoch, checkpoint=lambda file: None, loss=1 / epoch)

    door, told = open_door(1, epochs=5, checkpoint_epochs=2), list[tuple[int, int]]()
    lose_after(door, 4)
    lose = door.watch

    def note(trial: int, report: Report) -> None:
        told.append((report.attempt, report.epoch))
        lose(trial, report)

    door.watch = note
    assert Slot(SETTINGS, make_work(train), door).run() == 2
    assert told == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (2, 5)]
    assert door.desk.study.trials[0].state is State.COMPLETE


def test_a_trial_that_was_lost_after_its_last_epoch(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """Nothing is left to train, so it is complete with what it reported, and has not failed for lack of a report."""
    door = open_door(1, epochs=3, checkpoint_epochs=1)
    finish = door.finish

    def lose(trial: int, ending: Finish) -> Answer:
        if ending.attempt == 1:
            door.desk.coordinator.leave("a", "its pod was deleted", time.time())
        return finish(trial, ending)

    door.finish = lose  # type: ignore[method-assign]
    assert Slot(SETTINGS, make_work(count_up), door).run() == 2
    trial = door.desk.study.trials[0]
    assert (trial.state, trial.attempts[1].outcome, trial.cause) == (State.COMPLETE, "complete", "")
    assert reports(door, 0, "told") == [1, 12, 123]


@pytest.mark.parametrize("repeat", [False, True])
def test_a_paused_trial_gives_way_and_goes_on(
    open_door: Callable[..., Direct], make_work: MakeWork, repeat: bool
) -> None:
    """The function ends where it reports, its process may run the next trial, and the promoted one has its state."""
    door = open_door(3, epochs=4, ladder=Ladder(2, 2, 4))
    assert Slot(SETTINGS, make_work(count_up, repeat), door).run() == 4
    trials = door.desk.study.trials
    assert [trial.state for trial in trials.values()] == [State.COMPLETE, State.PAUSED, State.PAUSED]
    assert [attempt.outcome for attempt in trials[0].attempts] == ["paused", "complete"]
    assert reports(door, 0, "began") == [0, 0, 2, 2]
    assert reports(door, 0, "told") == [1, 12, 123, 1234]
    pids = {pid for number in trials for pid in reports(door, number, "pid")}
    assert len(pids) == (1 if repeat else 4)


def test_a_state_goes_there_and_back_over_a_network(
    serve: Callable[..., AbstractContextManager[Any]],
    make_job: Callable[..., Any],
    make_work: MakeWork,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through a real server: three trials are paused with their states, and one of them goes on from its own."""
    monkeypatch.setattr(routes, "HEARTBEAT_SECONDS", 0.2)  # the last one would hold up the server's end
    with serve(make_job(epochs=4), ladder=Ladder(2, 2, 4)) as running:
        assert Slot(SETTINGS, make_work(count_up), Client(running.url, running.token)).run() == 4
        assert running.server.wait(10)
        study = running.server.coordinator.study
        assert [trial.state for trial in study.trials.values()] == [State.COMPLETE, State.PAUSED, State.PAUSED]
        assert [value for _, value in study.trials[0].curve("told")] == [1, 12, 123, 1234]
        assert [value for _, value in study.trials[0].curve("began")] == [0, 0, 2, 2]
        kept = {trial.checkpoint.path for trial in study.trials.values()}
    assert set(running.files.checkpoints) == kept


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("error", [TinderboxError("HTTP 500"), OSError(28, "No space left on device")])
def test_a_state_that_cannot_be_fetched(
    open_door: Callable[..., Direct], make_work: MakeWork, error: Exception, repeat: bool
) -> None:
    """It is no fault of the function: told with its cause, and tried again; the child that never began is kept."""
    door = open_door(1, epochs=5, checkpoint_epochs=2)
    lose_after(door, 4)
    door.troubles = [error, error]
    slot = Slot(SETTINGS, make_work(count_up, repeat), door)
    assert slot.run() == 4
    trial = door.desk.study.trials[0]
    assert [attempt.outcome for attempt in trial.attempts] == ["lost", "infrastructure", "infrastructure", "complete"]
    assert trial.attempts[1].cause == f"its checkpoint could not be fetched: {error}"
    assert reports(door, 0, "told") == [1, 12, 123, 1234, 12345]


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("error", [TinderboxError("storage did not take its 3 bytes"), OSError(28, "No space left")])
def test_a_state_that_cannot_be_saved(
    open_door: Callable[..., Direct], make_work: MakeWork, error: Exception, repeat: bool
) -> None:
    """It ends the attempt, told with its cause, and not the slot, which goes on from the state before it."""
    door, troubles = open_door(2, epochs=5, checkpoint_epochs=2), [error]

    def refuse(trial: int, epoch: int) -> None:
        if (trial, epoch) == (0, 4) and troubles:
            raise troubles.pop()

    door.receive = refuse
    assert Slot(SETTINGS, make_work(count_up, repeat), door).run() == 3
    trial = door.desk.study.trials[0]
    assert [attempt.outcome for attempt in trial.attempts] == ["infrastructure", "complete"]
    assert trial.attempts[0].cause == f"its state could not be saved: {error}"
    assert reports(door, 0, "told") == [1, 12, 123, 1234, 12345]
    assert [folder.exists() for folder in door.folders] == [False] * len(door.folders)


def test_a_child_that_never_began_takes_the_place_of_none(
    open_door: Callable[..., Direct], make_work: MakeWork
) -> None:
    """The one before it, which has ended, is cleared away with all that it started."""
    door = open_door(2, epochs=4, ladder=Ladder(2, 2, 4), most_losses=9)
    door.troubles = [TinderboxError("HTTP 500")]
    slot, waiting = Slot(SETTINGS, make_work(count_up), door), list[Any]()
    put_back = slot._put_back

    def note(child: Any, over: Over) -> None:
        put_back(child, over)
        waiting.append((over.outcome, slot._standby, slot._retired))

    slot._put_back = note  # type: ignore[method-assign]
    slot.run()
    (place,) = [index for index, (outcome, _, _) in enumerate(waiting) if outcome == "infrastructure"]
    assert waiting[place][1] is waiting[place - 1][1]
    assert waiting[place][2] is waiting[place - 1][2]


def test_an_attempt_that_was_given_up_while_its_state_came(
    open_door: Callable[..., Direct], make_work: MakeWork
) -> None:
    """Its slot asks for work again, and the trial goes on from the same state."""
    door = open_door(1, epochs=5, checkpoint_epochs=2)
    lose_after(door, 4)
    door.troubles = [StaleAttempt("attempt 2 of trial 0 is over")]
    assert Slot(SETTINGS, make_work(count_up), door).run() == 3
    assert reports(door, 0, "told") == [1, 12, 123, 1234, 12345]


def test_a_child_that_is_killed_while_its_state_is_uploaded(
    open_door: Callable[..., Direct], make_work: MakeWork, scratch: Path
) -> None:
    """What arrived is safe, the trial has failed with the signal, and the next one has a child of its own."""
    door, pids = open_door(2, epochs=3, checkpoint_epochs=1), list[int]()
    door.watch = lambda trial, report: pids.append(int(report.metrics["pid"]))

    def kill(trial: int, epoch: int) -> None:
        if (trial, epoch) == (0, 2):
            os.kill(pids[-1], signal.SIGKILL)

    door.receive = kill
    assert Slot(SETTINGS, make_work(count_up), door).run() == 2
    first, second = door.desk.study.trials.values()
    assert (first.state, first.cause) == (State.FAILED, "the trial's process was killed by SIGKILL")
    assert (0, 2) in door.uploads
    assert second.state is State.COMPLETE
    assert list(scratch.iterdir()) == []


def test_a_state_that_is_cut_short_leaves_nothing_behind(
    open_door: Callable[..., Direct], make_work: MakeWork, scratch: Path
) -> None:
    """A child may die while it writes its state, which may be large."""

    def train(trial: Any) -> None:
        import os

        def save(file: Any) -> None:
            file.write(b"x" * 100_000)
            file.flush()
            os._exit(3)

        trial.report(1, checkpoint=save, loss=1.0)

    door = open_door(1, epochs=3, checkpoint_epochs=1)
    Slot(SETTINGS, make_work(train), door).run()
    assert door.desk.study.trials[0].cause.startswith("the trial's process ended with exit code 3")
    assert list(scratch.iterdir()) == []


# Memory, and machines that go


@pytest.mark.parametrize("repeat", [False, True])
def test_a_trial_that_holds_too_much_is_ended(
    open_door: Callable[..., Direct], make_work: MakeWork, monkeypatch: pytest.MonkeyPatch, repeat: bool
) -> None:
    """By itself or by what it has started, for good and alone; what a trial holds is told with each heartbeat."""

    def train(trial: Any) -> None:
        import os
        import time

        if trial.number == 0:
            held = b"x" * (400 << 20)
        if trial.number == 1 and os.fork() == 0:
            held = b"x" * (400 << 20)
        if trial.number == 2:
            held = b"x" * (64 << 20)
        time.sleep(60 if trial.number < 2 else 2)
        trial.report(1, loss=float(len(held)))

    monkeypatch.setattr("tinderbox.allowance.anonymous", lambda pid: 50 << 20)
    share = Share(limit=(300 << 20) + JAVA_REST + (1 << 30), heap=1 << 30, slots=1)
    door, began = open_door(3), time.monotonic()
    assert Slot(replace(SETTINGS, share=share), make_work(train, repeat), door).run() == 3
    assert time.monotonic() - began < 20
    trials = door.desk.study.trials
    assert [[attempt.outcome for attempt in trials[number].attempts] for number in range(3)] == [
        ["out_of_memory"],
        ["out_of_memory"],
        ["complete"],
    ]
    assert [trials[number].state for number in range(3)] == [State.FAILED, State.FAILED, State.COMPLETE]
    told = r"the trial's processes held [2-5]\d\d MiB, and may hold 200 MiB in an executor of 1,580 MiB with one slot; "
    assert all(re.match(told, trials[number].cause) for number in (0, 1)), trials
    assert 64 << 20 < max(beat.memory for beat in door.beats if beat.trial == 2) < 200 << 20


def test_a_trial_that_the_kernel_kills_for_memory(
    open_door: Callable[..., Direct], make_work: MakeWork, tmp_path: Path
) -> None:
    """It is told apart from any other SIGKILL by what the container's control group counts."""
    counted = tmp_path / "memory.events"

    def train(trial: Any) -> None:
        import os
        import signal

        if trial.number == 0:
            counted.write_text("oom 1\noom_kill 4\n")
        os.kill(os.getpid(), signal.SIGKILL)

    counted.write_text("oom 0\noom_kill 3\n")
    (tmp_path / "memory.max").write_text(f"{3 << 30}\n")
    door = open_door(2)
    assert Slot(replace(SETTINGS, cgroups=tmp_path), make_work(train), door).run() == 2
    first, second = door.desk.study.trials.values()
    assert (first.attempts[-1].outcome, second.attempts[-1].outcome) == ("out_of_memory", "failed")
    assert first.cause == (
        "the kernel killed the trial's process, for its executor had used up its memory limit of 3,072 MiB; "
        "give executors more memory, put fewer slots on each, or take smaller batches"
    )
    assert second.cause == "the trial's process was killed by SIGKILL"


@pytest.mark.parametrize("saves", [True, False])
def test_a_slot_whose_machine_is_taken_away(open_door: Callable[..., Direct], make_work: MakeWork, saves: bool) -> None:
    """It says so though a heartbeat is held back; its trial is paused, or ends where it saves nothing, and it ends."""

    def train(trial: Any) -> None:
        import time

        for epoch in range(1, 21):
            trial.report(epoch, checkpoint=(lambda file: file.write(b"state")) if saves else None, loss=0.5)
            time.sleep(0.1)

    class Patient(Direct):
        """Holds heartbeats back as the coordinator's server does."""

        def heartbeat(self, beat: Heartbeat) -> Decision:
            decision = super().heartbeat(beat)
            time.sleep(0.0 if beat.leaving else 60.0)
            return decision

    door, notice = Patient(open_door(2, epochs=20).desk), threading.Event()
    door.watch = lambda trial, report: notice.set() if report.epoch == 5 else None
    slot = Slot(SETTINGS, make_work(train), door, notice.is_set)
    assert (slot.run(), slot.leaving) == (1, True)
    trial = door.desk.study.trials[0]
    if saves:
        assert (trial.state, trial.attempts[0].outcome) == (State.WAITING, "released")
        assert 5 < trial.checkpoint.epoch < 15
    else:
        assert (trial.state, trial.epoch) == (State.COMPLETE, 20)
    assert door.desk.study.trials[1].state is State.WAITING


def test_a_slot_on_a_machine_that_is_being_taken_away(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """It takes no work at all."""
    door = open_door(1)
    slot = Slot(SETTINGS, make_work(lambda trial: None), door, lambda: True)
    assert (slot.run(), slot.leaving) == (0, True)
    assert door.desk.coordinator.roster.slots == {}


# Counts


class Count(Meter):
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("r", None)
        self.examples, self.steps, self.handovers, self.flushed = 0.0, 0.0, list[float](), 0

    def count(self, metric: Metric, amount: float, *labels: str) -> None:
        """Add examples up."""
        assert (metric, labels) == (EXAMPLES, ("sweep",))
        self.examples += amount

    def merge(self, metric: Metric, amounts: list[float]) -> None:
        """Add steps up."""
        assert metric is STEP_SECONDS
        self.steps += sum(amounts[:-1])

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Keep the time of a handover."""
        assert (metric, labels) == (HANDOVER_SECONDS, ())
        self.handovers.append(value)

    def flush(self, patience: float = 0.5) -> None:
        """Note that nothing more is to come."""
        self.flushed += 1


@pytest.mark.parametrize("repeat", [False, True])
def test_what_trials_count_is_there_whatever_ends_them(
    open_door: Callable[..., Direct], make_work: MakeWork, repeat: bool
) -> None:
    """One that is killed takes nothing with it of what it has told with its reports, or a second ago."""

    def train(trial: Any) -> None:
        import os
        import signal
        import time

        for epoch in range(1, 3):
            trial.count(30, 0.1)
            trial.report(epoch, loss=1.0)
        if trial.number == 1:
            time.sleep(1.1)
            trial.count(4, 0.1)
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.number == 2:
            trial.count(1000, 0.1)
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.number == 3:
            trial.count(5, 0.1)
            raise ValueError("no")

    door, meter = open_door(5, epochs=3), Count()
    assert Slot(SETTINGS, make_work(train, repeat), door, meter=meter).run() == 5
    assert (meter.examples, meter.steps) == (5 * 60 + 4 + 5, 5 * 2 + 2)
    assert meter.flushed == 1


def test_a_handover_is_from_end_to_start(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """Of one trial to that of the next one, and the time of an attempt that was given up is no part of it."""

    def train(trial: Any) -> None:
        import time

        trial.report(1, loss=0.5)
        time.sleep(0.2 if trial.number != 1 else 2.0)
        trial.report(2, loss=0.5)

    door, meter = open_door(3), Count()

    def give_up(trial: int, report: Report) -> None:
        if (trial, report.attempt, report.epoch) == (1, 1, 2):
            door.desk.coordinator.leave("a", "its pod was deleted", time.time())

    door.watch = give_up
    assert Slot(SETTINGS, make_work(train), door, meter=meter).run() == 4
    outcomes = [attempt.outcome for trial in door.desk.study.trials.values() for attempt in trial.attempts]
    assert outcomes == ["complete", "lost", "complete", "complete"]
    assert len(meter.handovers) == 2, "to trial 1, and between the last two"
    assert max(meter.handovers) < 1.5


def test_a_slot_that_has_to_wait_hands_nothing_over(open_door: Callable[..., Direct], make_work: MakeWork) -> None:
    """The time without a trial is the study's, and not the slot's."""
    door, meter = open_door(2, proposed=False), Count()
    door.desk.propose()
    finish = door.finish

    def propose() -> None:
        with door._lock:  # as the server's loop does: amid a proposal a study may look as if it were over
            door.desk.propose()

    def propose_later(trial: int, ending: Finish) -> Answer:
        answer = finish(trial, ending)
        if not door.desk.study.open and len(door.desk.study.trials) < 2:
            threading.Timer(1.0, propose).start()
        return answer

    door.finish = propose_later  # type: ignore[method-assign]
    assert Slot(SETTINGS, make_work(lambda trial: trial.report(2, loss=0.5)), door, meter=meter).run() == 2
    assert meter.handovers == []


SLOT_PROCESS = """
import sys, time
from pathlib import Path
from tinderbox.sweeping.child import Work
from tinderbox.sweeping.messages import Answer, Decision, Lease
from tinderbox.sweeping.objective import Objective
from tinderbox.sweeping.slot import Settings, Slot

class Door:
    def lease(self, ask):
        return Answer(lease=Lease(trial=0, attempt=1, parameters={}, seed=0, epochs=9))
    def heartbeat(self, beat):
        return Decision()
    def report(self, trial, report):
        print(int(report.metrics["pid"]), slot._standby.pid, flush=True)
        return Decision()

folder = Path(sys.argv[1])
work = Work(Objective("endless:train"), ("loss",), folder / "code", folder / "data", False)
slot = Slot(Settings("a", "node", ("tinderbox.sweeping.child",)), work, Door())
slot.run()
"""

ENDLESS = """
import os, subprocess, time
def train(trial):
    subprocess.Popen(["sleep", "300"])
    trial.report(1, loss=0.5, pid=os.getpid())
    while True:
        time.sleep(0.01)
"""


def test_children_end_with_their_slot(
    tmp_path: Path, make_work: MakeWork, eventually: Eventually, processes: Callable[[], dict[int, str]]
) -> None:
    """Killed by SIGKILL, a slot says nothing to anybody: its children, and theirs, end within a second or so."""
    make_work(lambda trial: None)
    (tmp_path / "endless.py").write_text(ENDLESS)
    before = set(processes())
    slot = subprocess.Popen(
        [sys.executable, "-c", SLOT_PROCESS, tmp_path],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        text=True,
    )
    try:
        assert slot.stdout is not None
        pids = [int(pid) for pid in slot.stdout.readline().split()]
        started = set(processes()) - before
        assert {slot.pid, *pids} <= started
        assert len(pids) == 2
        assert eventually(lambda: any("sleep 300" in command for command in processes().values()), 5)
    finally:
        slot.kill()
        slot.communicate()
    assert eventually(lambda: not started & set(processes()), 2)
