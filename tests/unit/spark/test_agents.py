"""What an agent of a training is told in its executor, and how it is kept there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from pyspark.resource import ResourceInformation

from tinderbox.allowance import Share
from tinderbox.config import check_train
from tinderbox.data import Dataset, Examples, open_packed, pack
from tinderbox.spark import agents
from tinderbox.spark.agents import AgentPlan, agent_jobs, hold_agent
from tinderbox.spark.rounds import Telling
from tinderbox.training.channel import Channel
from tinderbox.training.recipe import Recipe
from tinderbox.training.records import Assignment
from tinderbox.training.worker.ports import PORTS

JOB = check_train(
    {"kind": "train", "name": "small", "model": "lenet5", "epochs": 3, "workers": 3, "cores": 2, "preload": ["json"]},
    "",
)
RECIPE = Recipe(JOB, None, None, (2,), 2, 5, 5, "0123456789abcdef")
PLAN = AgentPlan("http://127.0.0.1:1", "secret", RECIPE, heap=1 << 30, neighbours=2)

_VARIABLES = (
    "CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH", "OMP_NUM_THREADS", "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL",
)  # fmt: skip


class Idle:
    """Stands for an agent: keeps how it was made, and ends at once."""

    made: list[Any]

    def __init__(self, settings: Any, target: Any, work: Any, door: Any, is_leaving: Callable[[], bool]) -> None:
        self.made.append(
            (settings, settings.address(), work, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ["OMP_NUM_THREADS"])
        )
        self._leaving = is_leaving()

    def run(self) -> bool:
        """Run nothing."""
        return not self._leaving


@pytest.mark.parametrize("going", [False, True])
def test_an_agent_is_told_what_its_executor_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, going: bool) -> None:
    """Its GPU and threads, an address for its worker, the data laid out, and whether the executor goes."""
    for name in _VARIABLES:
        monkeypatch.setenv(name, "")
    task = SimpleNamespace(attemptNumber=lambda: 0, resources=lambda: {"gpu": ResourceInformation("gpu", ["3"])})
    monkeypatch.setattr(agents.TaskContext, "get", lambda: task)
    monkeypatch.setattr(agents.SparkFiles, "getRootDirectory", lambda: str(tmp_path))
    monkeypatch.setattr(agents, "Agent", Idle)
    monkeypatch.setattr(agents, "find_share", lambda heap, together: Share(4 << 30, heap, together))
    monkeypatch.setattr(Idle, "made", made := [], raising=False)
    monkeypatch.setenv("TINDERBOX_NODE", "node-7")
    notice = tmp_path / "notice"
    monkeypatch.setenv("TINDERBOX_DECOMMISSION", str(notice))
    if going:
        notice.touch()
    half = Examples(np.zeros((5, 2), np.float32), np.arange(5) % 2)
    archive = pack(Dataset(half, half, None, None))
    assert hold_agent("agent-2.1", PLAN, cast("Any", SimpleNamespace(value=archive))) is not going
    ((settings, address, work, gpus, threads),) = made
    assert (settings.name, settings.node, settings.preload) == ("agent-2.1", "node-7", ("json",))
    assert settings.share == Share(4 << 30, 1 << 30, 2)
    host, _, port = address.rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) in PORTS
    assert (gpus, threads) == ("3", "2")
    assert len(open_packed(work.data).train) == 5
    opened: list[Any] = []

    def open_channel(*arguments: Any) -> Channel:
        opened.append(arguments)
        return cast("Channel", None)

    monkeypatch.setattr(agents, "WorkerChannel", open_channel)
    assignment = Assignment(1, 2, 3, ())
    work.door(assignment)
    assert opened[0][:5] == ("http://127.0.0.1:1", "secret", "agent-2.1", assignment, "synchronous")


def test_there_is_an_agent_for_each_worker() -> None:
    """In a job group of its own."""

    class Spark:
        def __init__(self) -> None:
            self.groups: list[str] = []
            self.cancelled: list[str] = []

        def broadcast(self, archive: bytes) -> bytes:
            return archive

        def cancelJobGroup(self, group: str) -> None:  # noqa: N802
            self.cancelled.append(group)

    spark = Spark()
    jobs = agent_jobs(cast("Any", spark), PLAN, b"", lambda name, cause: False)
    assert jobs._count == 3
    jobs.renew("agent-2.4")
    assert spark.cancelled == ["tinderbox-small-agent-2"]


def test_nobody_prints_a_token() -> None:
    """Neither where agents are told it nor where tasks are."""
    assert "secret" not in repr(PLAN)
    assert "secret" not in repr(Telling("http://127.0.0.1:1", "secret"))
