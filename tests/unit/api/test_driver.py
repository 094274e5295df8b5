"""The driver ends its slots however a study ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tinderbox.api import driver
from tinderbox.api.driver import address_of, lose, opened_slots
from tinderbox.api.guard import guarded
from tinderbox.api.opening import opened_server
from tinderbox.api.plan import Plan, make_plan
from tinderbox.config import check_sweep
from tinderbox.data import from_arrays
from tinderbox.errors import NoExecutor, Superseded, TinderboxError
from tinderbox.spark import slots
from tinderbox.spark.jobs import LEAVING
from tinderbox.storage import StudyFolder
from tinderbox.sweeping.messages import Ask
from tinderbox.sweeping.status import take_status
from tinderbox.sweeping.study import SlotLife, Study


class Jobs:
    """Stands for the slots on Spark; keeps what was asked of it."""

    def __init__(
        self, spark: object, plan: slots.SlotPlan, archive: bytes, count: int, left: Callable[[str, str], bool]
    ) -> None:
        self.plan, self.count, self.left = plan, count, left
        self.asked: list[str] = []
        self.failure: TinderboxError | None = None

    def scale(self, count: int, neighbours: int) -> None:
        """Note it."""
        self.asked.append(f"scale {count}")

    def start(self) -> None:
        """Note it."""
        self.asked.append("start")

    def stop(self, grace: float) -> None:
        """Note it."""
        self.asked.append("stop")


class Server:
    """A server whose record another driver has taken over."""

    def __init__(self) -> None:
        self.coordinator = SimpleNamespace(study=Study("loss", "minimize", resumed=50.0))

    def start(self, host: str, port: int) -> int:
        """Return a port."""
        return port or 4040

    def call(self, action: object) -> None:
        """Refuse."""
        raise Superseded("a later driver has taken over")


@pytest.fixture
def plan(recorded: StudyFolder) -> Plan:
    """A plan."""
    data = from_arrays({"x": np.zeros((40, 2)), "y": np.arange(40) % 2})
    return make_plan(check_sweep(recorded.read_job(), "test"), Path(), lambda trial: None, data)


def context(master: str, **settings: str) -> Any:
    """Return what is asked of a Spark context."""
    return SimpleNamespace(master=master, getConf=lambda: settings)


def test_slots_end_though_the_record_cannot_be_written(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that was superseded tells nothing more, and still ends its slots."""
    monkeypatch.setattr(slots, "SlotJobs", Jobs)
    opening = opened_slots(plan, context("local[2]"), cast("Any", Server()), "secret")
    jobs = cast("Jobs", opening.__enter__())
    assert jobs.left("slot-0", "it broke") is False
    with pytest.raises(Superseded, match="a later driver"):
        opening.__exit__(None, None, None)
    assert jobs.asked == ["start", "stop"]
    assert jobs.plan.url == "http://127.0.0.1:4040"
    assert jobs.plan.data == plan.run.data


@dataclass
class Looks:
    """Does something at each look of a driver at its study, and stops it after the last one."""

    acts: list[Callable[[], None]]

    def show(self, status: object, study: object) -> None:
        """Do what comes next."""
        if not self.acts:
            raise KeyboardInterrupt
        self.acts.pop(0)()

    def tell(self, step: str) -> None:
        """Do nothing."""


