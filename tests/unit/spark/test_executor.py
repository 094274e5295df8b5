"""What a slot finds in its executor: its place, GPUs and memory, and the notice that all of it goes."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.resource import ResourceInformation

from tinderbox.allowance import Share
from tinderbox.spark.executor import find_gpus, find_place, find_share, noticing


def test_a_slot_is_in_the_pod_that_its_cluster_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long name of a pod is cut in its host name, so the whole one is asked for first; elsewhere the host's is it."""
    monkeypatch.setattr("socket.gethostname", lambda: "p" * 63)
    monkeypatch.delenv("POD_NAME", raising=False)
    monkeypatch.delenv("TINDERBOX_NODE", raising=False)
    assert find_place() == ("p" * 63, "p" * 63)
    monkeypatch.setenv("POD_NAME", "p" * 70)
    monkeypatch.setenv("TINDERBOX_NODE", "worker-2")
    assert find_place() == ("worker-2", "p" * 70)


def test_gpus_are_those_that_spark_has_given_to_the_task() -> None:
    """Where there are none, or Spark knows of none, or there is no task, there are none."""

    def task(**resources: ResourceInformation) -> Any:
        return SimpleNamespace(resources=lambda: resources)

    assert find_gpus(task(gpu=ResourceInformation("gpu", ["0", "3"]))) == ["0", "3"]
    assert find_gpus(task(fpga=ResourceInformation("fpga", ["1"]))) == []
    assert find_gpus(task()) == find_gpus(None) == []


@pytest.mark.parametrize(
    ("limit", "slots", "share"), [(3 << 30, 2, Share(3 << 30, 1 << 30, 2)), (3 << 30, 0, None), (None, 2, None)]
)
def test_a_share_needs_a_limit_and_its_neighbours(
    tmp_path: Path, limit: int | None, slots: int, share: Share | None
) -> None:
    """A laptop has no limit, and not every master says how many slots an executor has."""
    (tmp_path / "memory.max").write_text(f"{limit or 'max'}\n")
    assert find_share(1 << 30, slots, tmp_path) == share


def test_a_file_is_the_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that the environment names: where it names none, there is no hook that would make one."""
    monkeypatch.setenv("TINDERBOX_DECOMMISSION", str(tmp_path / "notice"))
    with noticing() as is_leaving:
        assert not is_leaving()
        (tmp_path / "notice").touch()
        assert is_leaving()
    monkeypatch.delenv("TINDERBOX_DECOMMISSION")
    with noticing() as is_leaving:
        assert not is_leaving()


def test_sigterm_is_the_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the slot lives: what was done at the signal before is done after it."""
    monkeypatch.delenv("TINDERBOX_DECOMMISSION", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    with noticing() as is_leaving:
        assert not is_leaving()
        os.kill(os.getpid(), signal.SIGTERM)
        assert is_leaving()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_takes_no_signals() -> None:
    """A slot that is not in the main thread lives without that notice."""
    found: list[bool] = []

    def look() -> None:
        with noticing() as is_leaving:
            found.append(is_leaving())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False]
