"""A worker's counts on their way to an exporter that is there, busy, gone, or another one by now."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tinderbox.metrics import meter
from tinderbox.metrics.catalogue import EXAMPLES, HANDOVER_SECONDS, ROWS_FAILED, STEP_SECONDS
from tinderbox.metrics.exporter import LARGEST
from tinderbox.metrics.ledger import width
from tinderbox.metrics.meter import NOBODY, SOCKET_VARIABLE, TOGETHER, Meter, find_meter

Opened = Callable[..., Any]
SWEEP = 'tinderbox_examples_total{kind="sweep",node="n",run="r"}'


class Ear:
    """The socket of an exporter that hears only when it is told to."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._door.bind(self.path)
        self._door.setblocking(False)

    def hear(self) -> list[list[Any]]:
        """Return what was told since the last time."""
        heard = []
        while True:
            try:
                heard += json.loads(self._door.recv(LARGEST))
            except BlockingIOError:
                return heard

    def fill(self) -> int:
        """Send empty datagrams until there is no room for another one, and return how many there was room for."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for count in range(100_000):
                try:
                    sender.sendto(b"[]", self.path)
                except BlockingIOError:
                    return count
        raise AssertionError("there is no end to the room of a socket")

    def close(self) -> None:
        """Close the socket, whose file stays as after a crash."""
        self._door.close()


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    """An exporter's socket, to be heard at by the test."""
    ear = Ear(tmp_path / "ear")
    yield ear
    ear.close()


def test_counts_add_up_and_go_together(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent before a second is over; then all is, once."""
    told = Meter("r", ear.path)
    for _ in range(3):
        told.count(EXAMPLES, 2, "sweep")
    told.count(EXAMPLES, 0, "infer")
    told.observe(HANDOVER_SECONDS, 0.5)
    told.merge(STEP_SECONDS, [1.0] * width(STEP_SECONDS))
    assert ear.hear() == []
    monkeypatch.setattr(meter, "SEND_SECONDS", 0.0)
    told.count(EXAMPLES, 4, "sweep")
    (name, labels, sums), handover, steps = ear.hear()
    assert (name, labels, sums) == (EXAMPLES.name, ["r", "sweep"], [10])
    assert (handover[:2], handover[2][-1]) == ([HANDOVER_SECONDS.name, ["r"]], 0.5)
    assert steps == [STEP_SECONDS.name, ["r"], [1.0] * width(STEP_SECONDS)]
    told.flush()
    assert ear.hear() == []


def test_nobody_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a path no socket is made and nothing is added up."""
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("nobody wants to know"))
    monkeypatch.setattr(meter, "SEND_SECONDS", 0.0)
    NOBODY.count(EXAMPLES, 1, "sweep")
    NOBODY.observe(STEP_SECONDS, 0.5)
    NOBODY.merge(STEP_SECONDS, [1.0] * width(STEP_SECONDS))
    NOBODY.flush()
    assert len(NOBODY._sums) == 0


@pytest.mark.usefixtures("each_call")
def test_without_an_exporter_nothing_is_lost(opened: Opened, tmp_path: Path) -> None:
    """One that comes later, at the same place, is told all; so is one that comes after a crash of that one."""
    told = Meter("r", str(tmp_path / "metrics"))
    told.count(EXAMPLES, 1, "sweep")
    with opened() as first:
        told.count(EXAMPLES, 2, "sweep")
        assert eventual(first.told, SWEEP) == 3
    (tmp_path / "metrics").touch()  # nothing hears there
    told.count(EXAMPLES, 4, "sweep")
    (tmp_path / "metrics").unlink()
    with opened() as second:
        told.flush()
        assert eventual(second.told, SWEEP) == 4


