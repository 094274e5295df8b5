"""Records of processes: found again, never mistaken for another, ended and forgotten."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster import processes


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep records and logs out of the real cluster's folders."""
    monkeypatch.setattr(processes, "RECORDS", tmp_path / "processes")
    monkeypatch.setattr(processes, "LOGS", tmp_path / "log")


def test_start_time_is_read_past_a_name_with_brackets() -> None:
    """A program may call itself anything."""
    fields = " ".join(str(number) for number in range(4, 30))

    assert processes.parse_start(f"17 (a) b (c) S {fields}") == 22


@pytest.mark.parametrize("state", ["Z", "X"])
def test_dead_process_has_no_start_time(state: str) -> None:
    """What only waits to be collected does not run."""
    assert processes.parse_start(f"17 (a) {state} {' '.join(['0'] * 30)}") is None


def test_process_is_started_once() -> None:
    """A second request finds the first one's process."""
    assert processes.ensure("sleeper", ["sleep", "60"])
    assert not processes.ensure("sleeper", ["sleep", "60"])

    processes.stop(["sleeper"])


def test_stop_ends_and_forgets() -> None:
    """After a stop there is neither process nor record."""
    processes.ensure("sleeper", ["sleep", "60"])
    (record,) = processes.records()

    processes.stop(["sleeper"])

    assert processes.records() == []
    assert not record.alive


def test_stop_is_firm_with_a_process_that_will_not_listen() -> None:
    """What ignores the polite signal is killed."""
    processes.ensure("deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"])
    record = processes.find("deaf")
    while "ready" not in record.log.read_text():
        time.sleep(0.01)

    processes.stop(["deaf"], patience=0.2)

    assert not record.alive


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_recycled_pid_is_left_alone(change: dict[str, object]) -> None:
    """A pid that now belongs to another process gets no signal."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        true = {"name": "x", "pid": stranger.pid, "started": processes.started(stranger.pid), "boot": processes.boot()}
        processes._write(processes.Record(**true | change))

        processes.stop(["x"], signal.SIGKILL)

        assert stranger.poll() is None
        stranger.kill()


def test_log_of_a_process_that_ended_is_told() -> None:
    """The last lines say why."""
    processes.ensure("broken", ["sh", "-c", "echo no such port; exit 1"])
    while processes.find("broken"):
        time.sleep(0.01)

    assert "no such port" in processes.ended("broken")
    assert processes.ended("another") == ""


def test_children_are_found() -> None:
    """A process knows those that it started."""
    with subprocess.Popen(["sleep", "60"]) as child:
        assert child.pid in processes.children(os.getpid())
        child.kill()
