"""A task that Spark says runs, and that says nothing itself, is frozen."""

from __future__ import annotations

import pytest

from tinderbox.training.averaging.pulses import Pulse, Pulses


def look(
    pulses: Pulses, running: int, begin: int, end: int, beating: list[Pulse], failed: int = 0
) -> tuple[int, str] | None:
    """Return when a task was found frozen, and the sentence, while those of `beating` speak every second."""
    for now in range(begin, end):
        for pulse in beating:
            pulses.hear(pulse, now)
        if (cause := pulses.find_frozen(running, failed, now)) is not None:
            return now, cause
    return None


def test_tasks_that_beat_are_alive() -> None:
    """Whoever says so every second is never found frozen."""
    pulses = Pulses()
    number = pulses.begin(cold=False)
    both = [Pulse(number, "share 0", "a"), Pulse(number, "share 1", "b")]
    assert look(pulses, 2, 0, 1_000, both) is None


def test_a_frozen_task_is_found_within_thirty_seconds() -> None:
    """The one that falls silent while Spark still counts it is named."""
    pulses = Pulses()
    number = pulses.begin(cold=False)
    both = [Pulse(number, "share 0", "a"), Pulse(number, "share 1", "b")]
    assert look(pulses, 2, 0, 10, both) is None
    found = look(pulses, 2, 10, 100, both[:1])
    assert found is not None
    assert found[0] - 10 <= 30
    assert found[1] == "share 1 on b was not heard of for 20 s"


def test_a_task_that_never_speaks_is_found() -> None:
    """One that freezes while it starts is found by its number alone."""
    pulses = Pulses()
    number = pulses.begin(cold=False)
    found = look(pulses, 2, 0, 100, [Pulse(number, "share 0", "a")])
    assert found is not None
    assert found[0] <= 30
    assert found[1] == "1 of 2 tasks said nothing for 22 s"


def test_a_task_that_waits_for_an_executor_is_not_frozen() -> None:
    """Only tasks that run are expected to be heard: one that is queued, or was lost and queues again, is not."""
    pulses = Pulses()
    number = pulses.begin(cold=False)
    assert look(pulses, 2, 0, 5, [Pulse(number, "share 0", "a"), Pulse(number, "share 1", "b")]) is None
    assert look(pulses, 1, 5, 1_000, [Pulse(number, "share 0", "a")]) is None
    assert look(pulses, 0, 1_000, 2_000, []) is None


@pytest.mark.parametrize(("cold", "failed"), [(True, 0), (False, 1)])
def test_a_new_process_is_waited_for(cold: bool, failed: int) -> None:
    """It may take long to its first word, and say nothing while it imports, in the first round or after a failure."""
    pulses = Pulses()
    number = pulses.begin(cold)
    first = [Pulse(number, "share 0", "a")]
    assert look(pulses, 1, 0, 100, [], failed) is None
    assert look(pulses, 1, 100, 101, first, failed) is None
    assert look(pulses, 1, 101, 150, [], failed) is None
    assert look(pulses, 1, 150, 160, first, failed) is None
    assert look(pulses, 1, 160, 300, [], failed) is not None, "but not for ever"


def test_an_executor_that_came_late_is_waited_for() -> None:
    """It says itself that its process is new, in whatever round."""
    pulses = Pulses()
    number = pulses.begin(cold=False)
    assert look(pulses, 1, 0, 2, [Pulse(number, "share 0", "a", new=True)]) is None
    assert look(pulses, 1, 2, 60, []) is None
    assert look(pulses, 1, 60, 200, []) is not None


def test_each_round_begins_anew() -> None:
    """What runs for ten seconds before its first word is not frozen, in none of many rounds."""
    pulses = Pulses()
    for _ in range(5):
        number = pulses.begin(cold=False)
        assert look(pulses, 1, 0, 10, []) is None
        assert look(pulses, 1, 10, 30, [Pulse(number, "share 0", "a")]) is None


def test_a_task_that_has_ended_lends_nobody_its_pulse() -> None:
    """Its last words take it out, so the silence of another one shows at once."""
    pulses = Pulses()
    number = pulses.begin(cold=False)
    for share in range(2):
        pulses.hear(Pulse(number, f"share {share}", "a"), 0)
    pulses.hear(Pulse(number, "share 0", "a", over=True), 1)
    found = look(pulses, 1, 1, 100, [])
    assert found is not None
    assert found[0] <= 25
    assert "share 1 on a" in found[1]


def test_words_of_an_earlier_round_do_not_count() -> None:
    """A task that was cancelled, and has not noticed, keeps nobody alive."""
    pulses = Pulses()
    old = pulses.begin(cold=False)
    pulses.begin(cold=False)
    assert not pulses.hear(Pulse(old, "share 0", "a"), 0)
    assert look(pulses, 1, 0, 100, [Pulse(old, "share 0", "a")]) is not None