def eventual(told: Callable[[], dict[str, float]], name: str) -> float | None:
    """Return the value of a series once it is there; a datagram takes a moment to be heard."""
    deadline = time.monotonic() + 5
    while name not in (found := told()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found.get(name)


@pytest.mark.usefixtures("each_call")
def test_an_exporter_that_crashed_and_left_its_socket(tmp_path: Path) -> None:
    """A worker that knew it finds the one that takes its place with its last words."""
    first = Ear(tmp_path / "ear")
    told = Meter("r", first.path)
    told.count(EXAMPLES, 1, "sweep")
    first.close()
    told.count(EXAMPLES, 2, "sweep")
    Path(first.path).unlink()
    second = Ear(tmp_path / "ear")
    told.flush()
    assert second.hear() == [[EXAMPLES.name, ["r", "sweep"], [2]]]
    second.close()


@pytest.mark.usefixtures("each_call")
def test_a_call_never_waits(ear: Ear) -> None:
    """An exporter that hears nothing fills up: thousands of calls that try take no time, and nothing is lost."""
    assert ear.fill() > 0
    told, longest = Meter("r", ear.path), 0.0
    begin = time.thread_time()
    for _ in range(5_000):
        call = time.perf_counter()
        told.count(EXAMPLES, 1, "sweep")
        longest = max(longest, time.perf_counter() - call)
    assert (time.thread_time() - begin) / 5_000 < 0.001, "far less than a millisecond of work each"
    assert longest < 1.0, "on a machine with other work too"
    assert ear.hear() == []
    told.flush()
    assert ear.hear() == [[EXAMPLES.name, ["r", "sweep"], [5_000]]]


def test_last_words_wait_for_one_that_is_busy_only(ear: Ear, tmp_path: Path) -> None:
    """For a moment; where nobody is, no worker is held up at the end of each of its tasks."""
    ear.fill()
    told, alone = Meter("r", ear.path), Meter("r", str(tmp_path / "nobody"))
    for one in (told, alone):
        one.count(EXAMPLES, 1, "sweep")
    begin = time.monotonic()
    told.flush(patience=0.3)
    assert 0.3 <= time.monotonic() - begin < 5
    begin = time.monotonic()
    alone.flush(patience=60)
    assert time.monotonic() - begin < 5
    assert len(told._sums) == len(alone._sums) == 1


def test_many_sums_go_in_several_datagrams(ear: Ear) -> None:
    """Each is small enough to be heard whole; those for which there was no room are kept, and no others."""
    told = Meter("r", ear.path)
    room = ear.fill()
    total = (room + 2) * TOGETHER
    told._sums._most = total
    for number in range(total):
        told.count(ROWS_FAILED, 1, f"{number:0200d}")
    ear.hear()
    told.flush(patience=0)
    heard = ear.hear()
    assert len(heard) == room * TOGETHER
    assert len(json.dumps(heard[:TOGETHER])) < LARGEST / 2
    told.flush(patience=0)
    assert sorted(labels[1] for _, labels, _ in heard + ear.hear()) == [f"{number:0200d}" for number in range(total)]


def test_a_meter_holds_no_more_than_so_many_sums(tmp_path: Path) -> None:
    """However long there is no exporter, and whatever the labels are."""
    told = Meter("r", str(tmp_path / "nobody"))
    for number in range(2_000):
        told.count(ROWS_FAILED, 1, str(number))
    assert len(told._sums) == 1_000


def test_a_process_has_one_meter_for_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Task after task; another run and another exporter have others, and without one nobody is told."""
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "a"))
    first = find_meter("r")
    first.count(EXAMPLES, 1, "infer")
    assert find_meter("r") is first
    assert find_meter("other") is not first
    monkeypatch.setenv(SOCKET_VARIABLE, str(tmp_path / "b"))
    assert len(find_meter("r")._sums) == 0
    for unset in (lambda: monkeypatch.setenv(SOCKET_VARIABLE, ""), lambda: monkeypatch.delenv(SOCKET_VARIABLE)):
        unset()
        found = find_meter("r")
        found.count(EXAMPLES, 1, "infer")
        assert len(found._sums) == 0
