"""Shares of an executor's memory, and what is told of a trial that holds more than it may."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinderbox import allowance
from tinderbox.allowance import Allowance, Share

MIB = 1 << 20
SHARE = Share(limit=4096 * MIB, heap=1024 * MIB, slots=2)  # 1408 MiB each
OWN = {"slot": 60 * MIB, "server": 300 * MIB}


@pytest.fixture
def _processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial's process 7, of which most is shared, with fork server 5."""
    monkeypatch.setattr(allowance, "parent", lambda pid: {7: 5}[pid])
    monkeypatch.setattr(allowance, "anonymous", lambda pid: OWN["server" if pid == 5 else "slot"])
    monkeypatch.setattr(allowance, "held", lambda pid: {7: 1049 * MIB}[pid])


def test_executors_are_shared_equally() -> None:
    """After Java has its heap, and a rest."""
    assert SHARE.size == (4096 - 1024 - 256) // 2 * MIB


@pytest.mark.usefixtures("_processes")
def test_a_trial_that_holds_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has what it held, what it may hold, and what to do; the slot's own processes are its share, too."""
    monkeypatch.setattr(allowance, "bound", lambda pid: 1400 * MIB)
    failure = Allowance(SHARE).excess(7)
    assert failure is not None
    assert failure.cause == (
        "the trial's processes held 1,049 MiB, and may hold 1,048 MiB in an executor of 4,096 MiB with 2 slots; "
        "give executors more memory, put fewer slots on each, or take smaller batches"
    )
    assert Allowance(Share(SHARE.limit + 2 * MIB, SHARE.heap, 2)).excess(7) is None
    assert Allowance(SHARE).weigh(7) == 1049 * MIB


@pytest.mark.usefixtures("_processes")
def test_a_small_trial_is_weighed_at_no_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are gone through only for one that may hold too much."""
    monkeypatch.setattr(allowance, "bound", lambda pid: 1048 * MIB)
    monkeypatch.setattr(allowance, "held", lambda pid: pytest.fail("all its pages were counted"))
    assert Allowance(SHARE).excess(7) is None


def test_without_a_limit_nothing_is_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a laptop."""
    monkeypatch.setattr(allowance, "held", lambda pid: pytest.fail("all its pages were counted"))
    assert (Allowance(None).weigh(7), Allowance(None).excess(7)) == (0, None)


@pytest.mark.parametrize(
    ("name", "limit", "told"),
    [
        ("memory.events", {"memory.max": "1073741824\n"}, "its memory limit of 1,024 MiB"),
        (
            "memory/memory.oom_control",
            {"memory/memory.limit_in_bytes": "1073741824\n"},
            "its memory limit of 1,024 MiB",
        ),
        ("memory/memory.oom_control", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, "its memory"),
    ],
)
def test_a_kill_of_the_kernel_is_of_the_attempt_that_it_ended(
    tmp_path: Path, name: str, limit: dict[str, str], told: str
) -> None:
    """On both versions of control groups; an earlier one was another attempt's."""
    (tmp_path / "memory").mkdir()
    for path, text in {name: "oom_kill 1\n", **limit}.items():
        (tmp_path / path).write_text(text)
    weighed = Allowance(None, tmp_path)
    assert weighed.explain_kill() is not None
    weighed.begin()
    assert weighed.explain_kill() is None
    (tmp_path / name).write_text("oom_kill 2\n")
    failure = weighed.explain_kill()
    assert failure is not None
    assert failure.cause.startswith(f"the kernel killed the trial's process, for its executor had used up {told}; give")