@pytest.fixture
def _without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a driver run without Spark, look often, and wait for nothing."""
    monkeypatch.setattr(driver, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(driver, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(slots, "SlotJobs", Jobs)
    monkeypatch.setattr("tinderbox.spark.session.check_java", lambda: None)
    monkeypatch.setattr("tinderbox.spark.session.want_executors", lambda spark, job: None)


@pytest.mark.usefixtures("_without_spark")
def test_a_slot_that_joins_when_fewer_are_wanted_is_let_go(plan: Plan, recorded: StudyFolder) -> None:
    """It was starting while the job file was edited, and the coordinator did not know it yet."""
    told = list[list[bool]]()
    edits = iter([plan.job.model_copy(update={"slots": 1})])
    spark = cast("Any", SimpleNamespace(sparkContext=context("local[2]")))

    with opened_server(plan, recorded, "secret") as server:

        def ask(request: int) -> None:
            """Let two slots ask for work."""
            asks = [Ask(slot=f"slot-{number}", node="node", request=request) for number in range(2)]
            told.append(server.call(lambda coordinator: [coordinator.lease(one, time.time()).done for one in asks]))

        looks = Looks([lambda: ask(1), lambda: ask(2)])
        with pytest.raises(KeyboardInterrupt):
            driver.run_sweep(plan, server, "secret", spark, looks, lambda job: next(edits, None))
    assert told == [[False, False], [False, True]]


@pytest.mark.parametrize(("looks", "seconds"), [(0, 0.0), (2, 0.02), (10**6, 0.1)])
def test_a_driver_that_is_to_stop_waits_a_while(monkeypatch: pytest.MonkeyPatch, looks: int, seconds: float) -> None:
    """While trials may pause, and no longer than it may."""
    monkeypatch.setattr(driver, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(driver, "PAUSE_SECONDS", 0.1)
    asked = list[str]()

    class Ending:
        def suspend(self) -> None:
            asked.append("suspend")

        @property
        def may_pause(self) -> bool:
            asked.append("may pause")
            return len(asked) <= looks + 1

    server = SimpleNamespace(call=lambda action: action(Ending()))
    began = time.monotonic()
    driver.pause(cast("Any", server))
    assert time.monotonic() - began >= seconds
    assert asked[0] == "suspend"
    assert len(asked) <= looks + 2
    assert time.monotonic() - began < 5


def test_a_slot_has_worked_if_it_came_to_this_driver(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot of the same name under an earlier driver is another slot."""
    monkeypatch.setattr(slots, "SlotJobs", Jobs)
    server = Server()
    monkeypatch.setattr(server, "call", lambda action: None)
    lives = server.coordinator.study.slots
    with opened_slots(plan, context("local[2]"), cast("Any", server), "secret") as jobs:
        left = cast("Jobs", jobs).left
        lives.append(SlotLife("slot-0", "node", joined=10.0, left=20.0))
        assert not left("slot-0", "it broke")
        lives.append(SlotLife("slot-0", "node", joined=60.0))
        assert left("slot-0", "it broke")


@pytest.mark.parametrize(
    ("master", "host", "address"),
    [
        ("local[2]", "10.0.0.7", "127.0.0.1"),
        ("local-cluster[2,1,1024]", "10.0.0.7", "127.0.0.1"),
        ("spark://there:7077", "10.0.0.7", "10.0.0.7"),
    ],
)
def test_slots_reach_the_driver(master: str, host: str, address: str) -> None:
    """On one machine by the loopback address, elsewhere by the one that Spark has."""
    assert address_of(context(master, **{"spark.driver.host": host})) == address


@pytest.mark.parametrize(
    ("master", "told"),
    [
        ("spark://there:7077", "no executor came within -1 s: spark://there:7077 gives none; see on its web page"),
        ("local[2]", ""),
    ],
)
def test_a_master_that_gives_no_executor(master: str, told: str) -> None:
    """A study ends when no slot has joined in time, but on this machine, where one always will; one slot is enough."""
    conf = {"spark.tinderbox.executor.startTimeout": "-1"}
    spark = cast("Any", SimpleNamespace(master=master, getConf=lambda: conf))
    status = take_status(Study("loss", "minimize"), 5, None, slots=0, now=0.0)
    with guarded(spark, 2) as check:
        check(replace(status, slots=1))
        check(status)
    with (
        guarded(spark, 2) as check,
        pytest.raises(NoExecutor, match=told) if told else nullcontext(),
    ):
        check(status)


