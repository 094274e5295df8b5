"""Who is there, and which nodes lose what they are given."""

from __future__ import annotations

import pytest

from tinderbox.errors import StaleAttempt
from tinderbox.sweeping.messages import Answer, Ask
from tinderbox.sweeping.roster import Roster, Slot


def ask(slot: str, request: int = 1, node: str = "n1", host: str = "pod") -> Ask:
    """Return a slot's request."""
    return Ask(slot=slot, node=node, request=request, host=host)


def meet(roster: Roster, slot: str, node: str = "n1", now: float = 0.0) -> Slot:
    """Let a slot come."""
    return roster.meet(ask(slot, node=node), now)[0]


def test_a_slot_is_new_once() -> None:
    """Every message of it is a sign of life; one that was given up must ask again."""
    roster = Roster()
    assert roster.meet(ask("a"), 1.0)[1] is True
    assert roster.meet(ask("a"), 2.0)[1] is False
    assert roster.hear("a", 3.0).heard == 3.0
    with pytest.raises(StaleAttempt, match="slot b was given up; it must ask for work again"):
        roster.hear("b", 3.0)


def test_who_was_silent_for_too_long() -> None:
    """Longer than that, not just as long."""
    roster = Roster()
    for slot, heard in (("a", 0.0), ("b", 5.0), ("c", 6.0)):
        meet(roster, slot, now=heard)
    assert [slot.name for slot in roster.silent(25.0, 20.0)] == ["a"]


def test_a_request_that_was_answered() -> None:
    """That one and no other, and only with work or the end."""
    slot = meet(Roster(), "a")
    slot.request, slot.answer = 3, Answer(done=True)
    assert [slot.answer_to(ask("a", request)) for request in (2, 3, 4)] == [None, slot.answer, None]
    slot.answer = None
    assert slot.answer_to(ask("a", 3)) is None


def test_a_slot_is_set_free_of_its_own_trial() -> None:
    """Not of the one that it runs by now, and nobody minds one that is gone."""
    roster = Roster()
    slot = meet(roster, "a")
    slot.trial = 7
    roster.set_free("a", 6)
    roster.set_free("b", 7)
    assert slot.trial == 7
    roster.set_free("a", 7)
    assert slot.trial is None


def test_the_slots_of_a_host() -> None:
    """The trial that holds most comes first, and slots without one last, whatever they held before."""
    roster = Roster()
    for name, trial, memory in (("a", 1, 3), ("b", None, 99), ("c", 2, 9), ("d", 3, 0)):
        slot = meet(roster, name)
        slot.trial, slot.memory = trial, memory
    roster.meet(ask("z", host="elsewhere"), 0.0)
    assert [slot.name for slot in roster.on_host("pod")] == ["c", "a", "d", "b"]


def test_losses_in_a_row() -> None:
    """Each node has its own, an end well forgives them, and what had begun before the last one does not count."""
    roster = Roster()
    assert roster.count_loss("n1", started=0.0, now=10.0) == 1
    assert roster.count_loss("n1", started=9.0, now=11.0) == 1
    assert roster.count_loss("n2", started=0.0, now=11.0) == 1
    assert roster.count_loss("n1", started=10.0, now=20.0) == 2
    assert roster.count_loss("n1", started=19.0, now=21.0) == 2
    roster.forgive("n1")
    roster.forgive("never seen")
    assert roster.count_loss("n1", started=0.0, now=30.0) == 1


def test_a_node_is_busy_while_a_slot_of_it_runs_a_trial() -> None:
    """Be it trial 0."""
    roster = Roster()
    meet(roster, "a", "n1")
    meet(roster, "b", "n1").trial = 0
    meet(roster, "c", "n2")
    assert (roster.is_busy("n1"), roster.is_busy("n2"), roster.is_busy("n3")) == (True, False, False)
    roster.set_free("b", 0)
    assert not roster.is_busy("n1")


def test_whether_there_is_another_node() -> None:
    """One with a slot that stays."""
    roster = Roster()
    meet(roster, "a", "n1")
    assert not roster.has_other_than({"n1"})
    other = meet(roster, "b", "n2")
    assert roster.has_other_than({"n1"})
    assert not roster.has_other_than({"n1", "n2"})
    other.leaving = True
    assert not roster.has_other_than({"n1"})
