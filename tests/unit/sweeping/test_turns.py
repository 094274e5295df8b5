"""Whose turn it is."""

from __future__ import annotations

from tinderbox.sweeping.history import Attempt, State, Trial
from tinderbox.sweeping.turns import Turns


def trial(number: int, attempts: int = 0, state: State = State.WAITING) -> Trial:
    """Return a trial that has run so many times."""
    ran = [Attempt(count + 1, "a", "n", 0.0) for count in range(attempts)]
    return Trial(number, {}, 0, baseline=False, state=state, attempts=ran)


def test_what_was_cut_short_waits_apart_from_what_is_new() -> None:
    """Each in the order in which it came; what runs or is paused does not wait."""
    turns = Turns([trial(0), trial(1, 2), trial(2), trial(3, 1), trial(4, 1, State.RUNNING), trial(5, 1, State.PAUSED)])
    assert (len(turns), turns.fresh) == (4, 2)
    turns.add(trial(0, 1))
    assert [turns.take_again(lambda number: True) for _ in range(4)] == [1, 3, 0, None]
    assert [turns.take_fresh() for _ in range(3)] == [0, 2, None]
    assert len(turns) == 0


def test_who_may_not_run_here_keeps_its_place() -> None:
    """The next one that may is taken, and none where none may."""
    turns = Turns([trial(0, 1), trial(1, 1), trial(2, 1)])
    assert turns.take_again(lambda number: number == 1) == 1
    assert turns.take_again(lambda number: False) is None
    assert [turns.take_again(lambda number: True) for _ in range(2)] == [0, 2]


def test_one_of_the_new_ones_may_be_chosen() -> None:
    """The others stay in order."""
    turns = Turns([trial(0), trial(1), trial(2)])
    assert turns.take_fresh(max) == 2
    assert [turns.take_fresh(), turns.take_fresh(max), turns.take_fresh(max)] == [0, 1, None]
