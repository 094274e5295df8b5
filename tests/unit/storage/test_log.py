"""The append-only log: segments, generations, and what happens when there are two drivers."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tinderbox.errors import Superseded
from tinderbox.storage.log import SegmentLog


class Logs:
    """Opens logs of one storage, and closes them."""

    def __init__(self, storage: str) -> None:
        self.files, self.folder = fsspec.url_to_fs(f"{storage}/small/events")
        self.opened: list[SegmentLog] = []

    def open(self) -> SegmentLog:
        """Return the log of the next driver."""
        self.opened.append(SegmentLog(self.files, self.folder))
        return self.opened[-1]


@pytest.fixture
def logs(storage: str) -> Iterator[Logs]:
    """Return a way to open logs of one study."""
    made = Logs(storage)
    yield made
    for log in made.opened:
        log.close()


def test_the_next_driver_reads_what_was_appended(logs: Logs) -> None:
    """A segment for each generation, in order; one's own is not read."""
    for generation, lines in enumerate(([b"a\n", b"b\n"], [b"c\n"], [b"d\n"]), start=1):
        log = logs.open()
        assert log.generation == generation
        for line in lines:
            log.append(line)
        log.close()
    assert list(logs.open().read()) == [b"a\nb\n", b"c\n", b"d\n"]
    assert list(log.read()) == [b"a\nb\n", b"c\n"]


def test_more_appends_than_fit_in_one_digit(logs: Logs) -> None:
    """Parts stay in order."""
    log = logs.open()
    for number in range(12):
        log.append(b"%d\n" % number)
    assert b"".join(logs.open().read()) == b"".join(b"%d\n" % number for number in range(12))


def test_an_empty_log(logs: Logs) -> None:
    """A new study has no segments, and to look at it makes none."""
    assert list(logs.open().read()) == []
    assert logs.open().generation == 1


def test_a_driver_that_sees_a_later_one_stops(logs: Logs) -> None:
    """It writes nothing more, however often it tries."""
    old = logs.open()
    old.append(b"a\n")
    new = logs.open()
    old.append(b"b\n")
    new.append(b"c\n")
    for _ in range(2):
        with pytest.raises(Superseded, match=r"^a later driver has taken over .*small/events; this one stops$"):
            old.append(b"late\n")
    new.append(b"d\n")
    assert list(logs.open().read()) == [b"a\nb\n", b"c\nd\n"]


def test_of_two_drivers_that_start_at_once_one_is_superseded(logs: Logs) -> None:
    """Both find the same generation, and only one can claim it; with a generation before them and without."""
    for before in ([], [b"a\nc\n"]):
        first, second = logs.open(), logs.open()
        assert first.generation == second.generation
        first.claim()
        with pytest.raises(Superseded, match=r"^another driver has taken over .*; this one stops$"):
            second.claim()
        assert list(first.read()) == before
        first.append(b"a\n")
        with pytest.raises(Superseded, match=r"^another driver has taken over .*; this one stops$"):
            second.append(b"b\n")
        first.append(b"c\n")
        first.close()
    assert list(logs.open().read()) == [b"a\nc\n", b"a\nc\n"]


def test_a_claim_ends_the_driver_before(logs: Logs) -> None:
    """Before the new driver has written anything: what it reads is all that the old one ever writes."""
    old = logs.open()
    old.append(b"a\n")
    new = logs.open()
    old.append(b"b\n")
    new.claim()
    for _ in range(2):
        with pytest.raises(Superseded, match=r"^a later driver has taken over .*small/events; this one stops$"):
            old.append(b"late\n")
    assert list(new.read()) == [b"a\nb\n"]
    new.append(b"c\n")
    assert list(logs.open().read()) == [b"a\nb\n", b"c\n"]


def test_drivers_that_died_after_their_claim(logs: Logs) -> None:
    """They leave empty segments, and what was written before is read as before."""
    logs.open().append(b"a\n")
    for _ in range(2):
        logs.open().claim()
    last = logs.open()
    last.claim()
    assert (last.generation, b"".join(last.read())) == (4, b"a\n")


