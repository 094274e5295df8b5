"""How draws are spread that look at nothing but their number."""

from __future__ import annotations

from collections.abc import Callable

from tinderbox.config import SweepJob
from tinderbox.sweeping.draws import QuasiRandom, Random
from tinderbox.sweeping.past import Past


def test_a_quasi_random_sequence_is_spread_evenly(make_job: Callable[..., SweepJob]) -> None:
    """Of the first sixteen points each sixteenth of the range has one, which random draws do not manage."""
    space = make_job().parameters
    cells = {
        method: {int(float(method(space, 3).propose(number, Past())["x"]) * 16) for number in range(16)}
        for method in (QuasiRandom, Random)
    }
    assert cells[QuasiRandom] == set(range(16))
    assert cells[Random] < set(range(16))


def test_each_round_has_a_sequence_of_its_own(make_job: Callable[..., SweepJob]) -> None:
    """From its first trial on, spread as evenly."""
    space = make_job().parameters
    first, later = QuasiRandom(space, 3), QuasiRandom(space, 3, 21)
    drawn = [float(later.propose(number, Past())["x"]) for number in range(21, 37)]
    assert {int(x * 16) for x in drawn} == set(range(16))
    assert drawn != [float(first.propose(number, Past())["x"]) for number in range(16)]
