"""Events on their way down, in groups, and back up; what is damaged, full or taken over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tinderbox.errors import Superseded, TinderboxError
from tinderbox.sweeping.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    Reported,
    SlotJoined,
    StudyStarted,
    TrialProposed,
    encode,
    replay,
)
from tinderbox.sweeping.journal import Journal, rebuild

LINES = [encode(StudyStarted(time=1.0, generation=1)), encode(SlotJoined(time=2.0, slot="a", node="n"))]


@pytest.fixture(params=[True, False], ids=["in the loop", "in a thread"])
def memory_log(memory_log: Callable[..., Any], request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return a function that makes a log, once as fast storage is and once as slow storage is."""
    return partial(memory_log, is_quick=request.param)


def joined(number: int) -> SlotJoined:
    """Return one event among many."""
    return SlotJoined(time=float(number), slot=f"slot-{number}", node="n")


def test_events_come_back_in_order() -> None:
    """Segment after segment."""
    assert [event.time for event in replay([b"".join(LINES), b"", LINES[1], LINES[0]])] == [1.0, 2.0, 2.0, 1.0]


@pytest.mark.parametrize("cut", range(1, len(LINES[1]) + 1))
def test_a_torn_last_line_is_dropped(cut: int) -> None:
    """Wherever it was torn: it had no newline, so it was never acknowledged; other segments are whole."""
    torn = LINES[0] + LINES[1][:-cut]
    assert [event.time for event in replay([torn, LINES[0]])] == [1.0, 1.0]


def test_zeros_after_a_crash_are_dropped() -> None:
    """A file system may leave zeros where the last block was not written."""
    assert len(list(replay([LINES[0] + b"\x00" * 100]))) == 1


@pytest.mark.parametrize("damage", [b"garbage\n", b"\n", LINES[0][:-5] + b"\n", b"{}\n"])
def test_a_damaged_line_is_refused_with_its_place(damage: bytes) -> None:
    """A whole line that is no event means that the record was changed: nothing is guessed."""
    with pytest.raises(
        TinderboxError,
        match=r"^the record is damaged: line 2 of segment 2 is no event; restore it from a backup$",
    ):
        list(replay([b"".join(LINES), LINES[0] + damage + LINES[1]]))


@pytest.mark.parametrize(
    "event",
    [
        AttemptStarted(time=1.0, trial=5, attempt=1, slot="a", node="n"),
        Reported(time=1.0, trial=5, attempt=1, epoch=1, metrics={"loss": 0.5}),
        AttemptEnded(time=1.0, trial=0, attempt=1, outcome="complete"),
    ],
)
def test_an_event_that_does_not_follow_is_refused_with_its_place(event: Event) -> None:
    """What happened to a trial that was never proposed, or an attempt that was never started, is a damaged record."""
    proposed = encode(TrialProposed(time=1.0, trial=0, parameters={"x": 1}, seed=1, known=0))
    with pytest.raises(
        TinderboxError,
        match=r"^the record is damaged: line 2 of segment 2 does not follow from those before it; restore it from a",
    ):
        rebuild([b"".join(LINES), proposed + encode(event)], "loss", "minimize")


def test_a_study_is_rebuilt() -> None:
    """Metric and direction come from the job, the rest from the record."""
    study = rebuild([b"".join(LINES)], "loss", "maximize")
    assert (study.metric, study.direction, study.generation, len(study.slots)) == ("loss", "maximize", 1, 1)


def test_events_go_down_in_groups(memory_log: Callable[[], Any]) -> None:
    """A hundred who wait at the same time share a few writes, and each finds its event safe."""
    log = memory_log()

    async def main() -> None:
        journal = Journal(log)

        async def one(number: int) -> None:
            journal.add(joined(number))
            await journal.flush()
            assert encode(joined(number)) in b"".join(log.written)

        await asyncio.gather(*(one(number) for number in range(100)))
        assert journal.added == 100

    asyncio.run(main())
    assert len(list(replay([b"".join(log.written)]))) == 100
    assert len(log.written) <= 3


def test_what_a_study_begins_with_is_safe_before_anybody_waits(memory_log: Callable[[], Any]) -> None:
    """It is written once, where no loop runs yet, and what follows goes on from there."""
    log = memory_log()
    journal = Journal(log)
    journal.add(joined(1))
    journal.begin()
    assert log.written == [encode(joined(1))]

    async def main() -> None:
        await journal.flush()
        journal.add(joined(2))
        await journal.flush()

    asyncio.run(main())
    assert log.written == [encode(joined(1)), encode(joined(2))]


def test_nothing_to_write_is_nothing_written(memory_log: Callable[[], Any]) -> None:
    """A flush without a new event returns at once."""
    log = memory_log()

    async def main() -> None:
        journal = Journal(log)
        await journal.flush()
        journal.add(joined(1))
        await journal.flush()
        await journal.flush()

    asyncio.run(main())
    assert log.written == [encode(joined(1))]


@pytest.mark.parametrize("trouble", [OSError(28, "No space left on device"), Superseded("a later driver")])
def test_after_a_write_that_failed_there_is_no_other(memory_log: Callable[[], Any], trouble: Exception) -> None:
    """All who wait are told, now and later, and the record has no gap even when there is room again."""
    log = memory_log()

    async def main() -> None:
        journal = Journal(log)
        journal.add(joined(1))
        await journal.flush()
        log.trouble = trouble
        for number in (2, 3):
            journal.add(joined(number))
        async with asyncio.timeout(5):
            told = await asyncio.gather(journal.flush(), journal.flush(), return_exceptions=True)
            assert told == [trouble, trouble]
            log.trouble = None
            journal.add(joined(4))
            with pytest.raises(type(trouble)):
                await journal.flush()

    asyncio.run(main())
    assert log.written == [encode(joined(1))]


def test_reports_are_no_news(memory_log: Callable[[], Any]) -> None:
    """They are written like all events, but nobody who waits for work has to look again."""
    journal = Journal(memory_log())
    journal.add(joined(1))
    journal.add(Reported(time=1.0, trial=0, attempt=1, epoch=1, metrics={"loss": 0.5}))
    assert (journal.added, journal.news) == (2, 1)


def test_who_hangs_up_does_not_cancel_the_write(memory_log: Callable[[], Any]) -> None:
    """The write that others wait for goes on."""
    log = memory_log()

    async def main() -> None:
        journal = Journal(log)
        journal.add(joined(1))
        impatient, patient = asyncio.create_task(journal.flush()), asyncio.create_task(journal.flush())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, patient, return_exceptions=True)
        assert (impatient.cancelled(), patient.exception()) == (True, None)

    asyncio.run(main())
    assert log.written == [encode(joined(1))]