def test_a_claim_waits_for_an_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one machine, an old driver that has looked and not yet written is heard to its end."""
    logs = Logs(str(tmp_path))
    old = logs.open()
    old.append(b"a\n")
    new = logs.open()
    looked, go_on = threading.Event(), threading.Event()
    check, read = SegmentLog._check, list[bytes]()

    def check_slowly(log: SegmentLog) -> None:
        check(log)
        looked.set()
        assert go_on.wait(10)

    def take_over() -> None:
        new.claim()
        read.extend(new.read())

    monkeypatch.setattr(SegmentLog, "_check", check_slowly)
    writer, claimant = threading.Thread(target=old.append, args=(b"b\n",)), threading.Thread(target=take_over)
    writer.start()
    assert looked.wait(10)
    claimant.start()
    claimant.join(0.2)
    assert claimant.is_alive()
    go_on.set()
    for thread in (writer, claimant):
        thread.join(10)
    assert read == [b"a\nb\n"]
    old.close()
    new.close()


def test_a_claim_takes_the_next_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """In object storage, an old driver that has looked and not yet written cannot write any more."""
    fsspec.filesystem("memory").store.clear()
    logs = Logs("memory://studies")
    old = logs.open()
    old.append(b"a\n")
    new, check = logs.open(), SegmentLog._check

    def check_before_a_claim(log: SegmentLog) -> None:
        check(log)
        new.claim()

    with monkeypatch.context() as patch:
        patch.setattr(SegmentLog, "_check", check_before_a_claim)
        with pytest.raises(Superseded, match=r"^a later driver has taken over .*; this one stops$"):
            old.append(b"b\n")
    assert list(new.read()) == [b"a\n"]
    new.append(b"c\n")
    assert list(logs.open().read()) == [b"a\n", b"c\n"]


def test_a_put_whose_answer_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its repetition finds the part there, with its own lines: that is no other driver."""
    fsspec.filesystem("memory").store.clear()
    log = Logs("memory://studies").open()
    put = log._files.pipe_file

    def put_twice(path: str, lines: bytes, **options: str) -> None:
        put(path, lines, **options)
        if lines:
            put(path, lines, **options)

    monkeypatch.setattr(log._files, "pipe_file", put_twice)
    log.append(b"a\n")
    log.append(b"b\n")
    assert list(Logs("memory://studies").open().read()) == [b"a\nb\n"]


def test_lines_are_synced_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, even where the system takes them in pieces."""
    synced: list[bytes] = []
    log = Logs(str(tmp_path)).open()
    path = tmp_path / "small" / "events" / "000001-000000.jsonl"
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, lines: write(descriptor, lines[:3]))
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(path.read_bytes()))
    log.append(b"0123456789\n")
    log.append(b"more\n")
    assert synced == [b"0123456789\n", b"0123456789\nmore\n"]
    log.close()


def test_a_slow_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a fast one is, with the next append: who waits for a slow one must not wait in the event loop."""
    log, seconds = Logs(str(tmp_path)).open(), iter([0.0, 0.001, 1.0, 1.1, 2.0, 2.001])
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    found = [log.is_quick]
    for _ in range(3):
        log.append(b"a\n")
        found.append(log.is_quick)
    assert found == [False, True, False, True]
    log.close()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's own error; closing twice is no mistake."""
    log = Logs(str(tmp_path)).open()
    log.append(b"a\n")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device"):
            log.append(b"b\n")
    log.close()
    log.close()


def test_other_files_are_no_segments(tmp_path: Path) -> None:
    """What somebody left in the folder does not count."""
    logs = Logs(str(tmp_path))
    logs.open().append(b"a\n")
    (tmp_path / "small" / "events" / "notes.txt").write_text("x")
    assert list(logs.open().read()) == [b"a\n"]