@pytest.mark.parametrize("out_of_memory", [False, True])
def test_a_pod_that_died_is_told_to_the_coordinator(monkeypatch: pytest.MonkeyPatch, out_of_memory: bool) -> None:
    """With its cause, and whether the trial that ran there was too large for it."""
    told: list[tuple[object, ...]] = []
    coordinator = SimpleNamespace(lose_host=lambda pod, cause, now, memory: told.append((pod, cause, memory)))
    server = SimpleNamespace(call=lambda action: action(coordinator))

    def watch(namespace: str, application: str, on_death: Callable[[str, str, bool], None]) -> Any:
        on_death("e1", f"an executor of {application} in {namespace} died", out_of_memory)
        return SimpleNamespace(stop=lambda: None)

    monkeypatch.setattr("tinderbox.kube.watch.watch_executors", watch)
    spark = SimpleNamespace(
        master="k8s://here", applicationId="spark-1", getConf=lambda: {"spark.kubernetes.namespace": "ml"}
    )
    with guarded(cast("Any", spark), 2, partial(lose, cast("Any", server))):
        assert told == [("e1", "an executor of spark-1 in ml died", out_of_memory)]


@pytest.mark.parametrize(
    ("master", "cause", "outcome"),
    [
        ("k8s://here", "ExecutorLostFailure", "out_of_memory"),
        ("k8s://here", LEAVING, "lost"),
        ("spark://there:7077", "ExecutorLostFailure", "lost"),
    ],
)
def test_spark_misses_an_executor_before_its_pod_says_why(
    plan: Plan, recorded: StudyFolder, monkeypatch: pytest.MonkeyPatch, master: str, cause: str, outcome: str
) -> None:
    """The pod's word wins where it comes soon after, and is not waited for where there is none to come."""
    monkeypatch.setattr(slots, "SlotJobs", Jobs)
    ask = Ask(slot="slot-0", node="node", request=1, host="pod-1")

    def wait(seconds: float) -> None:
        """Let the pod's word come in this time."""
        assert seconds == driver.POD_GRACE_SECONDS
        server.call(lambda coordinator: coordinator.lose_host("pod-1", "OOMKilled", time.time(), out_of_memory=True))

    with (
        opened_server(plan, recorded, "secret") as server,
        opened_slots(plan, context(master, **{"spark.driver.host": "127.0.0.1"}), server, "secret") as jobs,
    ):
        assert server.call(lambda coordinator: coordinator.lease(ask, time.time())).lease is not None
        monkeypatch.setattr(time, "sleep", wait)
        assert cast("Jobs", jobs).left("slot-0", cause) is True
        attempts = server.coordinator.study.trials[4].attempts
        assert [attempt.outcome for attempt in attempts] == [outcome]


@pytest.mark.usefixtures("_without_spark")
def test_a_job_file_that_is_edited_as_its_study_ends(plan: Plan, recorded: StudyFolder) -> None:
    """It is not taken over, nor kept with a study that does not go on by it."""
    spark = cast("Any", SimpleNamespace(sparkContext=context("local[2]")))

    def edit(job: object) -> None:
        raise AssertionError(job)

    with opened_server(plan, recorded, "secret") as server:
        server.coordinator.study.finished = time.time()
        driver.run_sweep(plan, server, "secret", spark, Looks([lambda: None]), edit)


def test_slots_keep_states_in_the_place_of_their_study(
    plan: Plan, recorded: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver takes states from where it sends slots with them, whichever driver it is."""
    monkeypatch.setattr(slots, "SlotJobs", Jobs)
    checkpoints = plan.job.checkpoints.model_copy(update={"storage": str(tmp_path / "shared")})
    plan = replace(plan, job=plan.job.model_copy(update={"checkpoints": checkpoints}))
    for _ in range(2):
        with (
            opened_server(plan, recorded, "secret") as server,
            opened_slots(plan, context("local[2]"), server, "secret") as jobs,
        ):
            place = f"{tmp_path}/shared/small/19700101T000140.000000Z"  # which began at 100 s
            assert cast("partial[Any]", cast("Jobs", jobs).plan.door).args == (place,)
            assert recorded.takes_state(f"{place}/checkpoints/trial-00004/attempt-1-epoch-1")
