"""What neighbours have said of themselves, and what follows from it."""

from __future__ import annotations

import pytest

from tinderbox.training.threshold.neighbours import Heard, Neighbours, unpack_heard


def heard(known: tuple[int, ...], process: int = 1, ready: bool = True, dense: int = 0, at: float = 0.0) -> Heard:
    """Return the word of a worker."""
    return Heard(process, ready, dense, known, at)


def test_words_are_packed() -> None:
    """And read as they were, at the time when they were heard; others are refused."""
    word = heard((3, -1, 2**31 - 1), process=2**64 - 1, ready=False, dense=-2)
    assert unpack_heard(word.pack(), 3, 7.5) == heard((3, -1, 2**31 - 1), 2**64 - 1, False, -2, 7.5)
    with pytest.raises(ValueError, match="what one of 4 workers knows has 49 bytes, got 45"):
        unpack_heard(word.pack(), 4, 0.0)


def test_a_process_is_new_once() -> None:
    """One in the place of another is new again."""
    neighbours = Neighbours([1])
    assert [neighbours.note(1, heard((0, 0), process)) for process in (1, 1, 2, 2)] == [True, False, True, False]


def test_only_what_is_stuck_is_repeated() -> None:
    """All at first; then what was lacking at two words in a row, for the rest is on its way."""
    neighbours = Neighbours([1])
    neighbours.note(1, heard((4, 2), ready=False))
    neighbours.note(1, heard((4, 2)))
    assert neighbours.missing(1, [9, 9]) == [4, 2]
    neighbours.note(1, heard((6, 2)))
    assert neighbours.missing(1, [9, 9]) == [9, 2]
    neighbours.note(1, heard((6, 9)))
    assert neighbours.missing(1, [9, 9]) == [6, 9]
    neighbours.note(1, heard((0, 0), process=2))
    assert neighbours.missing(1, [9, 9]) == [0, 0]


def test_what_all_take_over_is_repeated_after_a_beat() -> None:
    """To one who did not have it at a word after that it was sent, and to one who has come anew."""
    neighbours = Neighbours([1])
    neighbours.note(1, heard((5, 5), at=1.0))
    assert neighbours.lacks_dense(1, 5, since=1.5)
    neighbours.note(1, heard((5, 5), at=2.0))
    assert not neighbours.lacks_dense(1, 5, since=1.5)
    neighbours.note(1, heard((5, 5), at=3.0))
    assert neighbours.lacks_dense(1, 5, since=1.5)
    neighbours.note(1, heard((5, 5), dense=5, at=4.0))
    assert not neighbours.lacks_dense(1, 5, since=1.5)


def test_who_has_caught_up() -> None:
    """Who knows what each neighbour with a state knew when it was first heard; one without any is only to be heard."""
    neighbours = Neighbours([0, 9])
    assert Neighbours([]).has_told(0, [1])
    neighbours.note(0, heard((7, 3), dense=2))
    assert not neighbours.has_told(2, [7, 3])
    neighbours.note(9, heard((-1, -1), ready=False))
    neighbours.note(0, heard((8, 4), dense=2))
    assert neighbours.has_told(2, [7, 3])
    assert not neighbours.has_told(1, [7, 3])
    assert not neighbours.has_told(2, [7, 2])


def test_when_neighbours_were_heard() -> None:
    """Each, and the last one that had a state to give."""
    neighbours = Neighbours([1, 2])
    assert (neighbours.last(1), neighbours.ready_at) == (0.0, 0.0)
    neighbours.note(1, heard((0,), at=3.0))
    neighbours.note(2, heard((0,), ready=False, at=4.0))
    assert (neighbours.last(2), neighbours.ready_at) == (4.0, 3.0)
